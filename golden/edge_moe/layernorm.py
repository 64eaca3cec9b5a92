"""LayerNorm in one pass, mean and mean square together (B6, "LayerNorm per token"; B5.5 on its bias)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgemoe_golden.edge_moe.elementary import UndefinedError, square_root
from edgemoe_golden.edge_moe.fixed import FEATURE, NORM_WEIGHT, ONE, IntArray, product, wrap


@dataclass(frozen=True)
class Norm:
    """weight [D] in Q5.11; bias [D] in Q10.22."""

    weight: IntArray
    bias: IntArray


def layernorm(tokens: IntArray, norm: Norm, epsilon: int) -> IntArray:
    """y = ⌊⌊(x − mean)·r⌋·weight⌋ + bias, r = trunc(1 / √var), for tokens [N, D]; epsilon in units of 2^-22.

    t = ⌊x·⌊2^22/D⌋ / 2^22⌋, mean = Σt, var = Σ⌊x·t⌋ − ⌊mean²⌋ + epsilon: 1/D is itself cut (21845 for D = 192), so the
    mean comes out low. Raises UndefinedError where var is not above 0.
    """
    share = product(tokens, np.int64(ONE // tokens.shape[1]))
    mean = wrap(share.sum(axis=1))
    square = wrap(product(tokens, share).sum(axis=1))
    variance = wrap(square - product(mean, mean) + epsilon)
    deviation = square_root(variance)
    if (deviation == 0).any():
        raise UndefinedError("a variance came out as 0, and Edge-MoE divides by its root")
    inverse = wrap((1 << 2 * FEATURE.fraction) // deviation)
    normalised = product(tokens - mean[:, None], inverse[:, None])
    return wrap(product(normalised, norm.weight, NORM_WEIGHT.fraction) + norm.bias)
