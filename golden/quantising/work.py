"""What all parts of a network share while it is quantised: tensors, the two streams, and what has been found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.calibration import Range
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import NARROW_LIMIT, W8A8
from edgemoe_golden.quantising.asymmetric import towards
from edgemoe_golden.quantising.experts import FloatArray, second_moment
from edgemoe_golden.quantising.limits import HEADROOM, Grid, Reader, Sample, best_limit
from edgemoe_golden.quantising.network import embedded, normalised
from edgemoe_golden.quantising.options import Options
from edgemoe_golden.quantising.rewrites import State
from edgemoe_golden.quantising.rounding import Rounded, nearest, second_order
from edgemoe_golden.ranges import Histogram

Rule = Callable[[str, Histogram], Range]
Frames = Sequence[NDArray[np.uint8]]


@dataclass
class Found:
    """What a run leaves: the range of every tensor on its grid, that on 16 bits, layers in integers, distributions.

    layers: by name of the layer, experts' as one list. unreached: experts that no picture reached, by block.
    """

    ranges: dict[str, Range] = field(default_factory=dict)
    wide: dict[str, Range] = field(default_factory=dict)
    layers: dict[str, list[Rounded]] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    unreached: dict[int, list[int]] = field(default_factory=dict)


class Work:
    """exact, found [B, N, D]: the streams of the float network and of that on grids, B over tasks, then pictures.

    task, picture [B·N]: of every row. learned [B·N]: rows that statistics are taken of; the others only pass through,
    so that what has been learned can be judged on them. before: both streams before the block. state: float tensors,
    rewritten as parts are reached. unseen_db: SQNR of the stream of those others after each block.
    """

    def __init__(
        self, config: ModelConfig, state: State, frames: Frames, options: Options, rule: Rule, unseen: Frames = ()
    ) -> None:
        self.config, self.options, self.rule = config, options, rule
        self.state = dict(state)
        tasks, pictures, rows = len(config.tasks), len(frames) + len(unseen), config.tokens
        self.exact = embedded(config, state, [*frames, *unseen]).repeat(tasks, 1, 1)
        self.found = self.exact.clone()
        self.task = torch.arange(tasks).repeat_interleave(pictures * rows)
        self.picture = torch.arange(pictures).repeat_interleave(rows).repeat(tasks)
        self.learned = self.picture < len(frames)
        self.residual = Grid(16, 0.0)
        self.before = self.exact, self.found
        self.result = Found()
        self.unseen_db: list[float] = []

    def does(self, step: str) -> bool:
        """Whether a step is switched on."""
        return step in self.options.steps

    @property
    def rewrites(self) -> tuple[bool, bool] | None:
        """Whether zero points and whether scales are wanted; None where neither is."""
        wanted = self.does("zero-points"), self.does("equalise")
        return wanted if any(wanted) else None

    def normalised(self, name: str) -> tuple[Tensor, Tensor]:
        """LayerNorm of both streams as rows [B·N, D]: exact, found."""
        exact, found = (normalised(self.config, self.state, name, each) for each in (self.exact, self.found))
        return exact, found

    def gated(self, exact: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        """What gates read of both streams as rows [B·N, D], given LayerNorm 2 of them."""
        if not self.config.gate_input_ahead:
            return exact, found
        before, own = self.before
        return before.flatten(0, 1), own.flatten(0, 1)

    def sample(self, rows: Tensor) -> Sample:
        """Those of the rows [B·N, features] that statistics are taken of."""
        return Sample(rows[self.learned], self.picture[self.learned], self.learned.nonzero()[:, 0])

    def grid(
        self, tensor: str, sample: Sample, reader: Reader, low: float | None = None, multiple: float | None = None
    ) -> Grid:
        """Choose and keep the grid of an activation tensor, by the error in reader(sample's values).

        low: lower limit of a grid that runs from there up; symmetric with None. multiple: of the largest magnitude that
        the grid reaches, where it has been chosen already.
        """
        histogram = Histogram()
        histogram.add(sample.values.numpy())
        limit = HEADROOM * max(histogram.magnitude, 1e-6)
        bits, wide = self.options.activation_bits(tensor), Range(-limit, limit)
        if bits > W8A8.activation_bits:
            chosen, low = wide, None
        elif self.does("ranges"):
            high = best_limit(sample, reader, low) if multiple is None else multiple * limit / HEADROOM
            chosen = Range(-high if low is None else low, high)
        else:
            chosen = self.rule(tensor, histogram)
        self.result.histograms[tensor] = histogram
        self.result.ranges[tensor], self.result.wide[tensor] = chosen, wide
        return Grid(bits, chosen.magnitude if low is None else chosen.high, None if low is None else chosen.low)

    def rounded(
        self, layer: str, weight: Tensor, bias: Tensor, moment: FloatArray | None, step: float
    ) -> tuple[Rounded, Tensor]:
        """Integers of weight [outputs, inputs], and the weight that they stand for.

        moment: of the inputs, None for rounding to the nearest. step: of the inputs' grid.
        """
        limit = self.options.weight_limit(layer)
        least = np.abs(bias.numpy().astype(np.float64)) / (step * 2.0 ** (W8A8.bias_bits - 2))
        values = weight.numpy().astype(np.float64)
        if moment is None or not self.does("gptq"):
            integers = nearest(values, limit, least)
        else:
            integers = second_order(values, moment, limit, least)
        return integers, torch.from_numpy(integers.weight.astype(np.float32))

    def linear(self, layer: str, inputs: Tensor, grid: Grid, target: Tensor) -> Tensor:
        """Round a layer on its inputs [rows, inputs], and move it towards target [rows, outputs]; its output.

        The mean of output and target over all learned rows becomes the same.
        """
        weight, bias = self.state[f"{layer}.weight"], self.state[f"{layer}.bias"]
        if self.does("asymmetric") and self.options.weight_limit(layer) == NARROW_LIMIT:
            error = target - functional.linear(inputs, weight, bias)
            weight = towards(weight, inputs[self.learned], error[self.learned])
            self.state[f"{layer}.weight"] = weight
        moment = second_moment(inputs[self.learned]) if self.does("gptq") else None
        integers, weight = self.rounded(layer, weight, bias, moment, grid.step)
        output = functional.linear(inputs, weight, bias)
        if self.does("biases"):
            correction = steady_mean((target - output)[self.learned], self.picture[self.learned])
            self.state[f"{layer}.bias"] = bias + correction
            output = output + correction
        self.result.layers[layer] = [integers]
        return output

    def add(self, exact: Tensor, found: Tensor) -> None:
        """Add [B·N, D] to each stream."""
        self.exact = self.exact + exact.view_as(self.exact)
        self.found = self.residual(self.found + found.view_as(self.found))

    def decibels(self, learned: bool) -> float:
        """Mean SQNR of the stream over tasks and pictures, of those learned on or of the others."""
        own = self.learned.view(self.exact.shape[:2])[:, 0] == learned
        exact, error = self.exact[own].double(), (self.exact[own] - self.found[own]).double()
        ratio = exact.square().sum((1, 2)) / error.square().sum((1, 2)).clamp_min(1e-30)
        return float((10 * ratio.log10()).mean())


def halves(frames: Frames) -> tuple[tuple[Frames, Frames], tuple[Frames, Frames]]:
    """Pictures to learn on and others to judge on, both ways round."""
    return (frames[::2], frames[1::2]), (frames[1::2], frames[::2])


def steady_mean(errors: Tensor, picture: Tensor) -> Tensor:
    """Mean error per output, [outputs], of rows [rows, outputs], shrunk where pictures disagree on it.

    With m the mean over pictures and v the variance of that mean as the pictures show it: m·m²/(m² + v).
    """
    count = picture.bincount()
    sums = torch.zeros(len(count), errors.shape[1]).index_add(0, picture, errors)
    means = sums[count > 0] / count[count > 0, None]
    mean = errors.mean(0)
    if len(means) == 1:
        return mean
    variance = means.var(0) / len(means)
    shrunk: Tensor = mean * mean.square() / (mean.square() + variance).clamp_min(1e-20)
    return shrunk
