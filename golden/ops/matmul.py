"""Exact integer matrix products through floating-point BLAS.

A float holds every integer up to 2^24 (float32) or 2^53 (float64); a sum of products stays exact as long as its bound
does not exceed that, in whatever order BLAS adds. Inputs are split where one sum could grow beyond.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

_EXACT = {np.dtype(np.float32): 1 << 24, np.dtype(np.float64): 1 << 53}


def exact_dtype(left_limit: int, right_limit: int) -> np.dtype[Any]:
    """The faster float type in which at least 64 products of operands within ±limits add up exactly."""
    fits = 64 * left_limit * right_limit <= _EXACT[np.dtype(np.float32)]
    return np.dtype(np.float32 if fits else np.float64)


def exact_matmul(left: NDArray[Any], right: NDArray[Any], left_limit: int, right_limit: int) -> IntArray:
    """left @ right over the last and the last but one axis, as int64.

    left [..., rows, inputs], right [..., inputs, columns]: integers in any dtype, |left| ≤ left_limit,
    |right| ≤ right_limit. An operand that already has `exact_dtype` is used without a copy.
    Precondition: inputs·left_limit·right_limit < 2^53.
    """
    dtype = exact_dtype(left_limit, right_limit)
    inputs = left.shape[-1]
    assert inputs * left_limit * right_limit < _EXACT[np.dtype(np.float64)], "sum of products could exceed 2^53"
    left, right = left.astype(dtype, copy=False), right.astype(dtype, copy=False)
    chunk = _EXACT[dtype] // (left_limit * right_limit)
    if inputs <= chunk:
        product: IntArray = (left @ right).astype(np.int64)
        return product
    total = np.zeros((*left.shape[:-1], right.shape[-1]), dtype=np.int64)
    for start in range(0, inputs, chunk):
        part = slice(start, start + chunk)
        total += (left[..., part] @ right[..., part, :]).astype(np.int64)
    return total
