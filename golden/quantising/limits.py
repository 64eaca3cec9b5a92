"""Limits of activation grids, by the error that a grid causes in what reads the tensor.

A tensor's own histogram says nothing of which values matter. Here every candidate is tried: the tensor is put on the
grid, its reader (a linear layer, attention) is computed, and the reader's error counts, per picture in units of its
output. A limit is a multiple of the largest value that *other* pictures have (leave one out), so that a candidate is
judged on pictures that its limit has not seen; all pictures then give the limit that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgemoe.spec.precision import W8A8, WIDE_LIMIT

Reader = Callable[[Tensor], Tensor]

MULTIPLES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
"""Candidates, in units of the largest value seen."""

HEADROOM = 2.0
"""Of 16-bit grids: a bit of 16 buys that no unseen picture is clipped."""

SMALLEST = 1e-6
WIDE_BITS = 16


@dataclass(frozen=True)
class Grid:
    """Even levels: codes of `bits` bits times step, symmetric, or from `low` up (GELU outputs; 0 is then a level)."""

    bits: int
    high: float
    low: float | None = None

    @property
    def step(self) -> float:
        """Real value of one code."""
        high = max(self.high, SMALLEST)
        return high / _top(self.bits) if self.low is None else (high - self.low) / (2**self.bits - 1)

    def __call__(self, values: Tensor) -> Tensor:
        """Values on the grid."""
        return on_grid(values, torch.tensor(self.high), self.low, self.bits)


def _top(bits: int) -> int:
    """Largest code of a symmetric grid; one of 16 bits is two digits of 8."""
    return WIDE_LIMIT if bits == WIDE_BITS else 2 ** (bits - 1) - 1


def on_grid(values: Tensor, high: Tensor, low: float | None, bits: int) -> Tensor:
    """Values on a symmetric grid of ±high, or on one of low … high with 0 among its levels; high broadcasts."""
    if low is None:
        top = _top(bits)
        step = high.clamp_min(SMALLEST) / top
        symmetric: Tensor = torch.clamp((values / step).round(), -top, top) * step
        return symmetric
    top = 2 ** (bits - 1) - 1
    step = (high.clamp_min(SMALLEST) - low) / (2**bits - 1)
    zero = -(top + 1) - torch.round(low / step)
    codes = torch.clamp((values / step).round() + zero, -top - 1, top) - zero
    asymmetric: Tensor = codes * step
    return asymmetric


@dataclass(frozen=True)
class Sample:
    """A tensor's values [rows, features]; of every row its picture, and where it stands in the streams, [rows] each."""

    values: Tensor
    picture: Tensor
    row: Tensor

    def halves(self) -> list[tuple[Sample, Sample]]:
        """Every other picture against those in between, both ways round; all against all where there is one."""
        kinds = torch.tensor(sorted(set(self.picture.tolist())))
        first = torch.isin(self.picture, kinds[::2])
        if len(kinds) == 1:
            return [(self, self)]
        one, other = (Sample(self.values[own], self.picture[own], self.row[own]) for own in (first, ~first))
        return [(one, other), (other, one)]

    def some(self, most: int) -> Sample:
        """Rows of at most so many pictures, evenly chosen."""
        kinds = torch.tensor(sorted(set(self.picture.tolist())))
        if len(kinds) <= most:
            return self
        own = torch.isin(self.picture, kinds[torch.linspace(0, len(kinds) - 1, most).long()])
        return Sample(self.values[own], self.picture[own], self.row[own])

    def largest(self, magnitudes: bool) -> Tensor:
        """Largest value, or magnitude, of every picture, [pictures], at least 0."""
        rows = self.values.abs() if magnitudes else self.values
        start = torch.zeros(int(self.picture.max()) + 1)
        return start.scatter_reduce(0, self.picture, rows.amax(dim=1), "amax", include_self=True)

    def lowest(self) -> float:
        """Smallest value, at most 0: where the grid of a GELU's outputs begins."""
        return min(float(self.values.min()), 0.0)


def others_largest(largest: Tensor) -> Tensor:
    """For every picture the largest value of all others; its own where there is no other."""
    if len(largest) == 1:
        return largest
    top = largest.topk(2)
    others = torch.where(torch.arange(len(largest)) == top.indices[0], top.values[1], top.values[0])
    return torch.where(others > 0, others, largest)


def relative_errors(found: Tensor, wanted: Tensor, picture: Tensor) -> Tensor:
    """Σ (found − wanted)² / Σ wanted² of every picture, [pictures]; rows belong to `picture`."""
    count = int(picture.max()) + 1
    error = torch.zeros(count).index_add(0, picture, (found - wanted).square().sum(1))
    power = torch.zeros(count).index_add(0, picture, wanted.square().sum(1))
    return error / power.clamp_min(1e-20)


def best_limit(sample: Sample, reader: Reader, low: float | None = None) -> float:
    """The upper limit of least error in reader(values) [rows, outputs] on a grid of 8 bits.

    low: lower limit of a grid that runs from there up; symmetric with None.
    """
    largest = sample.largest(magnitudes=low is None)
    whole = float(largest.max())
    others, wanted = others_largest(largest), reader(sample.values)
    best, chosen = float("inf"), 1.0
    for multiple in MULTIPLES:
        high = (others * multiple)[sample.picture][:, None]
        found = reader(on_grid(sample.values, high, low, W8A8.activation_bits))
        error = float(relative_errors(found, wanted, sample.picture).sum())
        if error < best:
            best, chosen = error, multiple
    return max(chosen * whole, SMALLEST)
