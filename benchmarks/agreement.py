"""How far the integers are from the float model, instruction by instruction: `python -m benchmarks.agreement`.

One frame runs through the torch model with every activation recorded, and through a traced program on the golden
device. Every stored buffer is brought back to real values by the calibrated scales and compared. Errors add up along
the network, as they do in use.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import Program, TraceRecord
from edgemoe.compiler.quantise import activation_scale, quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.devices.base import Bytes
from edgemoe.devices.registry import open_device
from edgemoe.frames import read_rows
from edgemoe.session import Session
from edgemoe.spec.calibrated import load_calibrated
from edgemoe.spec.calibration import Calibration, load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Buffer
from edgemoe.spec.precision import OUTPUT_BITS
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene

FloatArray = NDArray[np.float64]

_BLOCK = re.compile(r"block (\d+) (norm1|qkv|attention|projection|norm2|mlp up|mlp down|experts|gate)")
_TENSOR = {
    "norm1": "norm1",
    "attention": "attention",
    "projection": "attention.residual",
    "norm2": "norm2",
    "mlp up": "hidden",
    "mlp down": "mlp.residual",
    "experts": "mlp.residual",
}

_SAME = ("residual", "hidden", "gate.experts")  # whatever has been rewritten


@dataclass(frozen=True)
class Agreement:
    """One record of the trace against the float tensor of the same name.

    sqnr_db: 10·log10(Σ float² / Σ (integer·scale − float)²); of routing: None, and `same` is the share of tokens whose
    set of experts is the same. worst: largest absolute error in steps of the integer grid.
    """

    instruction: int
    label: str
    tensor: str
    sqnr_db: float | None
    worst: float
    same: float


@dataclass(frozen=True)
class Subject:
    """A checkpoint ready for both ways of running it."""

    folder: Path
    hardware: HardwareConfig
    calibration: Calibration
    model: QuantisedModel


def subject(folder: Path, hardware: HardwareConfig) -> Subject:
    """Read, calibrate and quantise."""
    config, tensors = load_checkpoint(folder)
    calibration = load_calibration(folder / CALIBRATION_FILE, config)
    calibrated = load_calibrated(folder, config, tensors, calibration)
    model = quantise(config, tensors, calibration, hardware.numbers, calibrated)
    return Subject(folder, hardware, calibration, model)


def agreement(of: Subject, task: str, frame: NDArray[np.uint8]) -> list[Agreement]:
    """Every record of one frame and task, in program order."""
    recorder = TensorRecorder()
    with torch.inference_mode():
        load_checkpoint_model(of.folder)(torch.from_numpy(frame)[None], task, recorder)
    floats = {name: value.double().numpy() for name, value in recorder.values.items()}
    program = compile_model(of.model, [task], of.hardware, trace=True)
    with open_device("golden", of.hardware) as device, Session(program, device) as session:
        region = session.run_raw(frame)
    return list(_compare(of, program, region, floats))


def _compare(of: Subject, program: Program, region: Bytes, floats: dict[str, FloatArray]) -> Iterator[Agreement]:
    for record in program.manifest.trace:
        name = _tensor_name(record)
        if name is None or (_rewritten(of) and not name.endswith(_SAME)):
            continue
        dtype = record.value_type(of.hardware)
        codes = read_rows(region, record.address, record.rows, record.features, dtype).astype(np.int64)
        expected = _rows(floats[name])
        if record.buffer == Buffer.ROUTING.name:
            same = (np.sort(codes & 0xFFFF, axis=1) == np.sort(expected, axis=1)).all(axis=1).mean()
            yield Agreement(record.instruction, record.label, name, None, 0.0, float(same))
            continue
        instruction = program.instructions[record.instruction]
        first = instruction.source_row if name.endswith("hidden") else instruction.destination_row
        scale, zero = _grid(of, record, name)
        yield _measured(record.instruction, record.label, name, codes - zero, expected[first:], scale)
    for output in program.manifest.outputs:
        codes = read_rows(region, output.address, output.rows, output.features, "<i2").astype(np.int64)
        index = program.manifest.labels.index(f"head {output.task}")
        name = f"heads.{output.task}.output"
        scale = activation_scale(of.calibration, of.hardware.numbers, name, OUTPUT_BITS)
        yield _measured(index, f"head {output.task}", name, codes, _rows(floats[name]), scale)


def _rewritten(of: Subject) -> bool:
    """Whether zero points and scales have been moved, so that tensors inside a block are not the float model's."""
    return bool(of.calibration.tensors_sha256) and not of.hardware.numbers.fine


def _measured(index: int, label: str, name: str, codes: NDArray[np.int64], real: FloatArray, scale: float) -> Agreement:
    real = real[: len(codes)]
    error = codes * scale - real
    sqnr = 10 * np.log10((real**2).sum() / max((error**2).sum(), 1e-300))
    return Agreement(index, label, name, float(sqnr), float(np.abs(error).max() / scale), 1.0)


def _tensor_name(record: TraceRecord) -> str | None:
    """Name in the recorder; None for what the float model does not have (patch codes, the gate's copy)."""
    if record.buffer == Buffer.GATE_INPUT.name:
        return None
    if record.label == "patch embed":
        return "embed.residual" if record.buffer == Buffer.RESIDUAL.name else None
    head = re.fullmatch(r"head (\w+) norm", record.label)
    if head:
        return f"heads.{head[1]}.norm"
    block = _BLOCK.match(record.label)
    assert block is not None, f"label '{record.label}' has no float tensor"
    prefix, part = f"blocks.{block[1]}", block[2]
    if part == "qkv":
        return f"{prefix}.{record.buffer.lower()}"
    return f"{prefix}.gate.experts" if part == "gate" else f"{prefix}.{_TENSOR[part]}"


def _grid(of: Subject, record: TraceRecord, name: str) -> tuple[float, int]:
    """(step, code of zero) of a record's integers."""
    precision = of.hardware.numbers
    if name.endswith("residual"):
        return of.model.residual_scale, 0
    if name.endswith("hidden"):
        grid = of.model.blocks[int(name.split(".")[1])].hidden
        return grid.scale, grid.zero
    return activation_scale(of.calibration, precision, name), 0


def _rows(tensor: FloatArray) -> FloatArray:
    """Batch of one off; heads side by side."""
    if tensor.ndim == 4:
        return np.asarray(tensor[0].swapaxes(0, 1).reshape(tensor.shape[2], -1))
    return tensor[0] if tensor.ndim == 3 else tensor


def main() -> None:
    """Print the worst and mean over scenes, per instruction; write build/reports/agreement.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/mini"))
    parser.add_argument("--hardware", nargs="+", default=["zcu102", "zcu102_w16a16"])
    parser.add_argument("--scenes", type=int, default=4)
    options = parser.parse_args()
    report = []
    for name in options.hardware:
        of = subject(options.model, load_hardware_config(name))
        config = of.model.config
        for task in config.tasks:
            runs = [
                agreement(of, task.name, draw_scene(seed, config.image_height, config.image_width).image)
                for seed in VALIDATION_SEEDS[: options.scenes]
            ]
            print(f"\n{config.name}, {of.hardware.precision}, {task.name}, {options.scenes} scenes")
            rows: list[tuple[object, ...]] = []
            for records in zip(*runs, strict=True):
                first = records[0]
                if first.sqnr_db is None:
                    same = 100 * float(np.mean([r.same for r in records]))
                    rows.append((first.label, first.tensor, None, None, same))
                else:
                    decibels = [r.sqnr_db for r in records if r.sqnr_db is not None]
                    rows.append((first.label, first.tensor, float(np.mean(decibels)), min(decibels), None))
                report += [{"hardware": name, "task": task.name, **asdict(record)} for record in records]
            heads = ("instruction", "tensor", "SQNR dB", "least", "same experts %")
            print(tabulate(rows, heads, floatfmt=("", "", ".1f", ".1f", ".2f")))
    path = Path("build/reports/agreement.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
