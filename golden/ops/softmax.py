"""Single-pass softmax, free of order: scores are read once, e = exp2(t − m) goes straight into P·V and Σe.

m is the running maximum in whole octaves, m = max ⌈t⌉, complete when the last score has been written; e is unsigned
with exponential_bits, its sum is divided out once per row. No separate maximum, exponential or normalising sweep.
Base 2 and integer octaves: after Softermax (Stevens et al., 2021), here without rescaling of partial sums.
"""

from __future__ import annotations

import numpy as np

from edgemoe.spec.precision import GATE_FRACTION, Precision
from edgemoe.spec.tables import FINE_HALF_BITS, exp2_table, fine_exp2_high_table, fine_exp2_low_table
from edgemoe_golden.ops.requantise import IntArray

_FINE_PRODUCT_SHIFT = 16  # the low factor's table is Q.16


def octave_maximum(scores: IntArray, fraction: int) -> IntArray:
    """m = max ⌈t⌉ over the last axis, kept as an axis of 1; scores t in Q.fraction."""
    return np.asarray((scores.max(axis=-1, keepdims=True) + (1 << fraction) - 1) >> fraction)


def exponential(scores: IntArray, precision: Precision) -> IntArray:
    """e = exp2(t − m) of attention scores [..., keys], unsigned of exponential_bits.

    W8A8: round_shift(T[d mod 2^f], d div 2^f) with d = m·2^f − t. W16A16: see `fine_exponential`.
    """
    fraction = precision.score_fraction
    if precision.fine:
        return fine_exponential(scores)
    distance = (octave_maximum(scores, fraction) << fraction) - scores
    entries = exp2_table(precision)[distance & ((1 << fraction) - 1)]
    return _shifted(entries, distance >> fraction, precision.exponential_bits)


def fine_exponential(scores: IntArray) -> IntArray:
    """e = exp2(t − m), 16 bits, scores in Q.12: round_shift(high[d₁]·low[d₀], 16 + octaves), two 64-entry tables.

    Used by W16A16 attention and by the gate in both precisions.
    """
    distance = (octave_maximum(scores, GATE_FRACTION) << GATE_FRACTION) - scores
    low_mask = (1 << FINE_HALF_BITS) - 1
    high = fine_exp2_high_table()[(distance >> FINE_HALF_BITS) & low_mask]
    product = high * fine_exp2_low_table()[distance & low_mask]
    return _shifted(product, _FINE_PRODUCT_SHIFT + (distance >> GATE_FRACTION), 33)


def _shifted(values: IntArray, shift: IntArray, bits: int) -> IntArray:
    """round_shift by a shift of any size: beyond `bits` + 1 nothing is left."""
    shift = np.minimum(shift, bits + 1)
    half = (np.int64(1) << shift) >> 1
    return (values + half) >> shift


def reciprocal(total: IntArray, precision: Precision) -> tuple[IntArray, IntArray]:
    """(R, L) with 1/total ≈ R·2^−(L + b − 1): L = bit length, R = ⌊(2^(L+b−1) − 1)/total⌋ of b = reciprocal_bits.

    total ≥ 1 (the largest score always contributes). Exact floor division: a serial divider, once per row and head.
    """
    length = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    return ((np.int64(1) << (length + precision.reciprocal_bits - 1)) - 1) // total, length
