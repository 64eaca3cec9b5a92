"""layernorm: exact integer sums, reciprocal root by table and Newton, one rounding before and one after γ and β."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import affine, integers
from edgemoe.kernels.operations import LayerNorm
from edgemoe.spec.precision import MAX_WIDTH, W8A8, WIDE_LIMIT, Precision
from edgemoe_golden.ops.layernorm import normalise, reciprocal_square_root, variance

ROOT_ERROR = {"w8a8": 2.0**-14, "w16a16": 2.0**-22}  # relative, as edgemoe_golden.ops.layernorm states


def unit_affine(width: int, precision: Precision) -> tuple[np.ndarray, np.ndarray, int]:
    """(gain, offset, shift) by which (x − μ)/σ = 1 becomes 16."""
    gain = np.full(width, 1 << (precision.gain_bits - 2))
    return gain, np.zeros(width, dtype=np.int64), precision.gain_bits - 2 + precision.normalised_fraction - 4


@pytest.mark.parametrize("width", [16, 48, 192, 384, 768, MAX_WIDTH])
def test_outputs_are_within_the_derived_bound_of_float64(
    engine: OpEngine, precision: Precision, width: int, rng: np.random.Generator
) -> None:
    """n = (x − μ)/σ has error ½ LSB + |n|·(relative error of the root); γ scales it, and the output rounds once:
    |error| ≤ ½ + |γ|·(½ + |n|·2^F·ε)/2^shift, in LSB of either output.
    """
    bits, fraction = precision.residual_bits, precision.normalised_fraction
    residual = integers(rng, bits, 20, width) >> rng.integers(0, bits - 5, (20, 1))
    gain, offset, shift = affine(rng, width, precision)
    gate_shift, epsilon = shift - 16 + precision.activation_bits, width * width
    output, copy = engine.run(LayerNorm(residual, gain, offset, epsilon, shift, gate_shift, precision))
    centred = residual - residual.mean(axis=1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon / width**2)
    real = normal * 2.0**fraction * gain + offset
    drift = np.abs(gain) * (0.5 + np.abs(normal) * 2.0**fraction * ROOT_ERROR[precision.name])
    limit = 2 ** (precision.activation_bits - 1)
    error = np.abs(output - np.clip(real / 2.0**shift, -limit, limit - 1))
    copy_error = np.abs(copy - np.clip(real / 2.0**gate_shift, -WIDE_LIMIT, WIDE_LIMIT))
    assert (error <= 0.5 + drift / 2.0**shift + 1e-6).all()
    assert (copy_error <= 0.5 + drift / 2.0**gate_shift + 1e-4).all()


def test_the_reciprocal_root_keeps_its_stated_error_for_every_w8a8_mantissa() -> None:
    """All 3·2^14 mantissas of [¼, 1): |r·√v − 1| < 2^−14, 2^R ≤ r ≤ 2^(R+1)."""
    values = np.arange(1 << 14, 1 << 16).astype(object)
    root, exponent = reciprocal_square_root(values, W8A8)
    assert not exponent.any()
    real = root * np.sqrt(values.astype(np.float64)) * 2.0 ** -(W8A8.rsqrt_fraction + W8A8.rsqrt_mantissa_bits / 2)
    assert np.abs(real - 1).max() < ROOT_ERROR["w8a8"]
    assert root.min() >= 1 << W8A8.rsqrt_fraction
    assert root.max() <= 2 << W8A8.rsqrt_fraction


@given(st.integers(1, (1 << 67) - 1))
def test_the_reciprocal_root_keeps_its_stated_error_for_any_variance(precision: Precision, value: int) -> None:
    (root,), (exponent,) = reciprocal_square_root(np.array([value], dtype=object), precision)
    scale = precision.rsqrt_fraction + precision.rsqrt_mantissa_bits // 2 + int(exponent)
    assert abs(int(root) * math.sqrt(value) / 2.0**scale - 1) < ROOT_ERROR[precision.name]


@pytest.mark.parametrize("width", [16, 192, MAX_WIDTH])
@pytest.mark.parametrize("epsilon", [1, 1 << 40, (1 << 64) - 1])
def test_constant_rows_have_zero_variance_and_give_the_offset(
    engine: OpEngine, precision: Precision, width: int, epsilon: int
) -> None:
    low, high = -(1 << (precision.residual_bits - 1)), (1 << (precision.residual_bits - 1)) - 1
    residual = np.repeat([[low], [-1], [0], [1], [high]], width, axis=1)
    gain, _, shift = unit_affine(width, precision)
    offset = (np.arange(width) % 15 - 7) << shift
    output, copy = engine.run(LayerNorm(residual, gain, offset, epsilon, shift, shift, precision))
    expected = np.tile(np.arange(width) % 15 - 7, (5, 1))
    assert same([output, copy], [expected, expected]) == 10 * width
    assert set(variance(residual, epsilon)) == {epsilon}


@pytest.mark.parametrize("width", [16, 192, MAX_WIDTH])
def test_the_largest_variance_is_half_low_and_half_high(engine: OpEngine, precision: Precision, width: int) -> None:
    """(x − μ)/σ = ±1 exactly; v = D²·(2^b − 1)²/4, which needs up to 67 bits."""
    high = (1 << (precision.residual_bits - 1)) - 1
    residual = np.array([[high, -high - 1] * (width // 2)])
    gain, offset, shift = unit_affine(width, precision)
    case = LayerNorm(residual, gain, offset, (1 << 64) - 1, shift, 1, precision)
    assert check(case, engine) == 2 * width
    assert check(LayerNorm(residual, gain, offset, 1, shift, None, precision), engine) == width
    (output,) = engine.run(LayerNorm(residual, gain, offset, 1, shift, None, precision))
    assert output.tolist() == [[16, -16] * (width // 2)]
    assert variance(residual, 0).tolist() == [(width // 2) ** 2 * (2 * high + 1) ** 2]


@pytest.mark.parametrize("width", [16, 64, MAX_WIDTH])
def test_one_feature_far_out_reaches_the_square_root_of_width_minus_one(precision: Precision, width: int) -> None:
    """The largest |x − μ|/σ is √(D − 1) < 32: normalised_bits hold it, without saturation."""
    residual = np.zeros((2, width), dtype=np.int64)
    residual[:, 0] = [(1 << (precision.residual_bits - 1)) - 1, -(1 << (precision.residual_bits - 1))]
    result = normalise(residual, 1, precision)[:, 0] / 2.0**precision.normalised_fraction
    assert np.abs(np.abs(result) - math.sqrt(width - 1)).max() < 32 * ROOT_ERROR[precision.name] + 2.0**-12
    assert np.abs(result).max() < 32


def test_an_epsilon_far_above_the_variance_leaves_the_offset(engine: OpEngine, precision: Precision) -> None:
    """x = ±1 under √ε = 2^32/16: n rounds to 0."""
    gain, _, shift = unit_affine(16, precision)
    offset = np.full(16, 3 << shift)
    residual = np.array([[1, -1] * 8])
    (output,) = engine.run(LayerNorm(residual, gain, offset, (1 << 64) - 1, shift, None, precision))
    assert output.tolist() == [[3] * 16]


def test_the_smallest_variance_is_normalised_like_any_other(engine: OpEngine, precision: Precision) -> None:
    """x = (1, 0, 0 …) with ε = 1: v = D − 1 + 1 = 16, so n = 15/4 for the first and −1/4 for the others."""
    gain, offset, shift = unit_affine(16, precision)
    (output,) = engine.run(LayerNorm(np.array([[1] + [0] * 15]), gain, offset, 1, shift, None, precision))
    assert output.tolist() == [[60] + [-4] * 15]


def test_outputs_saturate_and_the_gate_copy_stops_at_its_digit_limit(engine: OpEngine, precision: Precision) -> None:
    limit = 1 << (precision.offset_bits - 1)
    offset = np.array([limit - 1, -limit] * 8)
    gain, residual = np.zeros(16, dtype=np.int64), np.arange(16).reshape(1, -1)
    output, copy = engine.run(LayerNorm(residual, gain, offset, 1, 1, 1, precision))
    top = (1 << (precision.activation_bits - 1)) - 1
    assert output.tolist() == [[top, -top - 1] * 8]
    assert copy.tolist() == [[WIDE_LIMIT, -WIDE_LIMIT] * 8]


def test_the_affine_rounding_takes_ties_upwards(engine: OpEngine, precision: Precision) -> None:
    gain, residual = np.zeros(16, dtype=np.int64), np.zeros((1, 16), dtype=np.int64)
    (output,) = engine.run(LayerNorm(residual, gain, np.array([-6, -5, -3, -2, 2, 3, 5, 6] * 2), 1, 2, None, precision))
    assert output.tolist() == [[-1, -1, -1, 0, 1, 1, 1, 2] * 2]


@given(st.integers(0, 1 << 32), st.sampled_from([16, 32, 80, MAX_WIDTH]), st.integers(0, 63))
def test_any_operands_give_the_reference_in_any_order_of_features(
    engine: OpEngine, precision: Precision, seed: int, width: int, epsilon_bits: int
) -> None:
    rng = np.random.default_rng(seed)
    residual = integers(rng, precision.residual_bits, 2, width) >> int(rng.integers(0, precision.residual_bits))
    gain, offset, shift = affine(rng, width, precision)
    rest = (1 << epsilon_bits, shift, max(1, shift - 8), precision)
    case = LayerNorm(residual, gain, offset, *rest)
    assert check(case, engine) == 4 * width
    order = rng.permutation(width)
    permuted = engine.run(LayerNorm(residual[:, order], gain[order], offset[order], *rest))
    assert same(permuted, [part[:, order] for part in engine.run(case)]) == 4 * width


@given(st.integers(0, 1 << 32), st.sampled_from([16, 64]))
def test_a_larger_feature_gives_a_larger_output_under_positive_gain(
    engine: OpEngine, precision: Precision, seed: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    residual = np.sort(integers(rng, precision.residual_bits, 3, width), axis=1)
    gain, offset, shift = unit_affine(width, precision)
    (output,) = engine.run(LayerNorm(residual, gain, offset, 1, shift, None, precision))
    assert (np.diff(output, axis=1) >= 0).all()


@given(st.integers(0, 1 << 32))
def test_variances_need_no_more_than_67_bits_and_float_never(precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    residual = integers(rng, precision.residual_bits, 1, MAX_WIDTH)
    row = residual[0].tolist()
    exact = MAX_WIDTH * sum(x * x for x in row) - sum(row) ** 2 + 1
    assert variance(residual, 1).tolist() == [exact]
    assert exact.bit_length() <= 2 * precision.residual_bits + 2 * 10 - 1
