"""Patch embedding: pixels − 128 through the unified compute unit, added to the position embedding.

    residual[0]     = position[0]                                  class token included
    residual[1 + p] = saturate(position[1 + p] + round_shift(acc·M, S))

A patch is 16 × 16 × 3 values in the order row, column, channel, as the frame has them; normalisation by mean and
deviation and the offset 128 are folded into weights and bias by the compiler.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.precision import PIXEL_OFFSET, Precision
from edgemoe_golden.ops.linear import PreparedLinear, linear_residual
from edgemoe_golden.ops.requantise import IntArray


def patch_embed(
    patches: NDArray[np.uint8], weights: PreparedLinear, position: IntArray, precision: Precision
) -> IntArray:
    """Residual stream [patches + 1, D]; patches uint8 [patches, features], position [patches + 1, D]."""
    pixels = patches.astype(np.int64) - PIXEL_OFFSET
    residual = position.copy()
    residual[1:] = linear_residual(pixels, weights, position[1:], precision)
    return residual
