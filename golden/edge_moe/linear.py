"""Linear layers (B6, "Linear" and "Tokens")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe_golden.edge_moe.fixed import FEATURE, PATCH_WEIGHT, PIXEL_FRACTION, WEIGHT, IntArray, sum_of_products, wrap


@dataclass(frozen=True)
class Linear:
    """weight [out, in] in Q2.14 (Q0.16 for patches); bias [out] in Q10.22."""

    weight: NDArray[np.int16]
    bias: IntArray


def linear(values: IntArray, layer: Linear) -> IntArray:
    """bias + Σ_k ⌊x_k·w_k⌋ of values [N, in]: every product is cut on its own, so the order of the sum is free."""
    return wrap(layer.bias + sum_of_products(values, layer.weight, WEIGHT.fraction))


def patch_embed(frame: NDArray[np.uint8], side: int, layer: Linear, position: IntArray) -> IntArray:
    """Tokens [1 + patches, D] of one frame [H, W, 3].

    Token 0 is position[0], which holds the class token already. Token p is bias + Σ⌊pixel·w⌋ + position[p]; patches row
    by row, inside a patch the order is channel, row, column; pixels are bytes / 256 without any normalisation.
    """
    height, width, channels = frame.shape
    grid = frame.reshape(height // side, side, width // side, side, channels).transpose(0, 2, 4, 1, 3)
    patches = grid.reshape(-1, channels * side * side).astype(np.int64)
    shift = PIXEL_FRACTION + PATCH_WEIGHT.fraction - FEATURE.fraction
    embedded = layer.bias + sum_of_products(patches, layer.weight, shift)
    return wrap(np.concatenate([position[:1], embedded + position[1:]]))
