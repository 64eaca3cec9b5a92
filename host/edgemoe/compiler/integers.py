"""Real factors as integers: multipliers with shifts, quantised linear layers, LayerNorm's affine part."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.memory import LayerNormWeights, LinearWeights
from edgemoe.spec.precision import MAX_SHIFT, MULTIPLIER_BITS, NARROW_LIMIT, Precision

FloatArray = NDArray[np.float64]

_SMALLEST_SCALE = 1e-12  # of a weight channel that is all zero


class QuantiseError(EdgeMoeError, ValueError):
    """Values that the integer formats cannot represent; the message names the tensor and the limit."""


def multiplier_and_shift(ratio: float) -> tuple[int, int]:
    """(M, S) with M·2^−S ≈ ratio and 2^15 ≤ M < 2^16; tiny ratios get a smaller M at the largest shift.

    Raises QuantiseError for a ratio that is negative, not finite, or 2^16 and more.
    """
    if not (math.isfinite(ratio) and ratio >= 0):
        raise QuantiseError(f"scale ratio {ratio} is not a finite number ≥ 0; is a calibrated range empty?")
    if ratio == 0:
        return 0, 0
    fraction, exponent = math.frexp(ratio)
    multiplier = round(fraction * 2**MULTIPLIER_BITS)
    if multiplier == 2**MULTIPLIER_BITS:
        multiplier, exponent = multiplier // 2, exponent + 1
    shift = MULTIPLIER_BITS - exponent
    if shift < 0:
        raise QuantiseError(f"scale ratio {ratio:.3g} is above 2^{MULTIPLIER_BITS}; is a calibrated range too small?")
    if shift > MAX_SHIFT:
        return round(ratio * 2**MAX_SHIFT), MAX_SHIFT
    return multiplier, shift


def linear_integers(
    weight: FloatArray,
    bias: FloatArray,
    input_scale: float,
    output_scale: float | FloatArray,
    input_zero: int,
    precision: Precision,
    narrow: bool = False,
    steps: FloatArray | None = None,
) -> LinearWeights:
    """Integers of out/output_scale = (input_scale·(x − input_zero)) @ weight.T + bias.

    weight [outputs, inputs], bias [outputs]; output_scale a number or [outputs]. A channel's weight scale is the larger
    of what its weights and what its bias need, or steps [outputs] where that is above 0; narrow: weights of 4 bits.
    Raises QuantiseError.
    """
    largest_weight = NARROW_LIMIT if narrow else 2 ** (precision.weight_bits - 1) - 1
    largest_bias = 2 ** (precision.bias_bits - 1)
    scale = np.maximum(np.abs(weight).max(axis=1) / largest_weight, np.abs(bias) / (input_scale * largest_bias))
    scale = np.maximum(scale, _SMALLEST_SCALE)
    if steps is not None:
        scale = np.where(steps > 0, steps, scale)
    integers = np.rint(weight / scale[:, None]).astype(np.int64)
    offset = np.rint(bias / (input_scale * scale)).astype(np.int64) - input_zero * integers.sum(axis=1)
    if np.abs(offset).max(initial=0) >= 2**precision.bias_bits:
        raise QuantiseError(f"a bias needs more than {precision.bias_bits} bits at accumulator scale")
    ratios = np.broadcast_to(input_scale * scale / output_scale, offset.shape)
    pairs = np.array([multiplier_and_shift(float(ratio)) for ratio in ratios], dtype=np.int64).reshape(-1, 2)
    return LinearWeights(integers, offset, pairs[:, 0].copy(), pairs[:, 1].copy(), narrow)


def affine_integers(gain: FloatArray, offset: FloatArray, precision: Precision) -> tuple[LayerNormWeights, int]:
    """(integers, shift) of gain·n + offset, n in Q.normalised_fraction, with the largest shift that both formats allow.

    gain, offset [features] in units of the output's scale.
    """
    fraction = precision.normalised_fraction
    largest_gain = 2 ** (precision.gain_bits - 1) - 1
    largest_offset = 2 ** (precision.offset_bits - 2)
    by_gain = math.floor(math.log2(largest_gain / max(np.abs(gain).max(), 1e-9))) + fraction
    by_offset = math.floor(math.log2(largest_offset / max(np.abs(offset).max(), 1e-9)))
    shift = min(by_gain, by_offset, MAX_SHIFT)
    if shift < 1:
        raise QuantiseError("γ or β too large for its calibrated range")
    return (
        LayerNormWeights(
            np.rint(gain * 2.0 ** (shift - fraction)).astype(np.int64),
            np.rint(offset * 2.0**shift).astype(np.int64),
        ),
        shift,
    )
