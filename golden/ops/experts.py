"""Experts, one after the other: each runs once over all tokens that chose it (Edge-MoE, expert-by-expert reordering).

    for e ascending, if its queue is not empty:
        hidden = f(W1[e]·x[source rows] + b1[e])
        residual[destination rows] += score·(W2[e]·hidden + b2[e])

Experts come in ascending order, and programs queue a row once per expert: so the result does not depend on the order of
a queue. A queue that names a row twice would update it twice, in order.
An expert without tokens is skipped, and its weights are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgemoe.spec.isa import Activation
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.linear import PreparedLinear, linear_gelu, linear_weighted
from edgemoe_golden.ops.requantise import IntArray


@dataclass(frozen=True)
class Expert:
    """The two layers of one expert."""

    up: PreparedLinear
    down: PreparedLinear


@dataclass(frozen=True)
class QueueEntries:
    """Tokens of one expert: NORM row read, RESIDUAL row updated, score in unsigned Q.16."""

    source_rows: IntArray
    destination_rows: IntArray
    scores: IntArray


def expert_queue(
    expert: int, chosen: IntArray, scores: IntArray, source_row: int, destination_row: int
) -> QueueEntries:
    """What one GATE appends to one expert's queue, rows ascending; chosen, scores [rows, k]."""
    rows, slots = np.nonzero(chosen == expert)
    return QueueEntries(rows + source_row, rows + destination_row, scores[rows, slots])


def experts(
    normalised: IntArray,
    residual: IntArray,
    queues: list[QueueEntries],
    weights_of: Callable[[int], Expert],
    multiplier: int,
    shift: int,
    zero: int,
    precision: Precision,
    wide_source: bool = False,
    wide_hidden: bool = False,
    activation: Activation = Activation.GELU,
) -> IntArray:
    """The new residual [rows, D]; queues has one entry per expert.

    weights_of(e) delivers an expert's weights and is asked only for experts that have tokens.
    multiplier, shift, zero: the output grid of the activation function f, one for all experts of the layer.
    """
    updated = residual.copy()
    for index, queue in enumerate(queues):
        if not len(queue.source_rows):
            continue
        weights = weights_of(index)
        gathered = normalised[queue.source_rows]
        modes = wide_source, wide_hidden, activation
        hidden = linear_gelu(gathered, weights.up, multiplier, shift, zero, precision, *modes)
        for part in _runs_of_distinct_rows(queue.destination_rows):
            rows, score = queue.destination_rows[part], queue.scores[part]
            updated[rows] = linear_weighted(hidden[part], weights.down, score, updated[rows], precision, wide_hidden)
    return updated


def _runs_of_distinct_rows(rows: IntArray) -> list[slice]:
    """Slices of a queue, in order, that update no row twice: one slice unless a row is queued twice."""
    if len(np.unique(rows)) == len(rows):
        return [slice(0, len(rows))]
    starts, seen = [0], set[int]()
    for index, row in enumerate(rows.tolist()):
        if row in seen:
            starts.append(index)
            seen.clear()
        seen.add(row)
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]
