"""Value ranges from observed activations: which range an 8-bit or 16-bit quantiser should represent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.spec.calibration import Range

BINS = 4096
"""Histogram bins per power-of-two span: 1/4096 of the span is far below a step of 8 bits."""

CLIP_CANDIDATES = 96
"""Clipping limits tried, evenly from the observed limit down to 1/4 of it."""

SMALLEST_CLIP = 0.25

PERCENTILE = 0.9999


class Histogram:
    """Distribution of one tensor, added to batch by batch; the span doubles when values outgrow it.

    low, high: exact observed limits. power: exact sum of squares. count: of values.
    """

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self.power, self.count = 0.0, 0
        self._span = 2.0**-20
        self._counts = np.zeros(BINS, dtype=np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count finite values; raises ArgumentError when one is not."""
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise ArgumentError("an activation is NaN or infinite")
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.power += float(np.square(values, dtype=np.float64).sum())
        self.count += values.size
        while max(abs(low), abs(high)) >= self._span:
            self._widen()
        index = ((values.ravel() + self._span) * (BINS / (2 * self._span))).astype(np.int64)
        self._counts += np.bincount(index.clip(0, BINS - 1), minlength=BINS)

    def _widen(self) -> None:
        """Double the span: pairs of bins become one, in the middle half."""
        merged = self._counts.reshape(-1, 2).sum(axis=1)
        self._counts = np.zeros(BINS, dtype=np.int64)
        self._counts[BINS // 4 : BINS // 4 + BINS // 2] = merged
        self._span *= 2

    @property
    def magnitude(self) -> float:
        """Largest absolute value seen."""
        return max(abs(self.low), abs(self.high))

    def squared_error(self, low: float, high: float, steps: int) -> float:
        """Sum of squared errors of a quantiser with `steps` + 1 even levels from low to high.

        Within the range a step of width w costs w²/12 per value (even spread within a step); outside, the distance to
        the nearest level counts.
        """
        centers, counts = self.bins()
        excess = np.maximum(np.maximum(low - centers, centers - high), 0)
        step = (high - low) / steps
        return float((counts * np.where(excess > 0, excess**2, step * step / 12)).sum())

    def bins(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Centre of every bin, and how many values are in it."""
        width = 2 * self._span / BINS
        return np.linspace(width / 2 - self._span, self._span - width / 2, BINS, dtype=np.float64), self._counts

    def clipped(self, low: float, high: float) -> float:
        """Share of values outside low … high; within a bin, values are spread evenly over what was seen of it."""
        centers, counts = self.bins()
        half = self._span / BINS
        left, right = np.maximum(centers - half, self.low), np.minimum(centers + half, self.high)
        width = np.maximum(right - left, 1e-12 * self._span)
        outside = np.clip((low - left) / width, 0, 1) + np.clip((right - high) / width, 0, 1)
        return float((counts * np.minimum(outside, 1)).sum() / self.count)

    def quantile(self, share: float) -> float:
        """Value that a share of all values does not exceed."""
        centers, counts = self.bins()
        place = int(np.searchsorted(counts.cumsum(), share * self.count))
        return float(np.clip(centers[min(place, BINS - 1)], self.low, self.high))


def symmetric_range(histogram: Histogram) -> Range:
    """−c … c for int8 (254 steps), with the clipping limit c of least squared error."""
    limits = histogram.magnitude * np.linspace(1, SMALLEST_CLIP, CLIP_CANDIDATES)
    best = min(limits, key=lambda limit: histogram.squared_error(-limit, limit, 254))
    return Range(-float(best), float(best))


def asymmetric_range(histogram: Histogram) -> Range:
    """Observed low … clipped high for 256 levels (255 steps), with the upper limit of least squared error.

    Made for GELU outputs: their lower limit, −0.17, is reached by many values, so only the upper tail is clipped.
    """
    low = min(histogram.low, 0.0)
    limits = max(histogram.high, 0.0) * np.linspace(1, SMALLEST_CLIP, CLIP_CANDIDATES)
    best = min(limits, key=lambda limit: histogram.squared_error(low, limit, 255))
    return Range(float(low), float(best))


def widened_range(histogram: Histogram, margin: float) -> Range:
    """−c … c with c the largest value seen times `margin`: nothing seen is clipped."""
    limit = histogram.magnitude * margin
    return Range(-limit, limit)


def widened_limits(histogram: Histogram, margin: float) -> Range:
    """Both observed limits times `margin`, with 0 inside: for quantisers whose levels run from low to high."""
    return Range(min(histogram.low, 0.0) * margin, max(histogram.high, 0.0) * margin)


def percentile_range(histogram: Histogram) -> Range:
    """−c … c with c such that `PERCENTILE` of all values lie inside on either side."""
    limit = max(abs(histogram.quantile(1 - PERCENTILE)), abs(histogram.quantile(PERCENTILE)))
    return Range(-limit, limit)


def percentile_limits(histogram: Histogram) -> Range:
    """Observed low … the `PERCENTILE` quantile, for GELU outputs."""
    return Range(min(histogram.low, 0.0), max(histogram.quantile(PERCENTILE), 0.0))


RangeRule = Callable[[Histogram], Range]

RULES: dict[str, tuple[RangeRule, RangeRule]] = {
    "least-error": (symmetric_range, asymmetric_range),
    "largest": (lambda seen: widened_range(seen, 1.0), lambda seen: widened_limits(seen, 1.0)),
    "percentile": (percentile_range, percentile_limits),
}
"""Name → the rule for symmetric 8-bit grids, and the one for the hidden layer's, which run from low to high."""
