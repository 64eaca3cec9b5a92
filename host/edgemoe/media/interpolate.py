"""Separable bilinear sampling, vectorised; pixel centres lie at half-integers (align_corners False)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Coordinates = NDArray[np.floating]


def centres(source: int, target: int) -> Coordinates:
    """Coordinates in a row of `source` samples at which `target` equally wide pixels have their centres.

    (i + ½)·source/target − ½, not clipped: values below 0 and above source − 1 occur at the borders.
    """
    return (np.arange(target) + 0.5) * (source / target) - 0.5


def bilinear(values: NDArray[np.floating], rows: Coordinates, columns: Coordinates) -> FloatArray:
    """Sample …×h×w at every (row, column) of a grid; coordinates outside repeat the border. float32 …×R×C."""
    down = _blend(np.asarray(values, dtype=np.float32), rows, axis=-2)
    return _blend(down, columns, axis=-1)


def upsample(values: NDArray[np.floating], height: int, width: int) -> FloatArray:
    """Bilinear …×h×w → float32 …×height×width, align_corners False, borders repeated."""
    return bilinear(values, centres(values.shape[-2], height), centres(values.shape[-1], width))


def _blend(values: FloatArray, positions: Coordinates, axis: int) -> FloatArray:
    size = values.shape[axis]
    position = np.clip(positions, 0, size - 1)
    low = np.floor(position).astype(np.intp)
    high = np.minimum(low + 1, size - 1)
    share = (position - low).astype(np.float32)
    if axis == -2:
        share = share[:, None]
    first, second = np.take(values, low, axis=axis), np.take(values, high, axis=axis)
    blended: FloatArray = first + (second - first) * share
    return blended
