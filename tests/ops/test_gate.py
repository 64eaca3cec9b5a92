"""gate: 16-bit logits, top-k on integers, scores by softmax over all experts, without renormalising."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import GATE_SCALE, gate_operands
from edgemoe.kernels.operations import Gate
from edgemoe.spec.precision import (
    GATE_EXPONENTIAL_BITS,
    GATE_FRACTION,
    MAX_FEATURES,
    W8A8,
    W16A16,
    WIDE_LIMIT,
    Precision,
)
from edgemoe_golden.ops.gate import gate_logits, top_k_experts

ONE = (1, 0)  # one unit of logit is one unit of Q.12


def routed(
    engine: OpEngine, precision: Precision, logits: list[int], top_k: int, scale: tuple[int, int] = ONE
) -> tuple[list[int], list[int]]:
    """Route one token whose logits are given: feature 0 is 1, so that weights are logits."""
    weight = np.zeros((len(logits), 16), dtype=np.int64)
    weight[:, 0] = logits
    chosen, scores = engine.run(Gate(np.array([[1] + [0] * 15]), weight, top_k, *scale, precision))
    return chosen[0].tolist(), scores[0].tolist()


def test_scores_are_within_the_derived_bound_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """e errs by at most a·w + b: a = 2^(½/4096) − 1 from the logit's rounding, b = 1.5/65535 from the exponential.
    So p = w/Σw errs by at most (a·w + b + p·(a·Σw + E·b)) / (Σw − a·Σw − E·b), and the score's floor by 2^−16.
    """
    values, weight = gate_operands(rng, 129, 192), gate_operands(rng, 16, 192)
    multiplier, shift = GATE_SCALE[0], GATE_SCALE[1] + 1
    chosen, scores = engine.run(Gate(values, weight, 2, multiplier, shift, precision))
    t = (values @ weight.T) * (multiplier / 2.0 ** (shift + GATE_FRACTION))
    w = 2.0 ** (t - np.ceil(t.max(axis=1, keepdims=True)))
    total = w.sum(axis=1, keepdims=True)
    p = w / total
    a, b = 2.0 ** (0.5 / 4096) - 1, 1.5 / (2**GATE_EXPONENTIAL_BITS - 1)
    drift = a * total + 16 * b
    bound = (a * w + b + p * drift) / (total - drift) + 2.0**-16
    error = np.abs(scores / 65536 - np.take_along_axis(p, chosen, axis=1))
    assert (error <= np.take_along_axis(bound, chosen, axis=1)).all()
    assert bound.max() < 1e-3


def test_the_choice_is_exact_where_the_score_has_long_saturated(engine: OpEngine, precision: Precision) -> None:
    """Logits one apart, all far beyond 24 bits of Q.12: equal exponentials, yet the largest integers win."""
    logits = [32000, 32001, 32003, 32002]
    assert routed(engine, precision, logits, 2, (65535, 0)) == ([2, 3], [16384, 16384])


@pytest.mark.parametrize("count", [2, 8, 16])
def test_equal_experts_go_to_the_lowest_indices_with_equal_scores(
    engine: OpEngine, precision: Precision, count: int
) -> None:
    for logit in (0, 77, -77, WIDE_LIMIT, -WIDE_LIMIT):
        assert routed(engine, precision, [logit] * count, 2) == ([0, 1], [65536 // count] * 2)


@pytest.mark.parametrize(
    ("logits", "top_k", "chosen"),
    [
        ([1, 5, 5, 1], 1, [1]),
        ([1, 5, 5, 1], 3, [1, 2, 0]),
        ([5, 1, 7, 5, 7], 4, [2, 4, 0, 3]),
        ([-3, -3, -2, -3], 2, [2, 0]),
        ([-1, 0, -1, 0], 4, [1, 3, 0, 2]),
    ],
)
def test_ties_go_to_the_lowest_index(
    engine: OpEngine, precision: Precision, logits: list[int], top_k: int, chosen: list[int]
) -> None:
    assert routed(engine, precision, logits, top_k)[0] == chosen


def test_one_expert_alone_has_the_largest_score(engine: OpEngine, precision: Precision) -> None:
    """e/Σe = 1 is 65536, one more than 16 bits hold."""
    for logit in (0, 1, -4096, WIDE_LIMIT):
        assert routed(engine, precision, [logit], 1) == ([0], [65535])


def test_an_expert_far_behind_has_score_zero_and_is_still_chosen(engine: OpEngine, precision: Precision) -> None:
    """32 octaves apart: 2^16·2^−32 rounds to 0, and the winner takes 65535."""
    assert routed(engine, precision, [16 * 4096 // 4, -16 * 4096 // 4], 2, (16384, 12)) == ([0, 1], [65535, 0])


def test_scores_are_not_renormalised(engine: OpEngine, precision: Precision) -> None:
    """Four experts one octave apart: 8/15, 4/15, whatever k is; 65535 stands for 2^0 below the octave."""
    logits = [0, -4096, -8192, -12288]
    chosen, scores = routed(engine, precision, logits, 2)
    total = 65535 + 32768 + 16384 + 8192
    assert (chosen, scores) == ([0, 1], [65535 * 65536 // total, 32768 * 65536 // total])
    assert routed(engine, precision, logits, 1)[1] == scores[:1]
    assert sum(routed(engine, precision, logits, 4)[1]) <= 65536


@pytest.mark.parametrize("inputs", [192, 1024, MAX_FEATURES])
def test_logits_of_the_longest_chains_of_extremes_are_exact(
    engine: OpEngine, precision: Precision, inputs: int
) -> None:
    """±32639² all along, two products less in the second expert: 30 bits and 14 of length, below 2^45."""
    inputs = min(inputs, engine.limits.gate_features)
    values = np.full((2, inputs), WIDE_LIMIT)
    values[1] = -WIDE_LIMIT
    weight = np.full((3, inputs), WIDE_LIMIT)
    weight[1, :2], weight[2] = 0, -WIDE_LIMIT
    exact = [inputs * WIDE_LIMIT**2, (inputs - 2) * WIDE_LIMIT**2]
    logits = gate_logits(values, weight)
    assert logits.tolist() == [[exact[0], exact[1], -exact[0]], [-exact[0], -exact[1], exact[0]]]
    assert np.abs(logits).max() < 1 << 44
    for scale in ((65535, 0), (65535, 60), (40000, 40)):
        assert check(Gate(values, weight, 2, *scale, precision), engine) == 8


def test_products_of_two_signed_digits_give_the_16_bit_product(rng: np.random.Generator) -> None:
    """What an 8-bit array does in four passes: x = 256·h + l with h, l in −128 … 127, each product 8 × 8 bits."""
    values, weight = gate_operands(rng, 20, 48), gate_operands(rng, 5, 48)
    parts = []
    for operand in (values, weight):
        high = (operand + 128) >> 8
        low = operand - 256 * high
        assert min(high.min(), low.min()) >= -128
        assert max(high.max(), low.max()) <= 127
        parts.append((high, low))
    (xh, xl), (wh, wl) = parts
    passes = 65536 * (xh @ wh.T) + 256 * (xh @ wl.T + xl @ wh.T) + xl @ wl.T
    assert same([passes], [gate_logits(values, weight)]) == 100


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=16), st.data())
def test_top_k_sorts_by_logit_then_by_index(logits: list[int], data: st.DataObject) -> None:
    top_k = data.draw(st.integers(1, len(logits)))
    expected = sorted(range(len(logits)), key=lambda index: (-logits[index], index))[:top_k]
    assert top_k_experts(np.array([logits]), top_k).tolist() == [expected]


@given(st.integers(0, 1 << 32), st.integers(1, 16), st.data())
def test_features_in_any_order_route_alike_and_scores_fall_with_rank(
    engine: OpEngine, precision: Precision, seed: int, experts: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    top_k = data.draw(st.integers(1, min(experts, engine.limits.top_k)), label="k")
    values, weight = gate_operands(rng, 3, 32), gate_operands(rng, experts, 32)
    case = Gate(values, weight, top_k, *GATE_SCALE, precision)
    assert check(case, engine) == 6 * top_k
    order = rng.permutation(32)
    permuted = engine.run(Gate(values[:, order], weight[:, order], top_k, *GATE_SCALE, precision))
    assert same(permuted, engine.run(case)) == 6 * top_k
    scores = permuted[1]
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores.min() >= 0
    assert scores.max() <= 65535
    assert scores.sum(axis=1).max() <= 65536


def test_scores_do_not_depend_on_the_precision_of_the_array(rng: np.random.Generator, engine: OpEngine) -> None:
    values, weight = gate_operands(rng, 20, 48), gate_operands(rng, 16, 48)
    both = [engine.run(Gate(values, weight, 2, *GATE_SCALE, numbers)) for numbers in (W8A8, W16A16)]
    assert same(both[0], both[1]) == 80
