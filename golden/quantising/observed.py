"""The float network on pictures: distributions of all activations, and ranges by a tensor's own distribution."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from edgemoe.errors import ArgumentError
from edgemoe.spec.calibration import CALIBRATION_VERSION, Calibration, Range, calibrated_tensors
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import model_pixels
from edgemoe_golden.model import M3ViT, Recorder
from edgemoe_golden.model.recorder import calibrated_name
from edgemoe_golden.ranges import RULES, Histogram, widened_limits, widened_range

RESIDUAL_MARGIN = 1.25
"""W8A8 residual stream: 16 bits have room, and a clipped residual would spoil all later blocks."""

FINE_MARGIN = 1.5
"""W16A16: one bit at most of 16 is given for never clipping an unseen picture."""

DEFAULT_RULE = "least-error"

Histograms = dict[str, Histogram]


class RangeRecorder(Recorder):
    """Gathers one histogram per calibrated tensor over any number of forward passes."""

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}

    def record(self, name: str, value: Tensor) -> None:
        """Add one activation to its histogram; gate values need no range."""
        tensor = calibrated_name(name)
        if tensor is not None and value.numel():
            try:
                self.histograms.setdefault(tensor, Histogram()).add(value.detach().float().numpy())
            except ArgumentError as error:
                raise ArgumentError(f"tensor '{tensor}': {error}; are these the weights that were trained?") from error


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


def observe(model: M3ViT, frames: Iterable[NDArray[np.uint8]], count: int) -> Histograms:
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
