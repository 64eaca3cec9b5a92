"""`python -m edgemoe.overlay.build BOARD ENGINE`: a bitstream with Vivado, its handoff checked, its manifest written.

Behind `make bitstream`. What is missing is listed before anything starts. The result lies in
build/bitstreams/BOARD-HARDWARE-ENGINE: edgemoe.bit, edgemoe.hwh and manifest.json, three files that stay together.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.build import check_shape
from edgemoe.errors import EdgeMoeError
from edgemoe.overlay.check_handoff import differences
from edgemoe.overlay.hardware_handoff import read_handoff
from edgemoe.overlay.manifest import (
    BIT_FILE,
    HWH_FILE,
    MANIFEST_VERSION,
    BitstreamManifest,
    OverlayError,
    Timing,
    file_digest,
    write_manifest,
)
from edgemoe.overlay.reports import read_facts, read_utilisation
from edgemoe.spec.board import Board, board_names, load_board
from edgemoe.spec.generate.vitis import TOP, VITIS_VERSION
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import ISA_VERSION
from edgemoe.spec.names import path_part
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.strict import ConfigError
from edgemoe.spec.terminal import accept_all_text

ENGINES = ("rtl", "hls")
ROOT = REPOSITORY


@dataclass(frozen=True)
class Build:
    """One bitstream to make, from a checkout at `root`."""

    board: Board
    hardware: HardwareConfig
    engine: str
    root: Path = ROOT

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigError(f"no engine '{self.engine}'; bitstreams are made of {' or '.join(ENGINES)}")
        if self.hardware.name not in self.board.hardware:
            raise ConfigError(
                f"board '{self.board.name}' is built with {', '.join(self.board.hardware)}, not '{self.hardware.name}'"
            )
        if self.engine == "rtl":
            try:
                check_shape(self.hardware)
            except DeviceError as error:
                raise ConfigError(f"{error}; or take the HLS engine, ENGINE=hls") from error

    @property
    def work(self) -> Path:
        """Folder of everything that comes out."""
        parts = (path_part(part) for part in (self.board.name, self.hardware.name, self.engine))
        return self.root / "build" / "bitstreams" / "-".join(parts)

    @property
    def script(self) -> Path:
        """What Vivado runs."""
        return self.root / "bitstreams" / "common" / "build.tcl"

    def sources(self) -> Path | None:
        """Folder of the Verilog, or of the IP that Vitis exported; None when it is not there."""
        if self.engine == "rtl":
            defined = re.compile(rf"^\s*module\s+{TOP}\b", re.MULTILINE)
            folder = self.root / "rtl"
            tops = (path for path in folder.rglob("*.v") if defined.search(path.read_text(encoding="utf-8")))
            return folder if any(tops) else None
        exported = sorted((self.root / "build" / "hls" / self.hardware.name).rglob("component.xml"))
        return exported[0].parent if exported else None

    def command(self) -> list[str]:
        """How Vivado is called."""
        words = [self.board.name, self.hardware.name, self.engine, str(self.sources()), str(self.work)]
        return ["vivado", "-mode", "batch", "-nojournal", "-source", str(self.script), "-tclargs", *words]


def missing(build: Build) -> Iterator[str]:
    """What stands in the way, one sentence each."""
    if not build.script.is_file():
        yield f"{build.script} is not there: bitstreams are made in a checkout of the repository"
    if shutil.which("vivado") is None:
        yield f"vivado is not found: install AMD Vivado (written for {VITIS_VERSION}) and source its settings64.sh"
    if build.sources() is None and build.engine == "rtl":
        yield f"the Verilog engine is not finished: no file in rtl/ defines the module {TOP}"
    elif build.sources() is None:
        name = build.hardware.name
        yield f"the HLS engine for '{name}' is not exported: run `make hls BOARD={name}`, which needs AMD Vitis"


def run(build: Build) -> BitstreamManifest:
    """Run Vivado, check its handoff, write the manifest.

    Raises OverlayError when Vivado fails or when its handoff differs from the specification.
    """
    build.work.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(build.command(), cwd=build.work, check=False)
    if done.returncode:
        raise OverlayError(f"Vivado failed with status {done.returncode}; its log is {build.work / 'vivado.log'}")
    found = differences(read_handoff(build.work / HWH_FILE), build.hardware, build.board)
    if found:
        raise OverlayError("Vivado's handoff differs from the specification: " + "; ".join(found))
    manifest = describe(build)
    write_manifest(build.work, manifest)
    return manifest


def describe(build: Build) -> BitstreamManifest:
    """The manifest of what Vivado left in the work folder."""
    facts = read_facts(build.work / "facts.txt")
    slack = facts.setup_slack_ns
    return BitstreamManifest(
        manifest_version=MANIFEST_VERSION,
        board=build.board.name,
        engine=build.engine,
        hardware=build.hardware,
        config_hash=build.hardware.hash(),
        isa_version=ISA_VERSION,
        tools={"vivado": facts.vivado, **_vitis(build)},
        revision=_revision(build.root),
        built=date.today().isoformat(),
        sha256={name: file_digest(build.work / name) for name in (BIT_FILE, HWH_FILE)},
        timing=Timing(met=min(slack, facts.hold_slack_ns) >= 0, clock_mhz=facts.clock_mhz, worst_slack_ns=slack),
        utilisation=read_utilisation(build.work / "utilisation.rpt", build.board.processing_system),
    )


def _vitis(build: Build) -> dict[str, str]:
    sources = build.sources()
    if build.engine != "hls" or sources is None:
        return {}
    text = (sources / "component.xml").read_text(encoding="utf-8", errors="replace")
    match = re.search(r"<xilinx:xilinxVersion>([^<]+)<", text)
    return {"vitis": match[1] if match else "unknown"}


def _revision(root: Path) -> str:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main(words: list[str] | None = None) -> int:
    """Run the command; 1 when something is missing, fails, or does not meet its timing."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe.overlay.build", description=__doc__)
    parser.add_argument("board", help=", ".join(board_names()))
    parser.add_argument("engine", help=" or ".join(ENGINES))
    parser.add_argument("--hardware", help="hardware configuration (default: the board's usual one)")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout of the repository (default: this one)")
    options = parser.parse_args(words)
    try:
        board = load_board(options.board)
        hardware = load_hardware_config(options.hardware or board.hardware[0])
        build = Build(board, hardware, options.engine, options.root.resolve())
        absent = list(missing(build))
        if absent:
            print(f"make bitstream BOARD={board.name} ENGINE={build.engine} cannot run yet:", file=sys.stderr)
            print("\n".join(f"  - {each}" for each in absent), file=sys.stderr)
            return 1
        manifest = run(build)
    except EdgeMoeError as error:
        print(error, file=sys.stderr)
        return 1
    return _verdict(build, manifest)


def _verdict(build: Build, manifest: BitstreamManifest) -> int:
    timing = manifest.timing
    assert timing is not None
    print(f"{build.work}: {manifest.utilisation}")
    if not timing.met:
        print(
            f"TIMING IS NOT MET at {timing.clock_mhz:g} MHz (setup slack {timing.worst_slack_ns:g} ns): do not use "
            f"this bitstream; see {build.work / 'timing.rpt'}",
            file=sys.stderr,
        )
        return 1
    print(f"timing is met at {timing.clock_mhz:g} MHz with {timing.worst_slack_ns:g} ns of setup slack")
    return 0


if __name__ == "__main__":
    sys.exit(main())
