"""The manifest of an overlay: what a bitstream holds, and how the host knows that it may be used.

An overlay folder holds three files of one build: `edgemoe.bit`, `edgemoe.hwh` and `manifest.json`, which is a
`BitstreamManifest`, read strictly. Nothing is downloaded to a board before `load_overlay` has compared all three.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import ISA_VERSION
from edgemoe.spec.names import shown
from edgemoe.spec.strict import ConfigError, check_name, check_range, from_dict, read_json, to_dict

MANIFEST_VERSION = 1
MANIFEST_FILE, BIT_FILE, HWH_FILE = "manifest.json", "edgemoe.bit", "edgemoe.hwh"
BUILD_ENGINES = ("rtl", "hls", "simulated")
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST_CELLS = 100_000_000
RESOURCES = ("lut", "ff", "dsp", "bram36", "uram")


class OverlayError(EdgeMoeError, ValueError):
    """An overlay that cannot be used; the message says what differs and which side to build again."""


@dataclass(frozen=True)
class Timing:
    """After place and route. clock_mhz: of the accelerator; worst_slack_ns: setup, negative when not met."""

    met: bool
    clock_mhz: float
    worst_slack_ns: float

    def __post_init__(self) -> None:
        check_range(self, {"clock_mhz": (0.001, 10_000), "worst_slack_ns": (-1e6, 1e6)})


@dataclass(frozen=True)
class BitstreamManifest:
    """What stands in `manifest.json`.

    board: name of a folder in `bitstreams/`. engine: `rtl`, `hls`, or `simulated` (an empty bitstream for tests).
    hardware, config_hash: the configuration it was built for, in full, and its hash, as in the ID register.
    isa_version: of the programs that it runs.
    tools: name → version of all that took part, e.g. `vivado`. revision: of the sources; built: date, ISO 8601.
    sha256: of `edgemoe.bit` and `edgemoe.hwh`. timing and utilisation (RESOURCES → count): None for `simulated` only.
    """

    manifest_version: int
    board: str
    engine: str
    hardware: HardwareConfig
    config_hash: int
    isa_version: int
    tools: dict[str, str]
    revision: str
    built: str
    sha256: dict[str, str]
    timing: Timing | None = None
    utilisation: dict[str, int] | None = None

    def __post_init__(self) -> None:
        check_name(self.board, "board")
        if self.manifest_version != MANIFEST_VERSION:
            raise ConfigError(f"manifest_version {self.manifest_version}, this package reads {MANIFEST_VERSION}")
        if self.engine not in BUILD_ENGINES:
            raise ConfigError(f"engine must be one of {', '.join(BUILD_ENGINES)}, found {shown(self.engine)}")
        if set(self.sha256) != {BIT_FILE, HWH_FILE}:
            found = ", ".join(sorted(self.sha256)) or "nothing"
            raise ConfigError(f"sha256 must name {BIT_FILE} and {HWH_FILE}, found {found}")
        if self.config_hash != self.hardware.hash():
            raise ConfigError(
                f"config_hash 0x{self.config_hash:08X} is not that of the hardware beside it, "
                f"0x{self.hardware.hash():08X}"
            )
        if self.engine != "simulated" and (self.timing is None or self.utilisation is None):
            raise ConfigError("timing and utilisation must be there for a bitstream that was built")
        for name, digest in self.sha256.items():
            if _SHA256.fullmatch(digest) is None:
                raise ConfigError(f"sha256 of {name} must be 64 hexadecimal digits, found {shown(digest)}")
        if any(not 0 <= count <= _MOST_CELLS for count in (self.utilisation or {}).values()):
            raise ConfigError(f"utilisation: counts must lie in 0 … {_MOST_CELLS:,}")
        unknown = sorted(set(self.utilisation or ()) - set(RESOURCES))
        if unknown:
            raise ConfigError(f"utilisation: unknown resource {shown(unknown[0])}; known are {', '.join(RESOURCES)}")


@dataclass(frozen=True)
class OverlayFiles:
    """An overlay folder whose files belong together."""

    folder: Path
    manifest: BitstreamManifest

    @property
    def bit(self) -> Path:
        """The bitstream."""
        return self.folder / BIT_FILE

    @property
    def hwh(self) -> Path:
        """The hardware hand-off file that PYNQ parses."""
        return self.folder / HWH_FILE


def file_digest(path: Path) -> str:
    """sha256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: BitstreamManifest) -> None:
    """Write `manifest.json` beside the files that it describes."""
    write_text(folder / MANIFEST_FILE, json.dumps(to_dict(manifest), indent=1) + "\n")


def load_overlay(folder: Path) -> OverlayFiles:
    """Read and check an overlay folder; raises OverlayError when a file is missing, altered or of another build."""
    rebuild = f"build it again with `make bitstream`, or copy all of {BIT_FILE}, {HWH_FILE} and {MANIFEST_FILE}"
    for name in (MANIFEST_FILE, BIT_FILE, HWH_FILE):
        if not (folder / name).is_file():
            raise OverlayError(f"overlay {folder}: {name} is missing; {rebuild} of one build")
    try:
        manifest = from_dict(BitstreamManifest, read_json(folder / MANIFEST_FILE), MANIFEST_FILE)
    except ConfigError as error:
        raise OverlayError(f"overlay {folder}: {error}; {rebuild} of one build") from error
    for name, expected in manifest.sha256.items():
        if file_digest(folder / name) != expected:
            raise OverlayError(
                f"overlay {folder}: {name} is not the file that {MANIFEST_FILE} describes, so .bit and .hwh may come "
                f"from different builds; {rebuild} of one build"
            )
    if manifest.isa_version != ISA_VERSION:
        side = "bitstream: run `make bitstream`" if manifest.isa_version < ISA_VERSION else "host: update this package"
        raise OverlayError(
            f"overlay {folder}: runs programs of version {manifest.isa_version}, this package compiles version "
            f"{ISA_VERSION}; renew the {side}"
        )
    return OverlayFiles(folder, manifest)


def check_hardware(manifest: BitstreamManifest, wanted: HardwareConfig) -> None:
    """Compare what the caller compiles for with what was built; raises OverlayError that says which side to renew.

    The same name with another hash is a bitstream of an older configuration; another name is a program for elsewhere.
    """
    if wanted.hash() == manifest.config_hash:
        return
    found = f"'{manifest.hardware.name}' (0x{manifest.config_hash:08X})"
    if wanted.name == manifest.hardware.name:
        raise OverlayError(
            f"the bitstream for board '{manifest.board}' was built for {found}, this package's configuration of that "
            f"name has 0x{wanted.hash():08X}; build the bitstream again with `make bitstream`"
        )
    raise OverlayError(
        f"the bitstream for board '{manifest.board}' was built for hardware {found}, the program for '{wanted.name}' "
        f"(0x{wanted.hash():08X}); compile the model for '{manifest.hardware.name}'"
    )
