"""Gate and experts (B6, "Gate" and "MoE out"; B5.1 and B5.2 on the defects of the released code)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edgemoe_golden.edge_moe.elementary import UndefinedError, exponential, gelu
from edgemoe_golden.edge_moe.fixed import FEATURE, IntArray, product, wrap
from edgemoe_golden.edge_moe.linear import Linear, linear
from edgemoe_golden.edge_moe.softmax import running_softmax


class TopK(Enum):
    """How the k experts of a token are found, see B5.1.

    repaired: largest logits, the lower index of equals; what the released code gives at -O0, by luck with its stack.
    optimised: what it gives at -O3, where values it never set send every token to the last k experts.
    """

    REPAIRED = "repaired"
    OPTIMISED = "optimised"


class FullQueue(Enum):
    """What happens when one expert gets every token, see B5.2.

    served: the expert computes all of them, as meant. refused: UndefinedError, because there the released code reads
    an index stream that nobody wrote: its simulation warns once per token, its hardware would hang.
    """

    SERVED = "served"
    REFUSED = "refused"


@dataclass(frozen=True)
class Expert:
    """The two layers of one expert, or of a dense block."""

    up: Linear
    down: Linear


@dataclass(frozen=True)
class Gate:
    """One task's gate. Beyond Edge-MoE, for M³ViT's other gates: bias [E] in Q10.22; open: [E], experts of the task's
    window; renormalised: scores are divided by the sum over the chosen experts instead of all; ahead: it reads the
    block's input instead of the second LayerNorm.
    """

    layer: Linear
    open: tuple[bool, ...]
    renormalised: bool = False
    ahead: bool = False


@dataclass(frozen=True)
class Routed:
    """logits [N, E], chosen experts [N, k] best first, their scores [N, k]; logits and scores in Q10.22."""

    logits: IntArray
    experts: IntArray
    scores: IntArray


def route(tokens: IntArray, gate: Gate, top_k: int, rule: TopK = TopK.REPAIRED) -> Routed:
    """Softmax over all experts in index order, k largest logits, score = trunc(exp(logit − maximum) / sum).

    Scores are not renormalised. Raises UndefinedError when the sum is 0.
    """
    logits = linear(tokens, gate.layer)
    window = np.flatnonzero(gate.open)
    if rule is TopK.OPTIMISED:
        chosen = np.broadcast_to(window[-top_k:], (len(tokens), top_k)).copy()
    else:
        chosen = window[np.argsort(-logits[:, window], axis=1, kind="stable")[:, :top_k]]
    best = np.take_along_axis(logits, chosen, axis=1)
    maximum, total = running_softmax(best if gate.renormalised else logits[:, window])
    if (total == 0).any():
        raise UndefinedError("a gate's sum of exponentials wrapped to 0, and Edge-MoE divides by it")
    exponentials = exponential(wrap(best - maximum[:, None])) << FEATURE.fraction
    quotient = np.abs(exponentials) // np.abs(total[:, None])
    return Routed(logits, chosen, wrap(np.sign(exponentials) * np.sign(total[:, None]) * quotient))


def feed_forward(tokens: IntArray, expert: Expert) -> tuple[IntArray, IntArray]:
    """(GELU(W1·n + b1), W2·… + b2)."""
    hidden = gelu(linear(tokens, expert.up))
    return hidden, linear(hidden, expert.down)


def mixture(
    tokens: IntArray, routed: Routed, experts: Sequence[Expert], full_queue: FullQueue = FullQueue.SERVED
) -> tuple[IntArray, dict[int, IntArray]]:
    """(y [N, D], hidden values of every expert that ran): experts in ascending order, each over its tokens ascending.

    y starts from 0; y[t] = ⌊score·(W2·gelu(W1·n + b1) + b2)⌋ + y[t]. Experts without tokens are skipped.
    """
    output = np.zeros_like(tokens)
    hidden: dict[int, IntArray] = {}
    for index, rows, scores in _queues(routed, len(experts)):
        if len(rows) == len(tokens) and full_queue is FullQueue.REFUSED:
            raise UndefinedError(f"expert {index} gets all {len(rows)} tokens; Edge-MoE's released code hangs there")
        hidden[index], result = feed_forward(tokens[rows], experts[index])
        output[rows] = wrap(product(scores[:, None], result) + output[rows])
    return output, hidden


def _queues(routed: Routed, experts: int) -> Iterator[tuple[int, IntArray, IntArray]]:
    """(expert, its tokens, their scores) of all experts that have tokens."""
    for expert in range(experts):
        rows, ranks = np.nonzero(routed.experts == expert)
        if len(rows):
            yield expert, rows, routed.scores[rows, ranks]
