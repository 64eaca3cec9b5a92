"""softmax: e = exp2(t − m) against the running maximum in whole octaves, and one reciprocal per row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers
from edgemoe.kernels.operations import Exponential, Reciprocal
from edgemoe.spec.precision import MAX_TOKENS, W8A8, Precision
from edgemoe_golden.ops.softmax import fine_exponential, octave_maximum


def limits(precision: Precision) -> tuple[int, int]:
    return -(1 << (precision.score_bits - 1)), (1 << (precision.score_bits - 1)) - 1


def top_of(precision: Precision) -> int:
    return (1 << precision.exponential_bits) - 1


def running_octaves(scores: list[int], fraction: int) -> int:
    """m as hardware keeps it: a maximum updated at each key."""
    running = None
    for score in scores:
        octave = -(-score // (1 << fraction))
        running = octave if running is None or octave > running else running
    assert running is not None
    return running


def test_every_distance_of_the_first_octaves_is_within_its_bound_of_float64(
    engine: OpEngine, precision: Precision
) -> None:
    """W8A8: ½ LSB of the table, halved per octave, and ½ of the shift (none in the first octave).
    W16A16: ½ LSB of the high factor, 65535·½·2^−16 of the low, together 1 halved per octave, and ½ of the shift.
    """
    step = 1 << precision.score_fraction
    distance = np.arange(precision.exponential_bits * step)
    real = top_of(precision) * 2.0 ** (-distance / step)
    octave = distance // step
    table = 1.0 if precision.fine else 0.5
    rounding = np.where((octave == 0) & (not precision.fine), 0.0, 0.5)
    (result,) = engine.run(Exponential(-distance.reshape(1, -1), precision))[0]
    assert (np.abs(result - real) <= table / 2.0**octave + rounding).all()
    assert result[0] == top_of(precision)


def test_the_reciprocal_is_short_of_float64_by_less_than_one_in_2_to_the_b_minus_1(
    engine: OpEngine, precision: Precision
) -> None:
    """R = ⌊(2^n − 1)/total⌋ with n = L + b − 1: at most 1 below 2^n/total ≥ 2^(b−1)."""
    most = MAX_TOKENS * top_of(precision)
    totals = np.unique(np.concatenate([np.arange(1, 3000), np.linspace(3000, most, 5000).astype(np.int64)]))
    inverse, length = engine.run(Reciprocal(totals, precision))
    relative = inverse * totals / 2.0 ** (length + precision.reciprocal_bits - 1)
    assert (relative < 1).all()
    assert (relative > 1 - 2.0 ** (1 - precision.reciprocal_bits)).all()
    assert inverse.max() < 1 << precision.reciprocal_bits
    assert inverse.min() >= (1 << (precision.reciprocal_bits - 1)) - 1


def test_reciprocals_of_powers_of_two_and_their_neighbours(engine: OpEngine, precision: Precision) -> None:
    """A bit length read from a rounded float would be wrong just below a power of two."""
    powers = 1 << np.arange(1, 28)
    case = Reciprocal(np.unique(np.concatenate([powers - 1, powers, powers + 1])), precision)
    assert check(case, engine) > 100
    inverse, length = engine.run(Reciprocal(np.array([1, 2, 3, 4]), precision))
    b = precision.reciprocal_bits
    assert length.tolist() == [1, 2, 2, 3]
    assert inverse.tolist() == [(1 << b) - 1, (1 << b) - 1, ((1 << (b + 1)) - 1) // 3, (1 << b) - 1]


@pytest.mark.parametrize("score", ["low", "high", "zero", "just above an octave"])
def test_one_key_counts_at_least_half(engine: OpEngine, precision: Precision, score: str) -> None:
    """The only key lies less than an octave below m, so e > ½ and Σe is never 0, even at the limits of the score."""
    low, high = limits(precision)
    value = {"low": low, "high": high, "zero": 0, "just above an octave": 1}[score]
    case = Exponential(np.array([[value]]), precision)
    assert check(case, engine) == 1
    (result,) = engine.run(case)
    assert top_of(precision) // 2 < int(result[0, 0]) <= top_of(precision)


@pytest.mark.parametrize("keys", [1, 2, 129, MAX_TOKENS])
def test_equal_scores_give_equal_exponentials(engine: OpEngine, precision: Precision, keys: int) -> None:
    for score in (*limits(precision), -64, 0, 64):
        result = engine.run(Exponential(np.full((1, keys), score), precision))[0]
        assert len(np.unique(result)) == 1
    assert result.sum() <= MAX_TOKENS * top_of(precision) < 1 << 27


def test_scores_at_both_limits_leave_only_the_largest(engine: OpEngine, precision: Precision) -> None:
    low, high = limits(precision)
    result = engine.run(Exponential(np.array([[low, high, low, high, low]]), precision))[0]
    one = int(result[0, 1])
    assert result.tolist() == [[0, one, 0, one, 0]]
    assert one > top_of(precision) // 2


def test_a_maximum_that_rises_at_every_key_gives_what_the_last_key_decides(
    engine: OpEngine, precision: Precision
) -> None:
    """One octave up per key: each earlier exponential is half the next, rounded once, not once per rise."""
    step = 1 << precision.score_fraction
    scores = step * np.arange(-10, 30)
    (result,) = engine.run(Exponential(scores.reshape(1, -1), precision))[0]
    top, bits = top_of(precision), precision.exponential_bits
    assert result.tolist() == [
        (top + (1 << octave >> 1)) >> octave if octave <= bits else 0 for octave in range(39, -1, -1)
    ]
    assert running_octaves(scores.tolist(), precision.score_fraction) == 29
    (falling,) = engine.run(Exponential(scores[::-1].reshape(1, -1), precision))[0]
    assert falling.tolist() == result.tolist()[::-1]


def test_the_octave_is_the_ceiling_on_either_side_of_zero(precision: Precision) -> None:
    fraction = precision.score_fraction
    one = 1 << fraction
    scores = np.array([[-one - 1], [-one], [-one + 1], [-1], [0], [1], [one], [one + 1]])
    assert octave_maximum(scores, fraction).reshape(-1).tolist() == [-1, -1, 0, 0, 0, 1, 1, 2]


def test_the_smallest_exponential_is_one_and_the_next_distance_gives_zero(engine: OpEngine) -> None:
    """W8A8: 1023/2^11 < ½ is 0; T[i]/2^10 ≥ ½ is 1 as long as T[i] ≥ 512, i = 63 being the last with 517."""
    distance = np.array([[0, 640, 640 + 63, 704, 705]])
    assert engine.run(Exponential(-distance, W8A8))[0].tolist() == [[1023, 1, 1, 0, 0]]


def test_the_gates_logits_of_24_bits_are_covered_too() -> None:
    low, high = -(1 << 23), (1 << 23) - 1
    assert fine_exponential(np.array([[low, high]])).tolist()[0][0] == 0
    assert fine_exponential(np.array([[low, low]])).tolist() == [[65535, 65535]]


rows = st.lists(st.integers(-3000, 3000), min_size=1, max_size=40)


@given(rows, st.randoms(use_true_random=False))
def test_keys_in_any_order_give_the_same_exponentials_and_sum(
    engine: OpEngine, precision: Precision, scores: list[int], shuffler: object
) -> None:
    case = Exponential(np.array([scores]), precision)
    assert check(case, engine) == len(scores)
    (result,) = engine.run(case)
    order = list(range(len(scores)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    shuffled = engine.run(Exponential(np.array([scores])[:, order], precision))[0]
    assert same([shuffled], [result[:, order]]) == len(scores)
    fraction = precision.score_fraction
    assert running_octaves(scores, fraction) == int(octave_maximum(np.array(scores), fraction)[0])


@given(rows)
def test_a_larger_score_never_has_the_smaller_exponential(
    engine: OpEngine, precision: Precision, scores: list[int]
) -> None:
    result = engine.run(Exponential(np.array([sorted(scores)]), precision))[0]
    assert (np.diff(result) >= 0).all()
    assert 0 <= result.min() <= result.max() <= top_of(precision)
    assert result.max() > top_of(precision) // 2, "the largest score always contributes"


@given(rows, st.integers(-20, 20))
def test_whole_octaves_added_to_every_score_change_nothing(
    engine: OpEngine, precision: Precision, scores: list[int], octaves: int
) -> None:
    shifted = np.array([scores]) + (octaves << precision.score_fraction)
    assert same(engine.run(Exponential(shifted, precision)), engine.run(Exponential(np.array([scores]), precision))) > 0


@given(st.integers(0, 1 << 32))
def test_rows_over_the_whole_range_of_scores_equal_the_reference(
    engine: OpEngine, precision: Precision, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = integers(rng, precision.score_bits, 2, int(rng.integers(1, 30)))
    assert check(Exponential(scores, precision), engine) == scores.size
