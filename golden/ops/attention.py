"""Attention of all heads: scores, single-pass softmax, P·V, one reciprocal per row and head.

    t = saturate(round_shift((q·k)·M, S))         base-2 scores, M/2^S ≈ scale_q·scale_k·log2(e)/√d
    e = exp2(t − m),  s = Σe,  a = Σ e·v          one sweep over the keys
    out = saturate(round_shift(a·R', S''))        (R, L) = reciprocal(s), b = reciprocal_bits,
                                                  R' = round_shift(R·M', 16), S'' = S' + L + b − 17

The bias of the keys is constant over keys and drops out of softmax, so the compiler leaves it out.
"""

from __future__ import annotations

from edgemoe.spec.precision import MULTIPLIER_BITS, Precision
from edgemoe_golden.ops.matmul import exact_matmul
from edgemoe_golden.ops.requantise import IntArray, requantise, round_shift, saturate_activations
from edgemoe_golden.ops.softmax import exponential, reciprocal


def attention_scores(
    query: IntArray, key: IntArray, heads: int, multiplier: int, shift: int, precision: Precision, wide: bool = False
) -> IntArray:
    """Base-2 scores [heads, queries, keys] in Q.score_fraction from query, key [tokens, D]."""
    limit = precision.activation_limit(wide)
    products = exact_matmul(_heads(query, heads), _heads(key, heads).swapaxes(1, 2), limit, limit)
    return requantise(products, multiplier, shift, precision.score_bits)


def attention(
    query: IntArray,
    key: IntArray,
    value: IntArray,
    heads: int,
    multiplier: int,
    shift: int,
    output_multiplier: int,
    output_shift: int,
    precision: Precision,
    wide_source: bool = False,
    wide_result: bool = False,
) -> IntArray:
    """Attention output [tokens, D]; query, key, value [tokens, D]; each side of activation_bits, or wide.

    D is a multiple of 16·heads, tokens ≤ 2048. output_multiplier/2^output_shift ≈ scale_value/scale_output.
    Wide: q·k is four products of digits (below 2^41 at 2^11 features a head), Σe·v two (below 2^36).
    """
    scores = attention_scores(query, key, heads, multiplier, shift, precision, wide_source)
    weights = exponential(scores, precision)
    top = (1 << precision.exponential_bits) - 1
    gathered = exact_matmul(weights, _heads(value, heads), top, precision.activation_limit(wide_source))
    scale, cut = row_scale(weights.sum(axis=-1, keepdims=True), output_multiplier, output_shift, precision)
    output = saturate_activations(round_shift(gathered * scale, cut), wide_result, precision)
    return output.swapaxes(0, 1).reshape(query.shape)


def row_scale(
    totals: IntArray, output_multiplier: int, output_shift: int, precision: Precision
) -> tuple[IntArray, IntArray]:
    """(R', S''): multiplier and shift that take a row's Σe·v to its output; totals: Σe, at least 1."""
    inverse, length = reciprocal(totals, precision)
    multipliers = round_shift(inverse * output_multiplier, MULTIPLIER_BITS)
    return multipliers, length + (output_shift + precision.reciprocal_bits - 1 - MULTIPLIER_BITS)


def _heads(tokens: IntArray, heads: int) -> IntArray:
    """[tokens, D] → [heads, tokens, D/heads]."""
    return tokens.reshape(len(tokens), heads, -1).swapaxes(0, 1)
