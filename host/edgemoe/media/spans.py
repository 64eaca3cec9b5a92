"""Which values get the cold and the warm end of the colours: of one picture, and steady over a video."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.task import TaskConfig

Span = tuple[float, float]

NEAREST_METRES = (200, 100, 50, 30, 20, 15, 10, 7, 5, 4, 3, 2, 1.5, 1, 0.7, 0.5, 0.3, 0.2, 0.1)


def default_span(
    task: TaskConfig,
    output: NDArray[np.float32],
    inner: tuple[int, int, int, int] | None = None,
    size: tuple[int, ...] = (),
) -> Span:
    """Values of channel 0 of C×h×w that get the cold and the warm end of the colours, robust to outliers.

    1/m: 0 to the 99.5 % quantile. Others: 1 % to 99 % quantile, the other way round for m, so that near is warm.
    inner: (left, top, right, bottom), the part of a frame of `size` (height, width) that counts; None: all of it.
    """
    values = output[0]
    if inner is not None:
        scale = (values.shape[1] / size[1], values.shape[0] / size[0]) * 2
        left, top, right, bottom = (round(edge * each) for edge, each in zip(inner, scale, strict=True))
        values = values[top : max(bottom, top + 1), left : max(right, left + 1)]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    if task.unit == "1/m":
        high = float(np.quantile(finite, 0.995))
        return 0.0, high if high > 1e-6 else 1.0
    low, high = (float(value) for value in np.quantile(finite, (0.01, 0.99)))
    if high - low <= 1e-6:
        low, high = low - 0.5, high + 0.5
    return (high, low) if task.unit == "m" else (low, high)


def steady_span(unit: str, before: Span | None, now: Span) -> Span:
    """The span for the next frame of a video: that of the frames before, unless this one leaves it.

    Then it grows, to round values, so that it stays for long; it never shrinks.
    """
    if unit == "1/m":
        metres = 1 / max(now[1], 1e-9)
        near = next((each for each in NEAREST_METRES if metres >= each), metres)
        return 0.0, max(1 / near, before[1] if before else 0.0)
    low, high = min(*now, *(before or now)), max(*now, *(before or now))
    if before is not None and (low, high) == (min(before), max(before)):
        return before
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-9) / 2))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (high, low) if now[0] > now[1] else (low, high)
