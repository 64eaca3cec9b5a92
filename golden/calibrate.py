"""Measure the value ranges of all activations: `python -m golden.calibrate models/mini --scenes 64`.

Runs the float model on drawn scenes, every task, and writes `calibration.json` beside the weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from edgemoe.spec.calibration import CALIBRATION_VERSION, Calibration, Range, calibrated_tensors
from edgemoe.spec.checkpoint import CALIBRATION_FILE
from edgemoe.spec.strict import to_dict
from golden.files import write_text
from golden.model import M3ViT, Recorder, load_checkpoint_model
from golden.model.recorder import calibrated_name
from golden.ranges import Histogram, asymmetric_range, symmetric_range, widened_limits, widened_range
from golden.scenes import TRAINING_SEEDS, draw_scene

RESIDUAL_MARGIN = 1.25
"""W8A8 residual stream: 16 bits have room, and a clipped residual would spoil all later blocks."""

FINE_MARGIN = 1.5
"""W16A16: one bit at most of 16 is given for never clipping an unseen picture."""

# Training scenes, so that validation scenes stay unseen by everything that shapes the shipped model.
CALIBRATION_SEEDS = TRAINING_SEEDS[-100_000:]


class RangeRecorder(Recorder):
    """Gathers one histogram per calibrated tensor over any number of forward passes."""

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}

    def record(self, name: str, value: Tensor) -> None:
        """Add one activation to its histogram; gate values need no range."""
        tensor = calibrated_name(name)
        if tensor is not None and value.numel():
            self.histograms.setdefault(tensor, Histogram()).add(value.detach().float().numpy())


def coarse_range(name: str, histogram: Histogram) -> Range:
    """Range of one tensor for W8A8."""
    if name == "residual":
        return widened_range(histogram, RESIDUAL_MARGIN)
    if name.endswith(".scores"):
        return widened_range(histogram, 1.0)
    if name.endswith(".hidden"):
        return asymmetric_range(histogram)
    return symmetric_range(histogram)


def fine_range(name: str, histogram: Histogram) -> Range:
    """Range of one tensor for W16A16."""
    if name.endswith(".hidden"):
        return widened_limits(histogram, FINE_MARGIN)
    return widened_range(histogram, FINE_MARGIN)


def calibrate(model: M3ViT, scenes: int) -> Calibration:
    """Ranges of all tensors, over all tasks, on the first `scenes` calibration scenes.

    Raises ValueError when no scene is asked for or an activation is not finite.
    """
    if not 1 <= scenes <= len(CALIBRATION_SEEDS):
        raise ValueError(f"--scenes {scenes}: calibration needs 1 … {len(CALIBRATION_SEEDS)} scenes")
    config = model.config
    recorder = RangeRecorder()
    seeds = CALIBRATION_SEEDS[:scenes]
    for seed in tqdm(seeds, desc="calibrating", unit="scene"):
        image = torch.from_numpy(draw_scene(seed, config.image_height, config.image_width).image)[None]
        with torch.inference_mode():
            for task in config.tasks:
                model(image, task.name, recorder)
    ranges: dict[str, dict[str, Range]] = {"w8a8": {}, "w16a16": {}}
    for name in calibrated_tensors(config):
        histogram = recorder.histograms[name]
        ranges["w8a8"][name] = coarse_range(name, histogram)
        ranges["w16a16"][name] = fine_range(name, histogram)
    return Calibration(
        version=CALIBRATION_VERSION,
        model_hash=config.hash(),
        provenance=f"golden.calibrate on drawn scenes {seeds[0]} … {seeds[-1]}, all tasks of '{config.name}'",
        ranges=ranges,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `calibration.json` into a checkpoint folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder with config.json and weights.safetensors")
    parser.add_argument("--scenes", type=int, default=64, help="pictures to look at (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    calibration = calibrate(load_checkpoint_model(options.checkpoint), options.scenes)
    path = options.checkpoint / CALIBRATION_FILE
    write_text(path, json.dumps(to_dict(calibration), indent=1) + "\n")
    print(f"{path}: {len(calibration.ranges['w8a8'])} tensors, {options.scenes} scenes")


if __name__ == "__main__":
    main()
