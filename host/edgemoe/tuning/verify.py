"""The chosen shape proved: synthesis of its Verilog, and one frame on the RTL engine, equal to golden."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.measure import same_values
from edgemoe.session import Session
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.registers import OFFSETS
from edgemoe.tuning.parts import Resources

_SEED = 1


@dataclass(frozen=True)
class Verified:
    """used: by synthesis; levels: of the longest path; cycles: counted; equal: the frame gave golden's integers."""

    used: Resources
    levels: float
    cycles: int
    equal: bool


def verify(hardware_file: Path, hardware: HardwareConfig, checkpoint: Path, tasks: tuple[str, ...]) -> Verified:
    """Takes minutes. hardware_file: what was written of `hardware`.

    Raises ArgumentError outside of a checkout, EdgeMoeError with what synthesis says, DeviceError and what compiling
    and running raise.
    """
    found = _synthesised(hardware_file)
    program = compile_checkpoint(checkpoint, tasks, hardware)
    model = program.manifest.model
    frame = np.random.default_rng(_SEED).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    with open_device("golden", hardware) as golden, Session(program, golden) as session:
        expected = session.run(frame)
    with RtlDevice(hardware) as device, Session(program, device) as session:
        result = session.run(frame)
        cycles = device.read_register(OFFSETS["cycles"])
    return Verified(Resources(**found["used"]), found["levels"], cycles, same_values(expected, result))


def require_checkout() -> None:
    """Raises ArgumentError where the synthesis is not at hand."""
    if not (REPOSITORY / "benchmarks" / "area.py").is_file():
        raise ArgumentError("--verify needs a checkout of this project, where the synthesis lies; leave it out here")


def _synthesised(hardware_file: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "area.json"
        words = ["-m", "benchmarks.area", "--hardware", str(hardware_file.resolve()), "--report", str(report)]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not report.is_file():
            last = (done.stdout.strip() or "no reason given").splitlines()[-1]
            raise EdgeMoeError(f"synthesis of {hardware_file.name} failed: {last}")
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))[0]
        return found
