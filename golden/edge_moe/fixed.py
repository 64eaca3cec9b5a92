"""Fixed point as Edge-MoE declares it: every value is an integer, its format says how many fraction bits it has.

All conversions cut towards minus infinity (AP_TRN) and wrap around on overflow (AP_WRAP); nothing saturates, nothing is
rounded to nearest. Section B6, opening and "Formats", of the notes in docs/evidence/arithmetic_comparison.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_EXACT = 2**53  # float64 holds every integer up to here


@dataclass(frozen=True)
class Format:
    """A signed number of `bits`, `fraction` of them behind the point: ap_fixed<bits, bits − fraction>."""

    bits: int
    fraction: int

    @property
    def limit(self) -> float:
        """Values lie in −limit … below limit."""
        return float(2.0 ** (self.bits - 1 - self.fraction))


FEATURE = Format(32, 22)  # fm_t, Q10.22: tokens and everything computed from them, the position embedding
WEIGHT = Format(16, 14)  # Q2.14: linear layers, attention, gate, experts
ATTENTION_BIAS = Format(16, 9)  # Q7.9: QKV and projection
BIAS = Format(16, 11)  # Q5.11: all other biases
NORM_WEIGHT = Format(16, 11)  # Q5.11
PATCH_WEIGHT = Format(16, 16)  # Q0.16
PIXEL_FRACTION = 8  # unsigned Q0.8: the byte itself

ONE = 1 << FEATURE.fraction


def wrap(values: IntArray, bits: int = FEATURE.bits) -> IntArray:
    """What `bits` bits in two's complement keep of int64 values."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def to_fixed(values: NDArray[np.floating], form: Format) -> IntArray:
    """Real values cut down to a format and wrapped; raises ArgumentError unless they are finite and within ±2^30."""
    real = np.asarray(values, dtype=np.float64)
    if not np.isfinite(real).all() or (np.abs(real) >= 2.0**30).any():
        raise ArgumentError("fixed point needs finite values within ±2^30")
    return wrap(np.floor(real * 2.0**form.fraction).astype(np.int64), form.bits)


def outside(values: NDArray[np.floating], form: Format) -> int:
    """How many values a format cannot hold and therefore wraps."""
    real = np.asarray(values, dtype=np.float64)
    return int(((real < -form.limit) | (real >= form.limit)).sum())


def to_real(values: IntArray, form: Format = FEATURE) -> FloatArray:
    """The real values of integers, exact."""
    return values / 2.0**form.fraction


def product(left: IntArray, right: IntArray | np.int64, shift: int = FEATURE.fraction) -> IntArray:
    """⌊left·right / 2^shift⌋, wrapped to Q10.22; both within 32 bits, so that the product fits int64."""
    return wrap((left * right) >> shift)


def sum_of_products(values: IntArray, weight: NDArray[np.int16], shift: int) -> IntArray:
    """Σ_k ⌊values[n, k]·weight[o, k] / 2^shift⌋ for all n, o: every product cut, the sum exact and not yet wrapped.

    values [N, K] within 32 bits; weight [O, K]; shift 1 … 14. Split values = h·2^shift + l with 0 ≤ l < 2^shift: then
    ⌊v·w / 2^shift⌋ = h·w + ⌊l·w / 2^shift⌋. Σ h·w is a float64 matrix product of integers that stays below 2^53, so
    it is exact in any order; l·w < 2^29 and sums of ⌊l·w / 2^shift⌋ < 2^15 fit int32. Raises ArgumentError beyond that.
    """
    rows, inputs = values.shape
    high, low = values >> shift, (values & ((1 << shift) - 1)).astype(np.int32)
    if not 1 <= shift <= 14 or inputs >= 1 << 16 or (int(np.abs(high).max(initial=0)) * inputs) << 15 > _EXACT:
        raise ArgumentError(f"{inputs} products cut by {shift} bits cannot be summed exactly")
    coarse = (high.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)
    wide = weight.astype(np.int32)
    products = np.empty_like(wide)
    fine = np.empty((rows, len(weight)), dtype=np.int32)
    for row in range(rows):
        np.multiply(low[row], wide, out=products)
        np.right_shift(products, shift, out=products)
        np.add.reduce(products, axis=1, dtype=np.int32, out=fine[row])
    return coarse + fine
