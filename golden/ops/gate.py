"""Gate: 16-bit logits, top-k on integers, scores by softmax over all experts without renormalising.

logit[e] = Σ x[i]·w[e, i]                        16-bit operands within ±32639 (two signed digits), no bias
chosen   = the k largest logits, ties to the lowest index
t = saturate(round_shift(logit·M, S)), e = exp2(t − m) over ALL experts
score[j] = min(⌊e_j·2^16 / Σe⌋, 2^16 − 1)        exponential and division only here, never for the choice
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.precision import GATE_LOGIT_BITS, SCORE_BITS, WIDE_LIMIT
from edgemoe_golden.ops.matmul import exact_matmul
from edgemoe_golden.ops.requantise import IntArray, requantise
from edgemoe_golden.ops.softmax import fine_exponential


def gate_logits(values: IntArray, weight: NDArray[Any]) -> IntArray:
    """Integer logits [rows, experts], below 2^45; values [rows, D] and weight [experts, D] within ±32639."""
    return exact_matmul(values, weight.T, WIDE_LIMIT, WIDE_LIMIT)


def top_k_experts(logits: IntArray, top_k: int) -> IntArray:
    """Indices [rows, k] of the largest logits, descending; equal logits in ascending order of the index."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :top_k]


def gate(values: IntArray, weight: NDArray[Any], top_k: int, multiplier: int, shift: int) -> tuple[IntArray, IntArray]:
    """Chosen experts [rows, k] and their scores [rows, k], unsigned Q.16.

    multiplier/2^shift turns logits into base-2 Q.12.
    """
    logits = gate_logits(values, weight)
    chosen = top_k_experts(logits, top_k)
    return chosen, gate_scores(logits, chosen, multiplier, shift)


def gate_scores(logits: IntArray, chosen: IntArray, multiplier: int, shift: int) -> IntArray:
    """Scores [rows, k], unsigned Q.16, of the chosen experts [rows, k]: softmax over all logits [rows, experts]."""
    weights = fine_exponential(requantise(logits, multiplier, shift, GATE_LOGIT_BITS))
    total = weights.sum(axis=1, keepdims=True)
    scores: IntArray = (np.take_along_axis(weights, chosen, axis=1) << SCORE_BITS) // total
    return np.minimum(scores, (1 << SCORE_BITS) - 1)
