"""Requantise: from accumulator scale to a narrower integer, `saturate(round_shift(x·M, S))`.

The one rounding of the whole machine is `round_shift`: half up, towards +∞.

    x      S = 1      x      S = 2
    −3  →  −1         −6  →  −1
    −2  →  −1         −5  →  −1
    −1  →   0         −3  →  −1
     1  →   1         −2  →   0
     3  →   2          2  →   1
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.precision import WIDE_LIMIT, Precision

IntArray = NDArray[np.int64]


def round_shift(values: IntArray, shift: IntArray | int) -> IntArray:
    """⌊(values + 2^(shift−1)) / 2^shift⌋, or `values` where shift is 0.

    values: int64 with |values| + 2^(shift−1) < 2^63. shift: 0 … 62, a number or an array that broadcasts.
    """
    if isinstance(shift, int):
        return values if shift == 0 else (values + (1 << (shift - 1))) >> shift
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), np.int64(0))
    return (values + half) >> shift


def saturate(values: IntArray, bits: int) -> IntArray:
    """Clip to the signed range of `bits` bits."""
    return np.clip(values, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def saturate_activations(values: IntArray, wide: bool, precision: Precision) -> IntArray:
    """Clip to what an activation holds: activation_bits, or ±WIDE_LIMIT when it is 16 bits wide in a W8A8 build."""
    return np.clip(values, -WIDE_LIMIT, WIDE_LIMIT) if wide else saturate(values, precision.activation_bits)


def requantise(values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int) -> IntArray:
    """saturate(round_shift(values·multiplier, shift)) to `bits` signed bits.

    values: accumulators, |values| < 2^46. multiplier: 0 … 2^16 − 1; with shift, a number or broadcastable arrays
    (one per output channel, or one per row).
    """
    return saturate(round_shift(values * multiplier, shift), bits)
