"""Attention in two passes over the keys (B6, "Attention"; B5.4 on the range of its partial sums)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgemoe_golden.edge_moe.elementary import exponential, reciprocal
from edgemoe_golden.edge_moe.fixed import FEATURE, ONE, IntArray, product, wrap
from edgemoe_golden.edge_moe.softmax import running_softmax

QUERIES_IN_FLIGHT = 4
BLOCK = 8  # features of a head that are summed before they are scaled


@dataclass(frozen=True)
class Attended:
    """One layer's attention, all in Q10.22: scores [heads, N, N], maximum and reciprocal [heads, N], output [N, D]."""

    scores: IntArray
    maximum: IntArray
    reciprocal: IntArray
    output: IntArray


def score_scale(head_width: int) -> int:
    """1/√d in Q10.22, cut: 0.125 exactly for Edge-MoE's 64 features."""
    return math.isqrt(ONE * ONE // head_width)


def attention(query: IntArray, key: IntArray, value: IntArray, heads: int) -> Attended:
    """Attention of [N, D] each, heads side by side."""
    parts = [np.split(part, heads, axis=1) for part in (query, key, value)]
    found = [_one_head(*part) for part in zip(*parts, strict=True)]
    scores, maximum, inverse, output = zip(*found, strict=True)
    return Attended(np.stack(scores), np.stack(maximum), np.stack(inverse), np.concatenate(output, axis=1))


def _one_head(query: IntArray, key: IntArray, value: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    scores = attention_scores(query, key)
    maximum, total = running_softmax(np.take_along_axis(scores, key_order(len(query)), axis=1))
    inverse = reciprocal(total)
    probabilities = product(exponential(wrap(scores - maximum[:, None])), inverse[:, None])
    output = np.empty_like(query)
    for feature in range(value.shape[1]):
        products = (probabilities * value[:, feature]) >> FEATURE.fraction
        output[:, feature] = products.sum(axis=1)
    return scores, maximum, inverse, wrap(output)


def attention_scores(query: IntArray, key: IntArray) -> IntArray:
    """Σ over blocks of 8 features of ⌊scale·Σ⌊q·k⌋⌋, [N, N]; each block's sum wraps before it is scaled."""
    width = query.shape[1]
    scale = np.int64(score_scale(width))
    scores = np.zeros((len(query), len(key)), dtype=np.int64)
    for start in range(0, width, BLOCK):
        partial = np.zeros_like(scores)
        for feature in range(start, min(start + BLOCK, width)):
            partial += (query[:, feature, None] * key[:, feature]) >> FEATURE.fraction
        scores += product(wrap(partial), scale)
    return wrap(scores)


def key_order(count: int) -> IntArray:
    """Keys in the order in which each query meets them, [N, N]: query i starts at key i mod 4 and goes round.

    Four queries are in flight, each one key behind the one before it.
    """
    first = np.arange(count)[:, None] % QUERIES_IN_FLIGHT
    return np.asarray((first + np.arange(count)) % count, dtype=np.int64)
