"""Valid files of every kind, small, for the fuzzer to mutate; and what a forger would make true again."""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgemoe.compiler import program as programs
from edgemoe.overlay.hardware_handoff import write_handoff
from edgemoe.overlay.manifest import (
    BIT_FILE,
    HWH_FILE,
    MANIFEST_FILE,
    MANIFEST_VERSION,
    BitstreamManifest,
    Timing,
    file_digest,
    write_manifest,
)
from edgemoe.spec.board import load_board
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import FIELDS, ISA_VERSION
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import to_dict
from tests.examples.program import small_program, write_checkpoint
from tests.fuzz.mutate import NUMBERS, altered_zip, mutate_folder, pick
from tests.fuzz.target import Rng

FORGED = 0.8  # share of cases in which hashes are made anew


def _json(path: Path, config: object) -> None:
    path.write_text(json.dumps(to_dict(config), indent=1), encoding="utf-8")


def model_config(folder: Path) -> None:
    _json(folder / "model.json", load_model_config("micro"))


def hardware_config(folder: Path) -> None:
    _json(folder / "hardware.json", load_hardware_config("micro"))


def board_config(folder: Path) -> None:
    _json(folder / "board.json", load_board("zcu102"))


def checkpoint(folder: Path) -> None:
    write_checkpoint(folder / "model")


def program(folder: Path) -> None:
    small_program(trace=True).save(folder / "program")


def mutate_program(folder: Path, rng: Rng) -> None:
    """As any folder, or fields of instructions."""
    path = folder / "program" / programs.PROGRAM_FILE
    if rng.random() < 0.6:
        mutate_folder(folder, rng)
        return
    words = np.frombuffer(path.read_bytes(), dtype="<u4").reshape(-1, 16).copy()
    for _ in range(int(rng.integers(1, 4))):
        field = FIELDS[pick(rng, tuple(FIELDS))]
        row, mask = int(rng.integers(1, len(words))), (1 << field.width) - 1
        old = int(words[row, field.word])
        value = pick(rng, (*NUMBERS, (old >> field.low) + 1, (old >> field.low) - 1, (old >> field.low) * 2)) & mask
        words[row, field.word] = old & ~(mask << field.low) & 0xFFFFFFFF | value << field.low
    path.write_bytes(words.tobytes())


def mend_program(folder: Path, rng: Rng) -> None:
    """Hash of the hardware, in manifest and header, and of both binaries, unless they are left as they were."""
    path = folder / "program" / programs.MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
        hardware = json.dumps(manifest["hardware"], sort_keys=True)
        digests = manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if rng.random() > FORGED or not isinstance(digests, dict):
        return
    identity = hashlib.sha256(hardware.encode()).digest()[:4]
    manifest["config_hash"] = int.from_bytes(identity, "little")
    image = folder / "program" / programs.PROGRAM_FILE
    if image.is_file():
        words = bytearray(image.read_bytes())
        words[8:12] = identity
        image.write_bytes(words)
    for name in (programs.PROGRAM_FILE, programs.WEIGHTS_FILE):
        if (folder / "program" / name).is_file():
            digests[name] = file_digest(folder / "program" / name)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def overlay(folder: Path) -> None:
    hardware = load_hardware_config("zcu102")
    (folder / BIT_FILE).write_bytes(bytes(range(256)))
    handoff(folder)
    manifest = BitstreamManifest(
        manifest_version=MANIFEST_VERSION,
        board="zcu102",
        engine="rtl",
        hardware=hardware,
        config_hash=hardware.hash(),
        isa_version=ISA_VERSION,
        tools={"vivado": "2024.1"},
        revision="abc",
        built="2026-01-01",
        sha256={name: file_digest(folder / name) for name in (BIT_FILE, HWH_FILE)},
        timing=Timing(met=True, clock_mhz=300.0, worst_slack_ns=0.05),
        utilisation={"lut": 1, "dsp": 2},
    )
    write_manifest(folder, manifest)


def mend_overlay(folder: Path, rng: Rng) -> None:
    """Hashes of both files, as `mend_program`."""
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
        hardware = json.dumps(manifest["hardware"], sort_keys=True)
        digests = manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if rng.random() > FORGED or not isinstance(digests, dict):
        return
    manifest["config_hash"] = int.from_bytes(hashlib.sha256(hardware.encode()).digest()[:4], "little")
    for name in (BIT_FILE, HWH_FILE):
        digests[name] = file_digest(folder / name)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def handoff(folder: Path) -> None:
    write_handoff(folder / HWH_FILE, load_hardware_config("zcu102"), load_board("zcu102"))


_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(("x.jpg", "RGB", {"quality": 70}), ("x.jpg", "L", {"progressive": True}), ("x.jpg", "CMYK", {})),
    *(("x.png", mode, {}) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    *(("x.bmp", "RGB", {}), ("x.bmp", "P", {}), ("x.webp", "RGB", {"lossless": True}), ("x.webp", "RGBA", {})),
    *(("x.gif", "P", {}), ("x.ppm", "RGB", {}), ("x.pgm", "L", {}), ("x.tif", "I;16", {})),
    *(("x.tif", "RGB", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_deflate", "packbits")),
)  # fmt: skip


def picture(folder: Path, rng: Rng) -> None:
    """Of any format and mode, up to 40 pixels a side; some with an orientation."""
    name, mode, options = pick(rng, _KINDS)
    height, width = (int(side) for side in rng.integers(1, 41, 2))
    made = Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=np.uint8), "RGBA").convert("RGB")
    if mode == "I;16":
        made = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    elif mode != "RGB":
        made = made.convert(mode)
    if name == "x.jpg" and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 10))
        options = {**options, "exif": exif}
    made.save(folder / name, **options)


def pictures(folder: Path, rng: Rng) -> None:
    """A folder of three."""
    for number in range(3):
        (folder / "pictures").mkdir(exist_ok=True)
        picture(folder / "pictures", rng)
        made = next((folder / "pictures").glob("x.*"))
        made.rename(made.with_stem(f"street{number}"))


@cache
def _videos() -> tuple[tuple[str, bytes], ...]:
    import tempfile

    import cv2

    frames, made = np.random.default_rng(1).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8), []
    for name, codec in (("x.mp4", "mp4v"), ("x.avi", "MJPG"), ("x.mkv", "VP80"), ("x.webm", "VP90"), ("x.mov", "mp4v")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
            for frame in frames:
                writer.write(frame)
            writer.release()
            if path.is_file() and path.stat().st_size:
                made.append((name, path.read_bytes()))
    return tuple(made)


def video(folder: Path, rng: Rng) -> None:
    """Six frames in any container that this OpenCV writes."""
    name, content = pick(rng, _videos())
    (folder / name).write_bytes(content)


def array(folder: Path, rng: Rng) -> None:
    """As data sets have them."""
    values = rng.random((6, 8, 3)).astype(pick(rng, ("<f4", "<f8", "<i8", "|u1", ">f4")))
    np.save(folder / "x.npy", values)


def mutate_array(folder: Path, rng: Rng) -> None:
    """Sometimes an archive of arrays in its place."""
    path = folder / "x.npy"
    if rng.random() < 0.3:
        packed = io.BytesIO()
        np.savez(packed, semseg=np.load(path), depth=np.zeros(3))
        path.write_bytes(altered_zip(packed.getvalue(), rng))
    else:
        mutate_folder(folder, rng)
