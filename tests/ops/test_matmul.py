"""matmul: the array's integer products through float BLAS, exact for every operand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers
from edgemoe.kernels.operations import Matmul
from edgemoe.spec.precision import MAX_FEATURES, MAX_TOKENS, Precision
from edgemoe_golden.ops.matmul import exact_dtype, exact_matmul


def limit_of(precision: Precision) -> int:
    return 1 << (precision.activation_bits - 1)


def test_products_equal_float64_where_float64_is_exact(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """Error bound 0: 192·2^30 < 2^53."""
    left, right = integers(rng, precision.activation_bits, 20, 192), integers(rng, precision.weight_bits, 192, 30)
    floats = left.astype(np.float64) @ right.astype(np.float64)
    assert same(engine.run(Matmul(left, right, limit_of(precision), precision)), [floats.astype(np.int64)]) == 600


@pytest.mark.parametrize("inputs", [16, 768, 1023, 1024, 1025, 1536, MAX_FEATURES])
def test_the_longest_chains_of_extremes_are_exact(engine: OpEngine, precision: Precision, inputs: int) -> None:
    """−128·−128 (−32768·−32768) all along is the largest sum; one product less must show in the last bit."""
    low, high = -limit_of(precision), limit_of(precision) - 1
    rows = [
        [low] * inputs,
        [high] * inputs,
        [low] * (inputs - 1) + [high],
        [low, high] * (inputs // 2) + [1] * (inputs % 2),
    ]
    case = Matmul(np.array(rows), np.array(rows).T.copy(), -low, precision)
    assert check(case, engine) == 16
    (product,) = engine.run(case)
    assert int(product[0, 0]) == inputs * low * low
    assert int(product[0, 1]) == inputs * low * high
    assert int(product[0, 2]) == (inputs - 1) * low * low + low * high


def test_a_chain_of_odd_products_beyond_float32_is_split() -> None:
    """127·127 is odd: 16384 of them need 28 bits, which one float32 sum would round."""
    values = np.full((1, MAX_FEATURES), 127)
    assert exact_dtype(128, 128) == np.float32
    assert int(exact_matmul(values, values.T, 128, 128)[0, 0]) == MAX_FEATURES * 127 * 127


def test_exponentials_times_values_are_exact_over_the_most_keys(precision: Precision) -> None:
    """P·V: unsigned e up to 2^E − 1 and v = −2^(A−1), 2048 keys."""
    top, low = (1 << precision.exponential_bits) - 1, -limit_of(precision)
    weights = np.full((2, MAX_TOKENS), top)
    weights[1, -1] -= 1
    product = exact_matmul(weights, np.full((MAX_TOKENS, 1), low), top, -low)
    assert product.reshape(-1).tolist() == [MAX_TOKENS * top * low, (MAX_TOKENS * top - 1) * low]


def test_sums_that_float64_cannot_hold_are_refused() -> None:
    values = np.zeros((1, 1 << 10), dtype=np.int64)
    with pytest.raises(AssertionError, match=r"2\^53"):
        exact_matmul(values, values.T, 1 << 24, 1 << 24)


@given(st.data())
def test_any_operands_give_python_integers_in_any_order_of_features(
    engine: OpEngine, precision: Precision, data: st.DataObject
) -> None:
    rows, inputs, columns = (
        data.draw(st.integers(1, top), label=name) for top, name in ((3, "r"), (40, "k"), (3, "c"))
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32), label="seed"))
    left, right = (
        integers(rng, precision.activation_bits, rows, inputs),
        integers(rng, precision.weight_bits, inputs, columns),
    )
    case = Matmul(left, right, limit_of(precision), precision)
    assert check(case, engine) == rows * columns
    order = rng.permutation(inputs)
    permuted = engine.run(Matmul(left[:, order], right[order], limit_of(precision), precision))[0]
    assert same([permuted], engine.run(case)) == rows * columns


def test_accumulators_with_the_largest_bias_fit_their_stated_bits(precision: Precision) -> None:
    largest = MAX_FEATURES << (precision.activation_bits + precision.weight_bits - 2)
    assert largest + (1 << precision.bias_bits) < 1 << (precision.accumulator_bits - 1)
    assert largest + (1 << precision.bias_bits) < 1 << 46, "requantise multiplies by 16 bits and adds 2^59 in 63 bits"
    gathered = MAX_TOKENS * ((1 << precision.exponential_bits) - 1) << (precision.activation_bits - 1)
    assert gathered < 1 << 46
