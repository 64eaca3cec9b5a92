"""Exact rewrites: the same network with fewer steps. Each changes nothing but the rounding of the float model.

normalisation   W·((p/255 − μ)/s) + b = (W/(255·s))·(p − 128) + (b + W·(128/255 − μ)/s): pixels go in as int8
prefix tokens   rows of the position table already hold them: row 0 has no patch; a later one has a patch of mid-grey,
                pixels − 128 = 0, whose embedding is the bias alone, so its row is the token less the bias (integers)
patch padding   features beyond channels·patch² have zero weights
key bias        adds q·b to all scores of a query, which softmax cancels
hidden zero     Σ W·(h − z) + b = Σ W·h + (b − z·ΣW): taken off the next layer's bias, in integers (`integers.py`)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import PIXEL_OFFSET

FloatArray = NDArray[np.float64]


def folded_patch_embed(config: ModelConfig, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weight [D, embedded_features], features in order row, column, channel, and bias for pixels − 128.

    weight [D, channels, patch, patch], bias [D].
    """
    mean, deviation = np.array(config.pixel_mean), np.array(config.pixel_std)
    ordered = weight.transpose(0, 2, 3, 1)
    centre = (PIXEL_OFFSET / 255.0 - mean) / deviation
    folded: FloatArray = (ordered / (255.0 * deviation)).reshape(config.width, -1)
    folded = np.pad(folded, ((0, 0), (0, config.embedded_features - config.patch_features)))
    folded_bias: FloatArray = bias + (ordered * centre).sum(axis=(1, 2, 3))
    return folded, folded_bias


def folded_position(position: FloatArray, prefix: FloatArray) -> FloatArray:
    """Position table [N, D] with the prefix tokens in it, from [1, N, D] and [prefix tokens, D]."""
    table: FloatArray = position[0].copy()
    table[: len(prefix)] += prefix
    return table


def without_key_bias(bias: FloatArray, width: int) -> FloatArray:
    """Bias [3·D] of the joint QKV layer with the middle third zero."""
    kept: FloatArray = bias.copy()
    kept[width : 2 * width] = 0.0
    return kept
