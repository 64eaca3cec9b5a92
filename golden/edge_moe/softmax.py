"""Online softmax: running maximum and running sum, one score after the other (B6, "Attention" and "Gate")."""

from __future__ import annotations

import numpy as np

from edgemoe_golden.edge_moe.elementary import exponential
from edgemoe_golden.edge_moe.fixed import IntArray, product, wrap


def running_softmax(scores: IntArray) -> tuple[IntArray, IntArray]:
    """(maximum, Σ exp(score − maximum)) per row of scores [rows, keys], taken in the order in which they stand.

    A score above the maximum so far: sum = ⌊sum·exp(maximum − score)⌋ + 1, and it becomes the maximum; any other:
    sum += exp(score − maximum). Upstream starts from maximum −512 and sum 0; its first exponential underflows Q10.22
    (B5.3), but it is multiplied by that 0, so the first score gives sum 1 whatever it is: the start here.
    """
    maxima = np.maximum.accumulate(scores, axis=1)
    rises = scores[:, 1:] > maxima[:, :-1]
    factors = exponential(wrap(-np.abs(scores[:, 1:] - maxima[:, :-1])))
    total = exponential(np.zeros(len(scores), dtype=np.int64))
    one = int(total[0])
    for step in range(scores.shape[1] - 1):
        factor = factors[:, step]
        total = wrap(np.where(rises[:, step], product(total, factor) + one, total + factor))
    return maxima[:, -1], total
