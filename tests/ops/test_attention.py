"""attention: scores, single-pass softmax, P·V and one reciprocal per row, of all heads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers, score_scales
from edgemoe.kernels.operations import Attention, IntArray
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.attention import attention_scores

FLAT = (0, 0, 32768, 15)  # all scores 0, values unscaled


def top_of(precision: Precision) -> int:
    return (1 << (precision.activation_bits - 1)) - 1


def operands(rng: np.random.Generator, precision: Precision, tokens: int, width: int) -> list[IntArray]:
    return [integers(rng, precision.activation_bits, tokens, width) for _ in range(3)]


def split(tokens: IntArray, heads: int) -> np.ndarray:
    result: np.ndarray = tokens.reshape(len(tokens), heads, -1).swapaxes(0, 1).astype(np.float64)
    return result


@pytest.mark.parametrize(
    ("tokens", "width", "heads"), [(129, 192, 3), (17, 64, 4), (300, 32, 1), (1, 16, 1), (70, 160, 1)]
)
def test_outputs_are_within_the_derived_bound_of_float64(
    engine: OpEngine, precision: Precision, tokens: int, width: int, heads: int, rng: np.random.Generator
) -> None:
    """A weight w errs by at most |d| ≤ a·w + b: a = 2^(½/2^f) − 1 from the score's rounding, b from the exponential
    (1 LSB in W8A8, 1.5 in W16A16, of 2^E − 1). So the mean μ of the values errs by at most Σ|d|·|v − μ| / Σŵ with
    Σŵ ≥ Σw − Σ|d|. The reciprocal and its multiplier round by 2^(1−b') each, and the output by ½ LSB.
    """
    query, key, value = operands(rng, precision, tokens, width)
    scales = score_scales(width // heads, precision)
    multiplier, shift, output_multiplier, output_shift = scales
    q, k, v = (split(part, heads) for part in (query, key, value))
    limit = 2.0 ** (precision.score_bits - 1)
    scores = (
        np.clip(q @ k.swapaxes(1, 2) * (multiplier / 2.0**shift), -limit, limit - 1) / 2.0**precision.score_fraction
    )
    octave = np.ceil(
        attention_scores(query, key, heads, multiplier, shift, precision).max(-1) / 2.0**precision.score_fraction
    )
    weight = 2.0 ** (scores - octave[..., None])
    mean = weight @ v / weight.sum(-1, keepdims=True)
    a = 2.0 ** (0.5 / 2**precision.score_fraction) - 1
    b = (1.5 if precision.fine else 1.0) / (2**precision.exponential_bits - 1)
    drift = a * weight + b
    spread = np.stack(
        [(drift * np.abs(v[:, :, f][:, None, :] - mean[:, :, f][..., None])).sum(-1) for f in range(v.shape[2])], -1
    )
    scale = output_multiplier / 2.0**output_shift
    bound = scale * spread / (weight.sum(-1) - drift.sum(-1))[..., None]
    bound += scale * np.abs(mean) * 2.0 ** (2 - precision.reciprocal_bits) + 0.5 + 1e-6
    result = split(engine.run(Attention(query, key, value, heads, scales, precision))[0], heads)
    top = top_of(precision)
    assert (np.abs(result - np.clip(scale * mean, -top - 1, top)) <= bound).all()


def test_one_key_returns_its_value_within_one_lsb(engine: OpEngine, precision: Precision) -> None:
    """softmax of one key is 1, whatever the score: here its limits and 0. The reciprocal is short by < 2^(1−b)."""
    top = top_of(precision)
    value = np.array([[-top - 1, top, 0, 1, -1, top // 3, -top // 3, 100] * 2])
    for q, k in ((-top - 1, -top - 1), (-top - 1, top), (0, top)):
        arguments = (np.full((1, 16), q), np.full((1, 16), k), value)
        case = Attention(*arguments, 1, (65535, 0, 32768, 15), precision)
        assert check(case, engine) == 16
        (result,) = engine.run(case)
        assert np.abs(result - value).max() <= (0 if not precision.fine else 1)


def test_equal_scores_give_the_mean_of_the_values(engine: OpEngine, precision: Precision) -> None:
    """129 equal keys: values −64 … 64 have mean 0, one more in each gives 1."""
    zeros = np.zeros((129, 16), dtype=np.int64)
    ramp = np.repeat(np.arange(-64, 65)[:, None], 16, axis=1)
    for offset in (-3, 0, 1, 40):
        result = engine.run(Attention(zeros, zeros, ramp + offset, 1, FLAT, precision))[0]
        assert (result == offset).all()


def test_scores_at_the_limits_select_one_key(engine: OpEngine, precision: Precision) -> None:
    top = top_of(precision)
    query = np.full((3, 16), top)
    key = np.repeat([[-top - 1], [top], [-top - 1]], 16, axis=1)
    value = np.repeat([[5], [77], [-60]], 16, axis=1)
    scales = (65535, 10, 32768, 15)
    scores = attention_scores(query, key, 1, *scales[:2], precision)
    assert scores.min() == -(1 << (precision.score_bits - 1))
    assert scores.max() == (1 << (precision.score_bits - 1)) - 1
    assert (engine.run(Attention(query, key, value, 1, scales, precision))[0] == 77).all()


def test_a_maximum_that_rises_at_every_key_equals_the_reference_in_either_direction(
    engine: OpEngine, precision: Precision
) -> None:
    """Key k scores k octaves: hardware raises m at each key going up, never going down; same integers."""
    query, key = np.zeros((12, 16), dtype=np.int64), np.zeros((12, 16), dtype=np.int64)
    query[:, 0], key[:, 0] = 1, np.arange(12)
    value = np.arange(12 * 16).reshape(12, 16) % 251 - 125
    scales = (1 << precision.score_fraction, 0, 32768, 15)
    case = Attention(query, key, value, 1, scales, precision)
    assert check(case, engine) == 12 * 16
    falling = engine.run(Attention(query, key[::-1].copy(), value[::-1].copy(), 1, scales, precision))[0]
    assert same(engine.run(case), [falling]) == 12 * 16


def test_the_most_keys_of_extreme_values_do_not_overflow(engine: OpEngine, precision: Precision) -> None:
    """Σe·v at its bound; the mean of equal values is the value, and the output saturates at scale 2."""
    shape, low = (engine.limits.tokens, 16), -top_of(precision) - 1
    zeros, value = np.zeros(shape, dtype=np.int64), np.full(shape, low)
    rows = engine.run(Attention(zeros, zeros, value, 1, FLAT, precision))[0]
    assert np.abs(rows - low).max() <= (0 if not precision.fine else 1)
    doubled = engine.run(Attention(zeros, zeros, -value - 1, 1, (0, 0, 65535, 15), precision))[0]
    assert (doubled == top_of(precision)).all()


def test_the_longest_head_of_extremes_is_exact(engine: OpEngine, precision: Precision) -> None:
    """q·k = 1536·2^(2A−2), one LSB less in the second key."""
    low = -top_of(precision) - 1
    query, key = np.full((2, 1536), low), np.full((2, 1536), low)
    key[1, 7] = -low - 1
    shift = 2 * precision.activation_bits + 9 + 15 - precision.score_bits
    case = Attention(query, key, np.full((2, 1536), 3), 1, (65535, shift, 32768, 15), precision)
    assert check(case, engine) == 2 * 1536


def test_heads_are_independent_of_each_other(engine: OpEngine, precision: Precision, rng: np.random.Generator) -> None:
    query, key, value = operands(rng, precision, 20, 64)
    scales = score_scales(16, precision)
    whole = engine.run(Attention(query, key, value, 4, scales, precision))[0]
    for head in range(4):
        part = slice(16 * head, 16 * head + 16)
        alone = engine.run(Attention(query[:, part], key[:, part], value[:, part], 1, scales, precision))[0]
        assert same([whole[:, part]], [alone]) == 20 * 16


@given(st.integers(0, 1 << 32), st.integers(1, 14), st.sampled_from([(16, 1), (32, 2), (48, 1)]))
def test_keys_in_any_order_give_the_same_output(
    engine: OpEngine, precision: Precision, seed: int, tokens: int, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    width, heads = shape
    query, key, value = operands(rng, precision, tokens, width)
    scales = (
        int(rng.integers(0, 1 << 16)),
        int(rng.integers(10, 40)),
        int(rng.integers(0, 1 << 16)),
        int(rng.integers(0, 31)),
    )
    case = Attention(query, key, value, heads, scales, precision)
    assert check(case, engine) == tokens * width
    order = rng.permutation(tokens)
    shuffled = engine.run(Attention(query, key[order], value[order], heads, scales, precision))[0]
    assert same(engine.run(case), [shuffled]) == tokens * width


@given(st.integers(0, 1 << 32))
def test_outputs_lie_between_the_smallest_and_the_largest_value(
    engine: OpEngine, precision: Precision, seed: int
) -> None:
    """A weighted mean; the reciprocal is never too large, so towards 0 only it may be short by one LSB."""
    rng = np.random.default_rng(seed)
    query, key, value = operands(rng, precision, 9, 16)
    result = engine.run(Attention(query, key, value, 1, (*score_scales(16, precision)[:2], 32768, 15), precision))[0]
    assert (result <= np.maximum(value.max(axis=0), 0)).all()
    assert (result >= np.minimum(value.min(axis=0), 0)).all()
