"""gelu: ReLU(x) − δ(|x|), then onto the hidden grid whose zero is anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import gelu_grid, integers
from edgemoe.kernels.operations import GeluRequantise
from edgemoe.spec.precision import W8A8, W16A16, Precision
from edgemoe_golden.ops.gelu import gelu, gelu_delta

# W8A8: δ changes by at most δ'(0) = ½ per unit and the nearest entry is at most 1/128 away: 0.0039; an entry is
# rounded by at most ½ LSB of Q.10: 0.0005. The first entry is exact, so both are not largest together: 0.0042.
# W16A16: interpolation errs by h²/8·max|δ''| = (1/64)²/8·0.80 = 2.4e-5; an entry and the product round by ½ LSB of
# Q.16 each: 1.5e-5.
GELU_ERROR = {"w8a8": 0.0042, "w16a16": 4.0e-5}


def exact_gelu(values: np.ndarray) -> np.ndarray:
    return np.array([x * 0.5 * math.erfc(-x / math.sqrt(2.0)) for x in values.tolist()])


def test_gelu_is_within_its_stated_error_of_float64(precision: Precision) -> None:
    """Every argument within ±8 in W8A8, every seventh in W16A16; beyond 8, GELU is ReLU to 1e-14."""
    one = 1 << precision.gelu_fraction
    values = np.arange(-8 * one, 8 * one, 7 if precision.fine else 1)
    error = np.abs(gelu(values, precision) / one - exact_gelu(values / one))
    assert error.max() <= GELU_ERROR[precision.name]


def test_the_hidden_grid_is_within_its_bound_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """GELU's error at the output's scale, and ½ LSB: 0.58 LSB in W8A8 at about 20 codes per unit."""
    one, bits = 1 << precision.gelu_fraction, precision.activation_bits
    multiplier, shift, zero = gelu_grid(precision)
    values = rng.integers(-9 * one, 9 * one, 5000)
    scale = one * multiplier / 2.0**shift  # output codes per unit of GELU
    real = np.clip(exact_gelu(values / one) * scale + zero, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    error = np.abs(engine.run(GeluRequantise(values, (multiplier, shift, zero), precision))[0] - real)
    assert error.max() <= 0.5 + GELU_ERROR[precision.name] * scale + 1e-6


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (1, 1), (-1, 0), (7, 7), (-7, 0), (8, 0), (-8, -8), (16, 8), (-16, -8), (1024, 862), (-1024, -162)],
)
def test_hand_computed_values_of_w8a8(engine: OpEngine, value: int, expected: int) -> None:
    """Entries 1/64 = 16 LSB apart, the nearest taken, ties up: 8 uses δ[1] = 8; δ(1) = 0.1587·1024 = 162."""
    assert engine.run(GeluRequantise(np.array([value]), (1, 0, 0), W8A8))[0].tolist() == [max(-128, min(127, expected))]
    assert gelu(np.array([value]), W8A8).tolist() == [expected]


def test_tiny_arguments_of_w16a16_are_interpolated_from_zero(engine: OpEngine) -> None:
    """δ[1] = round(2^16·(1 − Φ(1/64))/64) = 506 over 1024 steps: δ(1) = round(0.494) = 0, δ(2) = round(0.99) = 1."""
    values = np.array([-3, -2, -1, 0, 1, 2, 3])
    assert engine.run(GeluRequantise(values, (1, 0, 0), W16A16))[0].tolist() == [-1, -1, 0, 0, 1, 1, 2]


def test_the_table_ends_where_delta_has_vanished(engine: OpEngine, precision: Precision) -> None:
    """Below, at and beyond the last entry, and at the limits of the format: GELU is ReLU."""
    end = precision.gelu_entries << (precision.gelu_fraction - 6)
    limit = 1 << (precision.gelu_bits - 1)
    values = np.array([end - 1, end, end + 1, limit - 1, -end + 1, -end, -end - 1, -limit + 1, -limit])
    assert gelu(values, precision).tolist() == np.maximum(values, 0).tolist()
    assert check(GeluRequantise(values, (1 << 15, 20, -3), precision), engine) == len(values)
    assert int(gelu_delta(np.array([limit]), precision)[0]) == 0


def test_gelu_s_minimum_is_minus_0_17(precision: Precision) -> None:
    one = 1 << precision.gelu_fraction
    result = gelu(np.arange(-2 * one, 0), precision) / one
    assert -0.1705 < result.min() < -0.1690


@pytest.mark.parametrize(("zero", "expected"), [(0, [-1, 0, 1]), (-32768, None), (32767, None), (-128, None)])
def test_the_zero_is_added_after_rounding_and_before_saturation(
    engine: OpEngine, precision: Precision, zero: int, expected: list[int] | None
) -> None:
    """x = −16, 0, 16 steps of 1/64, GELU's W8A8 codes −8, 0, 8, shifted right by 3."""
    low, high = -(1 << (precision.activation_bits - 1)), (1 << (precision.activation_bits - 1)) - 1
    step = 1 << (precision.gelu_fraction - 6)
    values, shift = np.array([-step, 0, step]), precision.gelu_fraction - 7
    (plain,) = engine.run(GeluRequantise(values, (1, shift, 0), precision))
    (shifted,) = engine.run(GeluRequantise(values, (1, shift, zero), precision))
    assert shifted.tolist() == np.clip(plain + zero, low, high).tolist()
    assert expected is None or plain.tolist() == expected


def test_the_largest_multiplier_and_the_extreme_shifts(engine: OpEngine, precision: Precision) -> None:
    limit = 1 << (precision.gelu_bits - 1)
    values = np.array([-limit, -limit // 2, -1, 0, 1, limit // 2, limit - 1])
    for shift in (0, 1, 30, 59, 60):
        assert check(GeluRequantise(values, (65535, shift, 0), precision), engine) == len(values)


@given(st.integers(0, 1 << 32))
def test_any_arguments_and_grids_equal_the_reference(engine: OpEngine, precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = integers(rng, precision.gelu_bits, 50) >> rng.integers(0, precision.gelu_bits, 50)
    grid = (int(rng.integers(0, 1 << 16)), int(rng.integers(0, 61)), int(rng.integers(-(1 << 15), 1 << 15)))
    assert check(GeluRequantise(values, grid, precision), engine) == 50


@given(st.integers(1, (1 << 17) - 1))
def test_gelu_of_x_minus_gelu_of_minus_x_is_x(precision: Precision, value: int) -> None:
    """δ is even, so the identity of the real function holds in integers, too."""
    plus, minus = gelu(np.array([value, -value]), precision).tolist()
    assert plus - minus == value


@given(st.integers(0, (1 << 17) - 2))
def test_gelu_rises_with_a_positive_argument_up_to_one_table_step(precision: Precision, value: int) -> None:
    """Nearest entries let it fall back by the difference of two entries, ½·1/64 at most; interpolation by one LSB."""
    low, high = gelu(np.array([value, value + 1]), precision).tolist()
    assert high - low >= (0 if precision.fine else 1 - (1 << (precision.gelu_fraction - 7)))
