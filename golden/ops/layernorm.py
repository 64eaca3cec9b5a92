"""LayerNorm from exact integer sums.

    y = D·x − Σx          v = D·Σx² − (Σx)² + ε          (x − μ)/σ = y / √v
    n = round_shift(y·r·2^…)  in Q.normalised_fraction, r = 1/√v by table and Newton steps
    out = saturate(round_shift(n·gain + offset, shift))

ε is LayerNorm's epsilon in these units, eps·D²/scale², at least 1, so that v is never 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.precision import Precision
from edgemoe.spec.tables import RSQRT_INDEX_BITS, rsqrt_table
from edgemoe_golden.ops.requantise import IntArray, round_shift, saturate, saturate_activations


def variance(residual: IntArray, epsilon: int) -> NDArray[np.object_]:
    """v = D·Σx² − (Σx)² + ε per row, as Python integers (68 bits in W16A16).

    residual [rows, D]: at most 24-bit values, D ≤ 1024, so that Σx² < 2^57 fits int64.
    """
    width = residual.shape[1]
    total = residual.sum(axis=1).astype(object)
    squares = np.einsum("rd,rd->r", residual, residual).astype(object)
    return np.asarray(width * squares - total * total + epsilon, dtype=object)


def reciprocal_square_root(value: NDArray[np.object_], precision: Precision) -> tuple[IntArray, IntArray]:
    """(r, e) with 1/√value ≈ r·2^−(R + e + P/2); R rsqrt_fraction, P rsqrt_mantissa_bits, 2^R ≤ r ≤ 2^(R+1).

    The mantissa x = value·4^−e / 2^P lies in [1/4, 1) and keeps P truncated bits. From r₀ by table, each Newton step is
    r ← r·(3 − x·r²)/2, every product cut by a right shift. Relative error: below 2^−14 (W8A8), 2^−22 (W16A16).
    """
    mantissa_bits, fraction = precision.rsqrt_mantissa_bits, precision.rsqrt_fraction
    lengths = np.array([int(v).bit_length() for v in value], dtype=np.int64)
    exponent = (lengths + 1) // 2 - mantissa_bits // 2
    scaled = [int(v) >> 2 * e if e >= 0 else int(v) << -2 * e for v, e in zip(value, exponent.tolist(), strict=True)]
    mantissa = np.array(scaled, dtype=np.int64)
    first = (mantissa >> (mantissa_bits - RSQRT_INDEX_BITS)) - (1 << (RSQRT_INDEX_BITS - 2))
    root = rsqrt_table(precision)[first]
    for _ in range(precision.rsqrt_steps):
        square = (root * root) >> fraction
        product = (mantissa * square) >> mantissa_bits
        root = (root * ((3 << fraction) - product)) >> (fraction + 1)
    return root, exponent


def normalise(residual: IntArray, epsilon: int, precision: Precision) -> IntArray:
    """(x − μ)/σ in Q.normalised_fraction, saturated to normalised_bits; residual and result [rows, D]."""
    width = residual.shape[1]
    root, exponent = reciprocal_square_root(variance(residual, epsilon), precision)
    centred = width * residual - residual.sum(axis=1, keepdims=True)
    scale = precision.rsqrt_fraction + precision.rsqrt_mantissa_bits // 2 - precision.normalised_fraction
    shifted = round_shift(centred * root[:, None], (exponent + scale)[:, None])
    return saturate(shifted, precision.normalised_bits)


def residual_copy(residual: IntArray, precision: Precision) -> IntArray:
    """The upper 16 bits of the residual stream, within ±WIDE_LIMIT, for gates that read the input of their block."""
    return saturate_activations(round_shift(residual, precision.residual_bits - 16), True, precision)


def layernorm(
    residual: IntArray,
    gain: IntArray,
    offset: IntArray,
    epsilon: int,
    shift: int,
    gate_shift: int | None,
    precision: Precision,
) -> tuple[IntArray, IntArray | None]:
    """Activations for the array and, with gate_shift, a 16-bit copy for the gate.

    residual [rows, D] of residual_bits. gain [D] of gain_bits, offset [D] of offset_bits, at scale 2^−shift of the
    output. epsilon: 1 … 2^64 − 1. shift, gate_shift: 1 … 60.
    Returns [rows, D] of activation_bits, and [rows, D] within ±WIDE_LIMIT or None.
    """
    assert epsilon >= 1
    affine = normalise(residual, epsilon, precision) * gain + offset
    output = saturate(round_shift(affine, shift), precision.activation_bits)
    if gate_shift is None:
        return output, None
    return output, saturate_activations(round_shift(affine, gate_shift), True, precision)
