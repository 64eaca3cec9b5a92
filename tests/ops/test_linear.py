"""linear: accumulate, add the bias, then one of four epilogues."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import gelu_grid, integers, layer
from edgemoe.kernels.operations import Linear, LinearGelu, LinearResidual, LinearWeighted
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import MAX_FEATURES, Precision
from edgemoe_golden.ops.linear import accumulate, prepare_linear


def real(values: np.ndarray, weights: LinearWeights) -> np.ndarray:
    """The layer in float64: exact accumulators (below 2^53) times M/2^S."""
    accumulators = values.astype(np.float64) @ weights.weight.T.astype(np.float64) + weights.bias
    result: np.ndarray = accumulators * (weights.multiplier / 2.0**weights.shift)
    return result


def clipped(values: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(values, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def one_output(weight: list[int], bias: int, multiplier: int, shift: int) -> LinearWeights:
    return LinearWeights(np.array([weight]), *(np.array([number]) for number in (bias, multiplier, shift)))


def test_the_activation_epilogue_is_within_half_an_lsb_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """One rounding: ½ LSB; clipping both sides never widens it. 1e-6 is for float64's own rounding of 2^16."""
    bits = precision.activation_bits
    values, weights = integers(rng, bits, 30, 192), layer(rng, 40, 192, bits, precision)
    error = np.abs(engine.run(Linear(values, weights, bits, precision))[0] - clipped(real(values, weights), bits))
    assert error.max() <= 0.5 + 1e-6


def test_the_residual_epilogue_is_within_half_an_lsb_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """One rounding of the update: ½ LSB of the residual stream; the addition is exact."""
    bits = precision.residual_bits
    values, weights = integers(rng, precision.activation_bits, 30, 192), layer(rng, 40, 192, bits, precision)
    residual = integers(rng, bits, 30, 40)
    expected = clipped(real(values, weights) + residual, bits)
    error = np.abs(engine.run(LinearResidual(values, weights, residual, precision))[0] - expected)
    assert error.max() <= 0.5 + 1e-6


def test_the_weighted_epilogue_is_within_0_54_lsb_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """½ LSB of the last rounding, and ½ of the guarded output's, which is 2^−4 smaller and weighted by score < 1."""
    bits = precision.residual_bits
    values, weights = integers(rng, precision.activation_bits, 30, 192), layer(rng, 40, 192, bits + 4, precision)
    residual, score = integers(rng, bits, 30, 40), rng.integers(0, 1 << 16, 30)
    output = clipped(real(values, weights), bits + 4)
    expected = clipped(residual + output * score[:, None] / 2.0**20, bits)
    error = np.abs(engine.run(LinearWeighted(values, weights, score, residual, precision))[0] - expected)
    assert error.max() <= 0.5 + 0.5 / 16 + 1e-6


@pytest.mark.parametrize("inputs", [1536, MAX_FEATURES])
def test_the_longest_chain_of_extremes_with_the_largest_bias(
    engine: OpEngine, precision: Precision, inputs: int
) -> None:
    low = -(1 << (precision.activation_bits - 1))
    bias = (1 << precision.bias_bits) - 1
    values = np.full((2, inputs), low)
    values[1] = -low - 1
    largest = one_output([low] * inputs, bias, 1, 0)
    accumulators = accumulate(values, prepare_linear(largest, precision), precision)
    assert accumulators.tolist() == [[inputs * low * low + bias], [inputs * low * (-low - 1) + bias]]
    assert abs(accumulators).max() < 1 << (precision.accumulator_bits - 1)
    for sign in (1, -1):
        weights = one_output([low] * inputs, sign * bias, 65535, 60)
        for bits in (precision.activation_bits, precision.residual_bits):
            assert check(Linear(values, weights, bits, precision), engine) == 2


def test_the_residual_saturates_on_either_side_and_not_one_early(engine: OpEngine, precision: Precision) -> None:
    top = (1 << (precision.residual_bits - 1)) - 1
    weights = one_output([1] * 16, 0, 1, 0)
    values = np.zeros((6, 16), dtype=np.int64)
    values[:, 0] = [1, 2, 3, -1, -2, -3]
    residual = np.array([[top - 2]] * 3 + [[-top + 1]] * 3)
    result = engine.run(LinearResidual(values, weights, residual, precision))[0]
    assert result.reshape(-1).tolist() == [top - 1, top, top, -top, -top - 1, -top - 1]


@pytest.mark.parametrize(
    ("output", "score", "update"),
    [(16, 0, 0), (16, 65535, 1), (16, 32768, 1), (16, 32767, 0), (-16, 32768, 0), (-16, 32769, -1), (160, 65535, 10)],
)
def test_scores_of_zero_a_half_and_nearly_one(
    engine: OpEngine, precision: Precision, output: int, score: int, update: int
) -> None:
    """16 guarded units are one LSB of the residual; ½ rounds up, −½ rounds up to 0."""
    weights = one_output([0] * 16, output, 1, 0)
    values, residual = np.ones((1, 16), dtype=np.int64), np.array([[100]])
    result = engine.run(LinearWeighted(values, weights, np.array([score]), residual, precision))[0]
    assert result.tolist() == [[100 + update]]


def test_the_weighted_output_saturates_with_its_guard_bits_before_it_is_weighted(
    engine: OpEngine, precision: Precision
) -> None:
    """2^(residual + 3) − 1 guarded units at score ½ are half the residual's range, however large the accumulator."""
    weights = one_output([0] * 16, (1 << precision.bias_bits) - 1, 65535, 0)
    values, residual = np.zeros((1, 16), dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    result = engine.run(LinearWeighted(values, weights, np.array([32768]), residual, precision))[0]
    assert result.tolist() == [[1 << (precision.residual_bits - 2)]]


@given(st.integers(0, 1 << 32))
def test_features_in_any_order_give_the_same_outputs(engine: OpEngine, precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, outputs = 16 * int(rng.integers(1, 5)), int(rng.integers(1, 9))
    values = integers(rng, precision.activation_bits, 3, inputs)
    weights, order = layer(rng, outputs, inputs, precision.gelu_bits - 3, precision), rng.permutation(inputs)
    case = LinearGelu(values, weights, gelu_grid(precision), precision)
    assert check(case, engine) == 3 * outputs
    permuted = LinearWeights(weights.weight[:, order], weights.bias, weights.multiplier, weights.shift)
    result = engine.run(LinearGelu(values[:, order], permuted, gelu_grid(precision), precision))[0]
    assert same([result], engine.run(case)) == 3 * outputs


@given(st.integers(0, 1 << 32))
def test_rows_are_independent_of_each_other(engine: OpEngine, precision: Precision, seed: int) -> None:
    """So tile shape, row blocks and batch cannot matter."""
    rng = np.random.default_rng(seed)
    bits = precision.residual_bits
    values, residual = integers(rng, precision.activation_bits, 5, 32), integers(rng, bits, 5, 4)
    weights = layer(rng, 4, 32, bits, precision)
    together = engine.run(LinearResidual(values, weights, residual, precision))[0]
    for row in range(5):
        part = slice(row, row + 1)
        assert same(engine.run(LinearResidual(values[part], weights, residual[part], precision)), [together[part]]) == 4
