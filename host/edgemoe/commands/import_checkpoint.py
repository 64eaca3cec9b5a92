"""`edgemoe import`: a checkpoint of M³ViT, Edge-MoE, timm or transformers, or an ONNX graph → a checkpoint folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgemoe.commands import calibrate
from edgemoe.commands.common import task_names
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.media.files import require_writable
from edgemoe.spec.model import load_model_config, model_names
from edgemoe.spec.picture import NORMALISATIONS

if TYPE_CHECKING:
    from edgemoe_golden.importing import DenseOptions, ImportReport

_ONLY_MOE = ("gate_order", "experts_per_task", "gate_input_ahead")
_ONLY_DENSE = ("task", "size", "heads", "pixels", "mean", "deviation", "labels", "activation", "name")
_MAX_LABEL_BYTES = 1 << 22


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument(
        "source",
        type=Path,
        help="file (.pth, .safetensors, .onnx), folder of the library's files, of 0.pth 1.pth …, or of *.float32.bin",
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write; must not exist")
    parser.add_argument(
        "--pictures", type=Path, nargs="+", metavar="FOLDER", help="calibrate on these folders of pictures, too"
    )
    names = ", ".join(model_names())
    parser.add_argument("--config", help=f"M³ViT and Edge-MoE: sizes and tasks, one of {names}, or a JSON file")
    moe = parser.add_argument_group("M³ViT's gates")
    moe.add_argument(
        "--gate-order",
        choices=("auto", "softmax-first", "top-k-first"),
        help="auto: top-k-first where the gates have w_noise (default: auto)",
    )
    moe.add_argument("--experts-per-task", type=int, help="width of each task's window of experts, if it has one")
    moe.add_argument("--gate-input-ahead", action="store_true", help="gates read the block's input, not LayerNorm 2")
    dense = parser.add_argument_group("dense models and ONNX graphs: what the file does not say")
    dense.add_argument("--task", help="classification, features, or both, separated by a comma")
    dense.add_argument("--size", help="HEIGHTxWIDTH of the pictures in pixels (default: as trained)")
    dense.add_argument("--heads", type=int, help="attention heads (default: as its config.json says, else width / 64)")
    dense.add_argument("--pixels", choices=tuple(NORMALISATIONS), help="how pixels were normalised in training")
    dense.add_argument("--mean", help="or the means of pixels scaled to [0, 1], separated by commas")
    dense.add_argument("--deviation", help="and their deviations")
    dense.add_argument("--labels", type=Path, help="text file with one class name a line")
    dense.add_argument("--activation", help="of the MLP: gelu, gelu_tanh (default: as its config.json says, else gelu)")
    dense.add_argument("--name", help="of the model (default: the folder's)")


def main(options: argparse.Namespace) -> int:
    """Import; returns the exit status."""
    try:
        from edgemoe_golden.importing import GateOptions, import_checkpoint, import_dense
        from edgemoe_golden.quantising.pictures import picture_paths
    except ModuleNotFoundError as error:
        raise ArgumentError(f"importing needs {error.name}; run: {how_to_install('train')}") from error
    require_writable(options.out.parent)
    for folder in options.pictures or ():
        picture_paths(folder)  # said now rather than after the import
    if options.config is None:
        _refuse(options, _ONLY_MOE, "belong to M³ViT's checkpoints, whose sizes --config names")
        report = import_dense(options.source, options.out, dense_options(options))
    else:
        _refuse(options, _ONLY_DENSE, "belong to dense models, which are imported without --config")
        gates = GateOptions(options.gate_order or "auto", options.experts_per_task, options.gate_input_ahead)
        report = import_checkpoint(options.source, load_model_config(options.config), options.out, gates)
    print(_summary(options.out, report, calibrated=bool(options.pictures)))
    if options.pictures:
        parser = argparse.ArgumentParser()
        calibrate.add_arguments(parser)
        folders = [str(folder) for folder in options.pictures]
        return calibrate.main(parser.parse_args([str(options.out), "--pictures", *folders]))
    return 0


def dense_options(options: argparse.Namespace) -> DenseOptions:
    """What the command line says of a dense model; raises ArgumentError for words that are no numbers."""
    from edgemoe_golden.importing import DenseOptions

    mean, deviation = NORMALISATIONS.get(options.pixels, ((), ()))
    labels: tuple[str, ...] = ()
    if options.labels is not None:
        if options.labels.stat().st_size > _MAX_LABEL_BYTES:
            raise ArgumentError(f"{options.labels}: more than {_MAX_LABEL_BYTES:,} bytes are no list of labels")
        try:
            text = options.labels.read_text("utf-8")
        except UnicodeDecodeError:
            raise ArgumentError(f"{options.labels}: no text in UTF-8; expected one class name a line") from None
        labels = tuple(line.strip() for line in text.splitlines() if line.strip())
    return DenseOptions(
        tasks=task_names(options.task) or (),
        size=_size(options.size),
        heads=options.heads,
        mean=_numbers("--mean", options.mean) or mean,
        deviation=_numbers("--deviation", options.deviation) or deviation,
        labels=labels,
        activation=options.activation or "",
        name=options.name or "",
    )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and int(side) for side in sides):
        raise ArgumentError(f"--size {text}: expected HEIGHTxWIDTH in pixels, as in 224x224")
    return int(sides[0]), int(sides[1])


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    try:
        return () if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"{option} {text}: expected numbers separated by commas, as in 0.485,0.456,0.406") from None


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if given:
        raise ArgumentError(f"{', '.join(given)} {why}")


def _verdict(share: float) -> str:
    """What the error against a reference frame says; share: of the variance of the reference's tokens."""
    from edgemoe_golden.importing.importer import SUSPICIOUS

    of_variance = f"{100 * share:.2g} % of the reference's variance"
    if share <= SUSPICIOUS:
        return f"verdict: the same network, its error is {of_variance}"
    return (
        f"warning: suspicious, its error is {of_variance}, where arithmetic alone makes 0.01 %; a small tensor may be "
        f"wrong, such as one bias or ε, or the frame be of another version of the weights"
    )


def _summary(folder: Path, report: ImportReport, calibrated: bool) -> str:
    config, variant = report.config, report.variant
    lines = [f"{folder}: {report.tensors} tensors from {report.layout}, model '{config.name}'", *report.notes]
    numbers = "; ".join(
        f"{what} {', '.join(f'{value:g}' for value in values)}"
        for what, values in (("mean", config.pixel_mean), ("deviation", config.pixel_std))
    )
    lines.append(f"pictures of {config.image_height}×{config.image_width} pixels, {numbers}")
    if report.notes:
        lines.append(f"tasks: {', '.join(f'{task.name} ({task.channels} channels)' for task in config.tasks)}")
    if variant.decoders:
        heads = ", ".join(f"{task} ({channels} channels)" for task, channels in variant.decoders.items())
        lines.append(f"convolutional heads run on the host: {heads}")
    if report.reference_mse is not None:
        lines.append(f"against the reference frame: MSE {report.reference_mse:.3g}, MAE {report.reference_mae:.3g}")
        lines.append(_verdict(report.reference_share or 0.0))
    if not calibrated:
        lines.append(f"next: edgemoe calibrate {folder} --pictures FOLDER_OF_YOUR_PICTURES")
    return "\n".join(lines)
