"""Gate: 16-bit logits, top-k on integers, scores by softmax over all experts, or over the chosen ones.

logit[e] = Σ x[i]·w[e, i] + b[e]                 16-bit operands within ±32639 (two signed digits); b often 0
chosen   = the k largest logits, ties to the lowest index
t = saturate(round_shift(logit·M, S)), e = exp2(t − m) over ALL experts
score[j] = min(⌊e_j·2^16 / Σe⌋, 2^16 − 1)        exponential and division only here, never for the choice

Renormalised, Σ is over the chosen experts alone (M³ViT's top-k before softmax). A bias is what a task-conditioned gate
adds, or −GATE_BIAS_LIMIT for experts outside a task's window: they are never chosen, and their exponential is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.precision import GATE_LOGIT_BITS, SCORE_BITS, WIDE_LIMIT
from edgemoe_golden.ops.matmul import exact_matmul
from edgemoe_golden.ops.requantise import IntArray, requantise
from edgemoe_golden.ops.softmax import fine_exponential


def gate_logits(values: IntArray, weight: NDArray[Any], bias: IntArray | None = None) -> IntArray:
    """Integer logits [rows, experts], below 2^45; values [rows, D] and weight [experts, D] within ±32639.

    bias [experts] in units of logits, within ±GATE_BIAS_LIMIT.
    """
    logits = exact_matmul(values, weight.T, WIDE_LIMIT, WIDE_LIMIT)
    return logits if bias is None else logits + bias


def top_k_experts(logits: IntArray, top_k: int) -> IntArray:
    """Indices [rows, k] of the largest logits, descending; equal logits in ascending order of the index."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :top_k]


def gate(
    values: IntArray,
    weight: NDArray[Any],
    top_k: int,
    multiplier: int,
    shift: int,
    bias: IntArray | None = None,
    renormalise: bool = False,
) -> tuple[IntArray, IntArray]:
    """Chosen experts [rows, k] and their scores [rows, k], unsigned Q.16.

    multiplier/2^shift turns logits into base-2 Q.12; bias [experts] in units of logits, within ±GATE_BIAS_LIMIT.
    """
    logits = gate_logits(values, weight, bias)
    chosen = top_k_experts(logits, top_k)
    return chosen, gate_scores(logits, chosen, multiplier, shift, renormalise)


def gate_scores(logits: IntArray, chosen: IntArray, multiplier: int, shift: int, renormalise: bool = False) -> IntArray:
    """Scores [rows, k], unsigned Q.16, of the chosen experts [rows, k].

    Softmax over all logits [rows, experts], or over those of the chosen ones.
    """
    weights = fine_exponential(requantise(logits, multiplier, shift, GATE_LOGIT_BITS))
    of_chosen = np.take_along_axis(weights, chosen, axis=1)
    total = (of_chosen if renormalise else weights).sum(axis=1, keepdims=True)
    scores: IntArray = (of_chosen << SCORE_BITS) // total
    return np.minimum(scores, (1 << SCORE_BITS) - 1)
