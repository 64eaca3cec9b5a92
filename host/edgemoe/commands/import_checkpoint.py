"""`edgemoe import`: a checkpoint of M³ViT or Edge-MoE → a checkpoint folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgemoe.errors import ArgumentError
from edgemoe.media.files import require_writable
from edgemoe.spec.model import load_model_config, model_names

if TYPE_CHECKING:
    from edgemoe_golden.importing import ImportReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("source", type=Path, help="file, folder of 0.pth 1.pth …, or folder of *.float32.bin")
    names = ", ".join(model_names())
    parser.add_argument("--config", required=True, help=f"sizes and tasks of the model: {names}, or a JSON file")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write; must not exist")
    parser.add_argument(
        "--gate-order",
        choices=("auto", "softmax-first", "top-k-first"),
        default="auto",
        help="auto: top-k-first where the gates have w_noise (default: %(default)s)",
    )
    parser.add_argument("--experts-per-task", type=int, help="width of each task's window of experts, if it has one")
    parser.add_argument("--gate-input-ahead", action="store_true", help="gates read the block's input, not LayerNorm 2")


def main(options: argparse.Namespace) -> int:
    """Import; returns the exit status."""
    try:
        from edgemoe_golden.importing import GateOptions, import_checkpoint
    except ModuleNotFoundError as error:
        raise ArgumentError(f"importing needs {error.name}; install the 'train' extra of this package") from error
    require_writable(options.out.parent)
    gates = GateOptions(options.gate_order, options.experts_per_task, options.gate_input_ahead)
    report = import_checkpoint(options.source, load_model_config(options.config), options.out, gates)
    print(_summary(options.out, report))
    return 0


def _summary(folder: Path, report: ImportReport) -> str:
    config, variant = report.config, report.variant
    lines = [f"{folder}: {report.tensors} tensors from {report.layout}, model '{config.name}'"]
    if variant.decoders:
        heads = ", ".join(f"{task} ({channels} channels)" for task, channels in variant.decoders.items())
        lines.append(f"convolutional heads run on the host: {heads}")
    if report.reference_mse is not None:
        lines.append(f"against the reference frame: MSE {report.reference_mse:.3g}, MAE {report.reference_mae:.3g}")
    if variant.float_only:
        lines.append("its gates are more than softmax of a matrix product, so it runs in the float model only")
    else:
        lines.append(f"next: python -m edgemoe_golden.calibrate {folder}")
    return "\n".join(lines)
