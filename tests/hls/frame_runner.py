"""Builds hls/simulation/frame.cpp from a folder of sources, with any flags, and runs one program from files."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program
from edgemoe.devices.csim.build import HLS_FOLDER, WARNINGS, compiler, header_folder
from edgemoe.frames import input_image
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.memory import stripe

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """How a run ended. output: the output region, None when it was not written."""

    status: int
    printed: str
    errors: str
    output: NDArray[np.uint8] | None


def build(folder: Path, program: Program, flags: Sequence[str], sources: Path = HLS_FOLDER) -> Path:
    """The program `frame` for the hardware that `program` was built for."""
    (folder / "edgemoe_spec.hpp").write_text(hls_header(program.manifest.hardware), encoding="utf-8")
    includes = ["-I", str(sources / "simulation"), "-I", str(folder), "-isystem", str(header_folder())]
    binary = folder / "frame"
    command = [compiler(), "-std=c++17", "-pthread", *WARNINGS, *flags, *includes, "-o", str(binary)]
    done = subprocess.run(
        [*command, str(sources / "simulation/frame.cpp")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return binary


def run(
    binary: Path,
    program: Program,
    frame: NDArray[np.uint8],
    before: Sequence[str] = (),
    depth: int = 0,
    seed: int = 0,
) -> Ended:
    """One frame; `before`: words in front of the command, as valgrind's; depth, seed: see frame.cpp.

    Raises subprocess.TimeoutExpired for a run that does not end.
    """
    folder, manifest = binary.parent, program.manifest
    (folder / "output.bin").unlink(missing_ok=True)
    program.image.tofile(folder / "program.bin")
    input_image(frame, manifest.model).tofile(folder / "input.bin")
    ports = []
    for port, region in enumerate(stripe(program.stream, manifest.hardware.ports)):
        region.tofile(folder / f"weights_{port}.bin")
        ports.append(str(folder / f"weights_{port}.bin"))
    files = [str(folder / name) for name in ("program.bin", "input.bin", "output.bin")]
    command = [*before, str(binary), str(depth), str(seed), *files, str(manifest.output_bytes), *ports]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    path = folder / "output.bin"
    return Ended(
        done.returncode, done.stdout, done.stderr, np.fromfile(path, dtype=np.uint8) if path.is_file() else None
    )


def mutated(folder: Path, name: str, before: str, after: str) -> Path:
    """A copy of the sources with one mistake; returns its folder."""
    copy = folder / "mutated"
    for path in HLS_FOLDER.rglob("*.[ch]*"):
        if "generated" in path.parts:
            continue
        target = copy / path.relative_to(HLS_FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    replace_once(copy / name, before, after)
    return copy


def replace_once(path: Path, before: str, after: str) -> None:
    """Change what stands exactly once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"'{before}' stands {text.count(before)} times in {path.name}"
    path.write_text(text.replace(before, after), encoding="utf-8")
