"""Measure the value ranges of all activations: `python -m edgemoe_golden.calibrate models/mini --scenes 64`.

Runs the float model on pictures, every task, writes `calibration.json` beside the weights, and says which tensors lose
how much: a table, a JSON report, and a drawing of the worst tensor. See docs/evidence/calibration.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.spec.calibration import (
    CALIBRATION_VERSION,
    Calibration,
    Range,
    calibrated_tensors,
    load_calibration,
)
from edgemoe.spec.checkpoint import CALIBRATION_FILE
from edgemoe.spec.files import write_text
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import model_pixels
from edgemoe.spec.precision import W8A8, precision_named
from edgemoe.spec.strict import to_dict
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.calibration_report import WORST_SHOWN, Loss, losses, table, weight_losses, write_report
from edgemoe_golden.model import M3ViT, Recorder, load_checkpoint_model
from edgemoe_golden.model.recorder import calibrated_name
from edgemoe_golden.ranges import RULES, Histogram, widened_limits, widened_range
from edgemoe_golden.scenes import TRAINING_SEEDS, draw_scene

RESIDUAL_MARGIN = 1.25
"""W8A8 residual stream: 16 bits have room, and a clipped residual would spoil all later blocks."""

FINE_MARGIN = 1.5
"""W16A16: one bit at most of 16 is given for never clipping an unseen picture."""

# Training scenes, so that validation scenes stay unseen by everything that shapes the shipped model.
CALIBRATION_SEEDS = TRAINING_SEEDS[-100_000:]

DEFAULT_RULE = "least-error"
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

Histograms = dict[str, Histogram]


class RangeRecorder(Recorder):
    """Gathers one histogram per calibrated tensor over any number of forward passes."""

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}

    def record(self, name: str, value: Tensor) -> None:
        """Add one activation to its histogram; gate values need no range."""
        tensor = calibrated_name(name)
        if tensor is not None and value.numel():
            self.histograms.setdefault(tensor, Histogram()).add(value.detach().float().numpy())


def coarse_range(name: str, histogram: Histogram, rule: str = DEFAULT_RULE) -> Range:
    """Range of one tensor for W8A8; the rule chooses for all tensors of 8 bits."""
    symmetric, hidden = RULES[rule]
    if name == "residual":
        return widened_range(histogram, RESIDUAL_MARGIN)
    if name.endswith(".scores"):
        return widened_range(histogram, 1.0)
    return hidden(histogram) if name.endswith(".hidden") else symmetric(histogram)


def fine_range(name: str, histogram: Histogram) -> Range:
    """Range of one tensor for W16A16."""
    if name.endswith(".hidden"):
        return widened_limits(histogram, FINE_MARGIN)
    return widened_range(histogram, FINE_MARGIN)


def drawn_frames(config: ModelConfig, scenes: int) -> Iterator[NDArray[np.uint8]]:
    """The first `scenes` calibration scenes; raises ArgumentError when there are not so many."""
    if not 1 <= scenes <= len(CALIBRATION_SEEDS):
        raise ArgumentError(f"--scenes {scenes}: calibration needs 1 … {len(CALIBRATION_SEEDS)} scenes")
    return (draw_scene(seed, config.image_height, config.image_width).image for seed in CALIBRATION_SEEDS[:scenes])


def picture_paths(folder: Path) -> list[Path]:
    """All pictures of a folder; raises ArgumentError when there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise ArgumentError(f"{folder}: no pictures; expected files ending in {', '.join(PICTURE_SUFFIXES)}")
    return paths


def picture_frames(config: ModelConfig, paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """The pictures at the model's size; raises ArgumentError for one that cannot be read."""
    for path in paths:
        try:
            picture = Image.open(path).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise ArgumentError(f"{path}: not a readable picture") from error
        size = config.image_width, config.image_height
        yield np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def observe(model: M3ViT, frames: Iterator[NDArray[np.uint8]], count: int) -> Histograms:
    """Distribution of every calibrated tensor over all tasks; raises ArgumentError when an activation is not finite."""
    recorder = RangeRecorder()
    for frame in tqdm(frames, desc="calibrating", unit="picture", total=count):
        with torch.inference_mode():
            for task in model.config.tasks:
                model(torch.from_numpy(model_pixels(frame, model.config).copy())[None], task.name, recorder)
    return recorder.histograms


def calibration_of(config: ModelConfig, histograms: Histograms, provenance: str, rule: str) -> Calibration:
    """Ranges of all tensors in both precisions."""
    ranges: dict[str, dict[str, Range]] = {"w8a8": {}, "w16a16": {}}
    for name in calibrated_tensors(config):
        ranges["w8a8"][name] = coarse_range(name, histograms[name], rule)
        ranges["w16a16"][name] = fine_range(name, histograms[name])
    return Calibration(CALIBRATION_VERSION, config.hash(), f"{provenance}, all tasks of '{config.name}'", ranges)


def scenes_provenance(scenes: int) -> str:
    """Which scenes were looked at."""
    return f"edgemoe_golden.calibrate on drawn scenes {CALIBRATION_SEEDS[0]} … {CALIBRATION_SEEDS[scenes - 1]}"


def calibrate(model: M3ViT, scenes: int) -> Calibration:
    """Calibration on drawn scenes by the default rule.

    Raises ArgumentError when no scene is asked for or an activation is not finite.
    """
    histograms = observe(model, drawn_frames(model.config, scenes), scenes)
    return calibration_of(model.config, histograms, scenes_provenance(scenes), DEFAULT_RULE)


def rule_comparison(config: ModelConfig, histograms: Histograms) -> str:
    """Least and mean SQNR of the 8-bit activations by every rule."""
    rows = []
    for rule in RULES:
        calibration = calibration_of(config, histograms, "", rule)
        coarse = [loss for loss in losses(config, calibration, histograms) if loss.precision == "w8a8"]
        own = [loss for loss in coarse if loss.bits == W8A8.activation_bits]
        sqnr, clipped = [loss.sqnr_db for loss in own], [loss.clipped for loss in own]
        rows.append((rule, min(sqnr), float(np.mean(sqnr)), 100 * float(np.mean(clipped))))
    heads = ("rule, w8a8 on 8 bits", "least dB", "mean dB", "clipped %")
    return tabulate(rows, heads, "plain", floatfmt=("", ".1f", ".1f", ".4f"))


def gate_comparison(config: ModelConfig, found: Sequence[Loss]) -> str:
    """What the gates' own 16-bit input saves over the experts' 8 bits of the same tensor."""
    sqnr = {loss.tensor: loss.sqnr_db for loss in found if loss.precision == "w8a8"}
    names = [(f"blocks.{block}.gate.input", f"blocks.{block}.norm2") for block in config.moe_blocks]
    rows = [(gate, sqnr[gate], sqnr[experts]) for gate, experts in names]
    return tabulate(rows, ("gate, w8a8", "on 16 bits, dB", "on 8, dB"), "plain", floatfmt=".1f")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `calibration.json` into a checkpoint folder, and the report."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe_golden.calibrate", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder with config.json and weights.safetensors")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--scenes", type=int, default=64, help="drawn scenes to look at (default: %(default)s)")
    source.add_argument("--pictures", type=Path, help="folder of pictures to look at instead")
    ranges = parser.add_mutually_exclusive_group()
    ranges.add_argument("--rule", choices=list(RULES), default=DEFAULT_RULE, help="of 8-bit ranges (%(default)s)")
    ranges.add_argument("--keep", action="store_true", help="report on the ranges that are there, write no new ones")
    parser.add_argument("--all", action="store_true", help="print every tensor, not only the worst")
    parser.add_argument("--report", type=Path, default=Path("build/reports"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        print(_calibrate_folder(options))
    except (EdgeMoeError, OSError) as error:
        parser.exit(1, f"{error}\n")


def _calibrate_folder(options: argparse.Namespace) -> str:
    """Measure, write, and say what was written."""
    folder: Path = options.checkpoint
    path = folder / CALIBRATION_FILE
    model = load_checkpoint_model(folder)
    config = model.config
    kept = load_calibration(path, config) if options.keep else None
    if options.pictures is not None:
        pictures = picture_paths(options.pictures)
        histograms = observe(model, picture_frames(config, pictures), len(pictures))
        provenance = f"edgemoe_golden.calibrate on {len(pictures)} pictures of '{options.pictures.name}'"
    else:
        histograms = observe(model, drawn_frames(config, options.scenes), options.scenes)
        provenance = scenes_provenance(options.scenes)
    calibration = kept or calibration_of(config, histograms, provenance, options.rule)
    activations = losses(config, calibration, histograms)
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    weights = [loss for name in calibration.ranges for loss in weight_losses(config, tensors, precision_named(name))]
    rows = None if options.all else WORST_SHOWN
    print(f"activations\n{table(activations, rows)}\n\nweights\n{table(weights, rows)}\n")
    print(f"{gate_comparison(config, activations)}\n\n{rule_comparison(config, histograms)}\n")
    shown = write_report(options.report, folder.name, activations + weights, histograms)
    count = len(calibration.ranges["w8a8"])
    if kept:
        return f"{path}: {count} ranges, kept as they are; {shown}"
    write_text(path, json.dumps(to_dict(calibration), indent=1) + "\n")
    return f"{path}: {count} ranges by rule '{options.rule}'; {shown}"


if __name__ == "__main__":
    main()
