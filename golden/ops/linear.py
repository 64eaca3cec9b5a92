"""Linear layers on the unified compute unit: accumulate, add the bias, then one of four epilogues.

acc[row, o] = bias[o] + Σ_i x[row, i]·w[o, i]
activation:  saturate(round_shift(acc·M[o], S[o]))                          QKV, heads
gelu:        GELU of saturate(round_shift(acc·M[o], S[o])) in Q.gelu_fraction, scaled to the hidden grid
residual:    saturate(residual + round_shift(acc·M[o], S[o]))
weighted:    saturate(residual + round_shift(y·score, 20)), y with 4 guard bits  (experts)

Wide activations (16 bits in a W8A8 build) are two signed digits, x = 256·high + low, which the array multiplies one
after the other; the two sums are joined, 256·Σ high·w + Σ low·w, before the bias. Narrow weights are just smaller ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.isa import Activation
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import DIGIT_BITS, GUARD_BITS, MAX_FEATURES, SCORE_BITS, Precision
from edgemoe_golden.ops.gelu import gelu_requantise
from edgemoe_golden.ops.matmul import exact_dtype, exact_matmul
from edgemoe_golden.ops.requantise import IntArray, requantise, round_shift, saturate, saturate_activations


@dataclass(frozen=True)
class PreparedLinear:
    """Linear weights ready for repeated use: weight transposed to [inputs, outputs] in the exact float type."""

    weight: NDArray[Any]
    bias: IntArray
    multiplier: IntArray
    shift: IntArray


def prepare_linear(weights: LinearWeights, precision: Precision) -> PreparedLinear:
    """Convert once what every frame uses; the integers stay the same."""
    limit = 1 << (precision.weight_bits - 1)
    transposed = np.ascontiguousarray(weights.weight.T).astype(exact_dtype(limit, limit))
    return PreparedLinear(transposed, weights.bias, weights.multiplier, weights.shift)


def accumulate(values: IntArray, weights: PreparedLinear, precision: Precision, wide: bool = False) -> IntArray:
    """bias + values @ weight; values [rows, inputs] of activation_bits or wide, inputs ≤ 16384.

    Fits accumulator_bits, or 38 bits of wide values.
    """
    assert values.shape[1] <= MAX_FEATURES
    limit = 1 << (precision.activation_bits - 1)
    if not wide:
        return exact_matmul(values, weights.weight, limit, limit) + weights.bias
    high, low = digits(values)
    sums = (exact_matmul(digit, weights.weight, limit, limit) for digit in (high, low))
    return (next(sums) << DIGIT_BITS) + next(sums) + weights.bias


def digits(values: IntArray) -> tuple[IntArray, IntArray]:
    """(high, low), both −128 … 127, of values within ±WIDE_LIMIT: value = 256·high + low."""
    high = (values + (1 << (DIGIT_BITS - 1))) >> DIGIT_BITS
    return high, values - (high << DIGIT_BITS)


def linear(
    values: IntArray, weights: PreparedLinear, bits: int, precision: Precision, wide_source: bool = False
) -> IntArray:
    """[rows, outputs] saturated to `bits`."""
    sums = accumulate(values, weights, precision, wide_source)
    return requantise(sums, weights.multiplier, weights.shift, bits)


def linear_activations(
    values: IntArray, weights: PreparedLinear, wide_source: bool, wide_result: bool, precision: Precision
) -> IntArray:
    """Activation epilogue: [rows, outputs] of activation_bits, or wide."""
    sums = accumulate(values, weights, precision, wide_source)
    return saturate_activations(round_shift(sums * weights.multiplier, weights.shift), wide_result, precision)


def linear_gelu(
    values: IntArray,
    weights: PreparedLinear,
    multiplier: int,
    shift: int,
    zero: int,
    precision: Precision,
    wide_source: bool = False,
    wide_result: bool = False,
    activation: Activation = Activation.GELU,
) -> IntArray:
    """GELU epilogue: hidden activations [rows, outputs]."""
    inner = linear(values, weights, precision.gelu_bits, precision, wide_source)
    return gelu_requantise(inner, multiplier, shift, zero, precision, wide_result, activation)


def linear_residual(
    values: IntArray, weights: PreparedLinear, residual: IntArray, precision: Precision, wide_source: bool = False
) -> IntArray:
    """Residual epilogue: the new residual [rows, outputs]."""
    update = round_shift(accumulate(values, weights, precision, wide_source) * weights.multiplier, weights.shift)
    return saturate(residual + update, precision.residual_bits)


def linear_weighted(
    values: IntArray,
    weights: PreparedLinear,
    score: IntArray,
    residual: IntArray,
    precision: Precision,
    wide_source: bool = False,
) -> IntArray:
    """Score-weighted residual epilogue; score [rows] unsigned Q.16, shift[o] leaves 4 guard bits.

    The product is cut once: round_shift(y·score, 20), so an expert's bias is weighted by the score too.
    """
    output = linear(values, weights, precision.residual_bits + GUARD_BITS, precision, wide_source)
    update = round_shift(output * score[:, None], SCORE_BITS + GUARD_BITS)
    return saturate(residual + update, precision.residual_bits)
