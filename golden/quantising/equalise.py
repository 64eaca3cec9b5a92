"""Which zero point and which scale every feature gets, for the exact rewrites of `rewrites`.

A zero point is the middle of what a feature takes, so that a symmetric grid serves lopsided features. Scales follow
SmoothQuant (Xiao et al., 2023), s = max|x|^α / max|w|^(1 − α) per feature. What fits some pictures may clip others, so
every candidate, plain ones among them, is made from one half of the pictures and judged on the other half, by the error
that it causes in the output of the next layer; so is the headroom of its limit. The winner is then made from all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from edgemoe_golden.quantising.limits import MULTIPLES, Sample

Kept = TypeVar("Kept")

EXPONENTS = (0.25, 0.5, 0.75, 1.0)
SPREAD = 64.0
"""Scales lie within this factor of their geometric mean: γ and β have one shift for all features."""

TRIED_PICTURES = 8
"""Pictures that candidates are compared on, of many; the winner is made from all of them."""

USUAL_MULTIPLE = 1.25
"""Headroom while zero points and scales are compared."""


@dataclass(frozen=True)
class Rewrite:
    """x' = (x − shift)/scale per feature; multiple: of the largest |x'| seen that a grid should reach."""

    shift: Tensor
    scale: Tensor
    multiple: float = USUAL_MULTIPLE

    def __call__(self, rows: Tensor) -> Tensor:
        """Rows [rows, features] rewritten."""
        return (rows - self.shift) / self.scale

    def limit(self, rows: Tensor) -> Tensor:
        """Limit of a symmetric grid for rows like these."""
        return self(rows).abs().max() * self.multiple


Features = Callable[[Sample], tuple[Tensor, Tensor]]
"""Of a sample: the rows [rows, features] that are rewritten, and the largest magnitude that meets each feature."""

Trial = Callable[[Sample, Sample, Rewrite], float]
"""Error on the second sample with a rewrite and limits from the first."""


def best_rewrite(sample: Sample, features: Features, trial: Trial, shifts: bool, scales: bool) -> Rewrite:
    """The rewrite of least error; shifts, scales: which of the two may be used. Without either, only its headroom."""
    halves = [
        (learn, judge, _candidates(*features(learn), shifts, scales))
        for learn, judge in sample.some(TRIED_PICTURES).halves()
    ]

    def error(place: int, multiple: float) -> float:
        return sum(trial(learn, judge, replace(made[place], multiple=multiple)) for learn, judge, made in halves)

    whole = _candidates(*features(sample), shifts, scales)
    place = min(range(len(whole)), key=lambda index: error(index, USUAL_MULTIPLE))
    multiple = min(MULTIPLES, key=lambda each: error(place, each))
    return replace(whole[place], multiple=multiple)


class Once(Generic[Kept]):
    """Keeps what was made for the same objects: halves of a sample are tried with candidate after candidate."""

    def __init__(self) -> None:
        self._kept: list[tuple[tuple[object, ...], Kept]] = []

    def __call__(self, make: Callable[[], Kept], *of: object) -> Kept:
        """What `make` gave for these objects, which it is called for once."""
        for known, kept in self._kept:
            if all(one is other for one, other in zip(known, of, strict=True)):
                return kept
        self._kept.append((of, make()))
        return self._kept[-1][1]


def _candidates(rows: Tensor, meeting: Tensor, shifts: bool, scales: bool) -> list[Rewrite]:
    none, middle = torch.zeros(rows.shape[1]), (rows.amax(0) + rows.amin(0)) / 2
    made = []
    for shift in (none, middle) if shifts else (none,):
        made.append(Rewrite(shift, torch.ones_like(none)))
        largest = (rows - shift).abs().amax(0).clamp_min(1e-6)
        for exponent in EXPONENTS if scales else ():
            scale = largest**exponent / meeting.clamp_min(1e-6) ** (1 - exponent)
            scale = scale / scale.log().mean().exp()
            made.append(Rewrite(shift, scale.clamp(1 / SPREAD, SPREAD)))
    return made


def nearest_weights(weight: Tensor, limit: int) -> Tensor:
    """Weights [..., outputs, inputs] on the nearest of ±limit steps per output channel."""
    step = weight.abs().amax(-1, keepdim=True).clamp_min(1e-12) / limit
    return (weight / step).round() * step
