"""Exact rewrites: the same network with fewer steps. Each changes nothing but the rounding of the float model.

normalisation   W·((p/255 − μ)/s) + b = (W/(255·s))·(p − 128) + (b + W·(128/255 − μ)/s): pixels go in as int8
class token     row 0 of the position table already holds it
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
    """Weight [D, 3·patch²], features in order row, column, channel, and bias for pixels − 128; from [D, 3, p, p]."""
    mean, deviation = np.array(config.pixel_mean), np.array(config.pixel_std)
    ordered = weight.transpose(0, 2, 3, 1)
    centre = (PIXEL_OFFSET / 255.0 - mean) / deviation
    folded: FloatArray = (ordered / (255.0 * deviation)).reshape(config.width, -1)
    folded_bias: FloatArray = bias + (ordered * centre).sum(axis=(1, 2, 3))
    return folded, folded_bias


def folded_position(position: FloatArray, class_token: FloatArray) -> FloatArray:
    """Position table [N, D] from [1, N, D] and [1, 1, D]."""
    table: FloatArray = position[0].copy()
    table[0] += class_token[0, 0]
    return table


def without_key_bias(bias: FloatArray, width: int) -> FloatArray:
    """Bias [3·D] of the joint QKV layer with the middle third zero."""
    kept: FloatArray = bias.copy()
    kept[width : 2 * width] = 0.0
    return kept
