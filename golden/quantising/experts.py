"""How much each expert's own tokens count in the rounding of its weights.

A gate sends most tokens to few experts, so an expert's own second-order matrix may rest on a handful of rows, and
rounding would fit those. It is mixed with that of all of the layer's rows sent through the same expert:

    H = (Σ score²·x·xᵀ + κ·mean over the layer's rows of x·xᵀ) / (Σ score² + κ),  κ = inputs·BALANCE·mean score²

so that with n tokens its own share is n/(n + κ'), κ' = BALANCE·inputs: the number that such a matrix asks for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]

BALANCE = 1.0
"""Tokens per input that weigh as much as all of the layer's."""


def second_moment(rows: Tensor, weight: Tensor | None = None) -> FloatArray:
    """Mean of x·xᵀ, [features, features], over rows [rows, features], weighted by weight [rows] where given."""
    values: FloatArray = rows.numpy().astype(np.float64)
    shares = np.ones(len(values)) if weight is None else weight.numpy().astype(np.float64)
    moment: FloatArray = (values * shares[:, None]).T @ values / shares.sum()
    return moment


def balanced_moment(own: Tensor, score: Tensor, layer: FloatArray) -> FloatArray:
    """An expert's matrix: own rows [n, inputs] weighted by score² [n], towards the layer's [inputs, inputs]."""
    share = own_share(len(own), own.shape[1])
    return share * second_moment(own, score.square()) + (1 - share) * layer


def own_share(tokens: int, inputs: int) -> float:
    """Weight of an expert's own `tokens` against the layer's."""
    return tokens / (tokens + BALANCE * inputs)
