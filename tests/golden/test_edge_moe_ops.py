"""Edge-MoE's operations against exact fractions, one number at a time; every comparison is ==."""

from __future__ import annotations

import math
from fractions import Fraction

import edge_moe_reference as exact
import numpy as np
import pytest

from edgemoe_golden.edge_moe import elementary
from edgemoe_golden.edge_moe.attention import attention, attention_scores, key_order, score_scale
from edgemoe_golden.edge_moe.elementary import (
    DELTA_ENTRIES,
    UndefinedError,
    exact_exponential,
    exponential,
    gelu,
    gelu_delta_table,
    reciprocal,
    square_root,
)
from edgemoe_golden.edge_moe.experts import Gate, TopK, route
from edgemoe_golden.edge_moe.fixed import (
    ATTENTION_BIAS,
    BIAS,
    FEATURE,
    PATCH_WEIGHT,
    WEIGHT,
    Format,
    IntArray,
    outside,
    sum_of_products,
    to_fixed,
    wrap,
)
from edgemoe_golden.edge_moe.layernorm import Norm, layernorm
from edgemoe_golden.edge_moe.linear import Linear, linear, patch_embed
from edgemoe_golden.edge_moe.softmax import running_softmax

ONE = 1 << 22


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def features(seed: int, *shape: int, spread: float = 3.0) -> IntArray:
    """Random values in Q10.22."""
    return to_fixed(rng(seed).normal(0, spread, shape), FEATURE)


def real(values: IntArray, fraction: int = 22) -> list[Fraction]:
    return [Fraction(int(value), 2**fraction) for value in values]


def matrix(values: IntArray, fraction: int = 22) -> list[list[Fraction]]:
    return [real(row, fraction) for row in values]


def weights(seed: int, *shape: int, spread: float = 0.3) -> np.ndarray:
    return to_fixed(rng(seed).normal(0, spread, shape), WEIGHT).astype(np.int16)


@pytest.mark.parametrize("form", [FEATURE, WEIGHT, ATTENTION_BIAS, BIAS, PATCH_WEIGHT], ids=str)
def test_floats_are_cut_towards_minus_infinity_and_wrap(form: Format) -> None:
    values = np.concatenate([rng(1).normal(0, form.limit, 400), [0, -0.0, form.limit, -form.limit, 3 * form.limit]])
    values = values.astype(np.float32)
    expected = [exact.cast(Fraction(float(value)), form.bits, form.fraction) for value in values]
    assert real(to_fixed(values, form), form.fraction) == expected
    step = Fraction(1, 2**form.fraction)
    assert outside(values, form) == sum(
        not 0 <= Fraction(float(v)) - e < step for v, e in zip(values, expected, strict=True)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**30])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite values within"):
        to_fixed(np.array([1.0, value]), FEATURE)


@pytest.mark.parametrize("shift", [1, 2, 8, 14])
def test_sums_of_cut_products(shift: int) -> None:
    """Random operands, and both ends of both ranges against each other."""
    values = rng(2).integers(-(2**31), 2**31, (5, 17))
    values[0], values[1] = -(2**31), 2**31 - 1
    values >>= max(0, 12 - shift)
    weight = rng(3).integers(-(2**15), 2**15, (6, 17)).astype(np.int16)
    weight[0], weight[1] = -(2**15), 2**15 - 1
    expected = [
        [sum(int(a) * int(b) >> shift for a, b in zip(row, channel, strict=True)) for channel in weight]
        for row in values
    ]
    assert sum_of_products(values, weight, shift).tolist() == expected


def test_sums_that_would_not_be_exact_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be summed exactly"):
        sum_of_products(np.full((1, 512), -(2**31)), np.ones((1, 512), dtype=np.int16), 1)


# Of all inputs with a result above 0, those whose exact result lies closest to an integer: by 2^-29 … 2^-24 of a step.
CLOSEST = [-9903497, -51836842, -54744112, -63959940, -48929572, -37479000, -57209468, -59352026]


def test_exponential_is_the_floor_of_the_exact_value() -> None:
    values = np.concatenate([CLOSEST, -rng(4).integers(0, 20 * ONE, 90), [0, -1, -16 * ONE, -512 * ONE]])
    assert real(exponential(values)) == [exact.exp_fm(x) for x in real(values)]


def test_floating_point_decides_nothing_that_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact value is asked for every such input, so the result does not depend on the machine's exponential."""
    asked: list[int] = []
    monkeypatch.setattr(elementary, "exact_exponential", lambda value: asked.append(value) or 7)
    assert exponential(np.array([*CLOSEST, -ONE, 0])).tolist() == [7] * len(CLOSEST) + [math.floor(ONE / math.e), ONE]
    assert sorted(asked) == sorted(CLOSEST)


def test_exponential_above_0_wraps() -> None:
    values = np.array([1, ONE, 6 * ONE, 7 * ONE, 100 * ONE, 512 * ONE - 1])
    assert real(exponential(values)) == [exact.exp_fm(x) for x in real(values)]


def test_both_ways_to_the_exponential_agree() -> None:
    values = -rng(5).integers(0, 18 * ONE, 200)
    assert exponential(values).tolist() == [exact_exponential(int(value)) for value in values]


def test_reciprocal() -> None:
    values = np.array([1, 2, 3, ONE - 1, ONE, ONE + 1, 129 * ONE, 2**31 - 1, -1, -3 * ONE])
    assert real(reciprocal(values)) == [exact.recip_fm(x) for x in real(values)]
    with pytest.raises(UndefinedError, match="divides by it"):
        reciprocal(np.array([5, 0]))


def test_square_root() -> None:
    squares = np.arange(1, 800, 61, dtype=np.int64) ** 2
    values = np.concatenate([[0, 1, 2, 4, 2**31 - 1], squares, squares - 1, squares + 1, rng(6).integers(0, 2**31, 50)])
    assert real(square_root(values)) == [exact.sqrt_fm(x) for x in real(values)]
    with pytest.raises(UndefinedError, match="negative"):
        square_root(np.array([-1]))


def test_gelu_table_is_the_rounded_difference_to_relu() -> None:
    """The table ends where the rounded difference reaches 0."""
    table = real(gelu_delta_table())
    assert table == [exact.gelu_delta(i) for i in range(DELTA_ENTRIES)]
    assert table[-1] == 0 != table[-2]


def test_gelu() -> None:
    edges = [0, 1, -1, 11 * ONE // 2 - 1, 11 * ONE // 2, -11 * ONE // 2, -11 * ONE // 2 + 1, -(2**31), 2**31 - 1]
    values = np.concatenate([edges, np.arange(-20, 20) * ONE // 32, rng(7).integers(-6 * ONE, 6 * ONE, 200)])
    assert real(gelu(values)) == [exact.gelu(x) for x in real(values)]
    near = rng(8).integers(-7 * ONE, 7 * ONE, 1000) / ONE
    smooth = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in near])
    assert np.abs(gelu(to_fixed(near, FEATURE)) / ONE - smooth).max() < 9.9e-5


@pytest.mark.parametrize("width", [192, 32, 17])
def test_layernorm(width: int) -> None:
    tokens = features(9, 4, width)
    tokens[1] += 100 * ONE
    weight, bias = to_fixed(rng(10).normal(1, 4, width), BIAS), to_fixed(rng(11).normal(0, 4, width), BIAS)
    found = layernorm(tokens, Norm(weight, bias << 11), 4)
    assert matrix(found) == [exact.layernorm(row, real(weight, 11), real(bias, 11)) for row in matrix(tokens)]


def test_the_mean_comes_out_low() -> None:
    """B5.5: 1/192 is cut to 21845/2^22, and so is every element's share."""
    tokens = np.tile(np.array([3 * ONE, ONE]), (1, 96))
    out = layernorm(tokens, Norm(np.full(192, 1 << 11), np.zeros(192, dtype=np.int64)), 4)[0] / ONE
    assert 1e-5 < out.mean() < 1e-4


@pytest.mark.parametrize(("value", "epsilon", "message"), [(ONE // 16, 4, "negative"), (0, 0, "divides by its root")])
def test_layernorm_without_a_defined_result(value: int, epsilon: int, message: str) -> None:
    """192 equal features: what the cuts take off outweighs a variance of 0 and epsilon."""
    norm = Norm(np.full(192, 1 << 11), np.zeros(192, dtype=np.int64))
    with pytest.raises(UndefinedError, match=message):
        layernorm(np.full((1, 192), value), norm, epsilon)


@pytest.mark.parametrize("spread", [3.0, 200.0], ids=["usual", "wrapping"])
def test_linear(spread: float) -> None:
    tokens, weight = features(12, 3, 40, spread=spread), weights(13, 5, 40)
    bias = to_fixed(rng(14).normal(0, 4, 5), BIAS)
    found = linear(tokens, Linear(weight, bias << 11))
    assert matrix(found) == [exact.linear(row, matrix(weight, 14), real(bias, 11)) for row in matrix(tokens)]


def test_patches_go_channel_row_column_and_the_class_token_comes_first() -> None:
    """A plain loop over the picture; one white pixel lights exactly the weight of its place."""
    side, width = 4, 6
    frame = rng(15).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    weight = to_fixed(rng(16).uniform(-0.5, 0.5, (width, 3, side, side)), PATCH_WEIGHT)
    bias, position = to_fixed(rng(17).normal(0, 1, width), BIAS), features(18, 7, width)
    layer = Linear(weight.reshape(width, -1).astype(np.int16), bias << 11)
    expected = [real(position[0])]
    for patch in range(6):
        top, left = patch // 3 * side, patch % 3 * side
        row = []
        for d in range(width):
            total = Fraction(int(bias[d]), 2**11) + Fraction(int(position[patch + 1, d]), 2**22)
            for c in range(3):
                for y in range(side):
                    for x in range(side):
                        pixel = Fraction(int(frame[top + y, left + x, c]), 256)
                        total += exact.fm(pixel * Fraction(int(weight[d, c, y, x]), 2**16))
            row.append(exact.fm(total))
        expected.append(row)
    assert matrix(patch_embed(frame, side, layer, position)) == expected


def test_queries_meet_keys_in_turn() -> None:
    assert key_order(5).tolist() == [
        [0, 1, 2, 3, 4],
        [1, 2, 3, 4, 0],
        [2, 3, 4, 0, 1],
        [3, 4, 0, 1, 2],
        [0, 1, 2, 3, 4],
    ]


@pytest.mark.parametrize("spread", [0.5, 3.0, 40.0])
def test_running_softmax(spread: float) -> None:
    scores = features(19, 12, 9, spread=spread)
    scores[0], scores[1] = np.sort(scores[0]), np.sort(scores[1])[::-1]
    scores[2] = -(2**31)
    scores[3, 4:] = scores[3, 3]
    maximum, total = running_softmax(scores)
    expected = [exact.online_softmax(row) for row in matrix(scores)]
    assert list(zip(real(maximum), real(total), strict=True)) == expected


def test_the_order_of_keys_shows_in_the_last_bits() -> None:
    """Otherwise the order above would be no part of the arithmetic."""
    scores = features(20, 200, 9)
    assert not np.array_equal(running_softmax(scores)[1], running_softmax(scores[:, ::-1])[1])


@pytest.mark.parametrize(("width", "scale"), [(64, ONE // 8), (16, ONE // 4), (32, math.isqrt(2**39))])
def test_scale_of_scores(width: int, scale: int) -> None:
    assert score_scale(width) == scale


@pytest.mark.parametrize(("count", "head_width", "spread"), [(6, 16, 2.0), (5, 12, 2.0), (3, 64, 12.0)])
def test_attention(count: int, head_width: int, spread: float) -> None:
    query, key, value = (features(seed, count, 2 * head_width, spread=spread) for seed in (21, 22, 23))
    found = attention(query, key, value, 2)
    for head in range(2):
        part = slice(head * head_width, (head + 1) * head_width)
        parts = [matrix(values[:, part]) for values in (query, key, value)]
        scores, statistics, output = exact.attention(*parts)
        assert matrix(found.scores[head]) == scores
        assert list(zip(real(found.maximum[head]), real(found.reciprocal[head]), strict=True)) == statistics
        assert matrix(found.output[:, part]) == output


def test_partial_scores_wrap_at_512() -> None:
    """B5.4: eight products of 10·10 pass 512; the scaled sum of both blocks would not."""
    query = np.full((1, 16), 10 * ONE)
    assert attention_scores(query, query).tolist() == [[2 * (800 - 1024) * ONE // 4]]


def test_gate() -> None:
    tokens, weight = features(24, 7, 32), weights(25, 16, 32)
    weight[9] = weight[4]
    found = route(tokens, Gate(Linear(weight, np.zeros(16, dtype=np.int64)), (True,) * 16), 3)
    for token, row in enumerate(matrix(tokens)):
        logits, experts, scores = exact.gate(row, matrix(weight, 14), 3)
        assert real(found.logits[token]) == logits
        assert found.experts[token].tolist() == experts
        assert real(found.scores[token]) == scores


def test_equal_logits_go_to_the_lower_experts() -> None:
    gate = Gate(Linear(np.zeros((16, 8), dtype=np.int16), np.zeros(16, dtype=np.int64)), (True,) * 16)
    found = route(features(26, 2, 8), gate, 2)
    assert found.experts.tolist() == [[0, 1], [0, 1]]
    assert found.scores.tolist() == [[ONE // 16] * 2] * 2


def test_the_defect_of_top_k_is_an_option() -> None:
    """B5.1: compiled at -O3 the released code sends every token to experts 14 and 15."""
    gate = Gate(Linear(weights(27, 16, 32), np.zeros(16, dtype=np.int64)), (True,) * 16)
    tokens = features(28, 9, 32)
    assert (route(tokens, gate, 2, TopK.OPTIMISED).experts == [14, 15]).all()
    assert not (route(tokens, gate, 2).experts == [14, 15]).all()


def test_wrap_keeps_what_fits() -> None:
    values = [0, -1, 2**31 - 1, -(2**31)]
    assert wrap(np.array(values)).tolist() == values
    assert wrap(np.array([2**31, -(2**31) - 1, 2**40 + 5])).tolist() == [-(2**31), 2**31 - 1, 5]
