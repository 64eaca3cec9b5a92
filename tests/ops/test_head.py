"""head: a task's final linear layer with 16-bit outputs in either precision."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers, layer
from edgemoe.kernels.operations import Head
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import Precision


def test_outputs_are_within_half_an_lsb_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """One rounding of exact accumulators: ½ LSB of the 16-bit output."""
    values, weights = integers(rng, precision.activation_bits, 40, 192), layer(rng, 112, 192, 16, precision)
    real = (values @ weights.weight.T + weights.bias) * (weights.multiplier / 2.0**weights.shift)
    error = np.abs(engine.run(Head(values, weights, precision))[0] - np.clip(real, -32768, 32767))
    assert error.max() <= 0.5 + 1e-6


def test_outputs_saturate_at_16_bits_in_either_precision(engine: OpEngine, precision: Precision) -> None:
    bias = np.array([32766, 32767, 32768, -32767, -32768, -32769, 0])
    ones, zeros = np.ones(7, dtype=np.int64), np.zeros(7, dtype=np.int64)
    weights = LinearWeights(np.zeros((7, 16), dtype=np.int64), bias, ones, zeros)
    result = engine.run(Head(np.ones((1, 16), dtype=np.int64), weights, precision))[0]
    assert result.tolist() == [[32766, 32767, 32767, -32767, -32768, -32768, 0]]


def test_one_output_and_one_row(engine: OpEngine, precision: Precision, rng: np.random.Generator) -> None:
    case = Head(integers(rng, precision.activation_bits, 1, 16), layer(rng, 1, 16, 16, precision), precision)
    assert check(case, engine) == 1


@given(st.integers(0, 1 << 32))
def test_outputs_do_not_depend_on_each_other(engine: OpEngine, precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = integers(rng, precision.activation_bits, 3, 32), layer(rng, 6, 32, 16, precision)
    order = rng.permutation(6)
    shuffled = LinearWeights(
        weights.weight[order], weights.bias[order], weights.multiplier[order], weights.shift[order]
    )
    whole = engine.run(Head(values, weights, precision))[0]
    assert same(engine.run(Head(values, shuffled, precision)), [whole[:, order]]) == 18
