"""Arithmetic that is no instruction of its own, through a library that maps arrays: the C simulation's, the RTL's."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod

import numpy as np
from engines import Grid, IntArray
from numpy.typing import NDArray

from edgemoe.spec.precision import W8A8, Precision

UNTOUCHED = np.iinfo(np.int64).min  # no operation's result


class KernelEngine(ABC):
    """The operations that are parts of instructions."""

    @abstractmethod
    def _kernels(self, precision: Precision) -> ctypes.CDLL:
        """The library with edgemoe_requantise, _gelu, _exponential and _reciprocal (hls/simulation/bridge.cpp)."""

    def requantise(self, values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int) -> IntArray:
        operands = np.broadcast_arrays(values, np.asarray(multiplier), np.asarray(shift))
        return self._map(W8A8, "edgemoe_requantise", operands, (bits,))[0]  # the same in either precision

    def gelu_requantise(self, values: IntArray, grid: Grid, precision: Precision) -> IntArray:
        return self._map(precision, "edgemoe_gelu", [values], grid)[0]

    def exponential(self, scores: IntArray, precision: Precision) -> IntArray:
        rows = scores.reshape(-1, scores.shape[-1])
        parts = [self._map(precision, "edgemoe_exponential", [row])[0] for row in rows]
        return np.stack(parts).reshape(scores.shape)

    def reciprocal(self, total: IntArray, precision: Precision) -> tuple[IntArray, IntArray]:
        inverse, length = self._map(precision, "edgemoe_reciprocal", [total], results=2)
        return inverse, length

    def _map(
        self,
        precision: Precision,
        function: str,
        arrays: list[IntArray] | tuple[IntArray, ...],
        scalars: tuple[int, ...] = (),
        results: int = 1,
    ) -> list[IntArray]:
        """Element by element: count, arrays, scalars, results."""
        inputs = [np.ascontiguousarray(array, dtype=np.int64) for array in arrays]
        outputs = [np.full(inputs[0].shape, UNTOUCHED, dtype=np.int64) for _ in range(results)]
        call = getattr(self._kernels(precision), function)
        numbers = [ctypes.c_int(scalar) for scalar in scalars]
        call(ctypes.c_int64(inputs[0].size), *map(pointer, inputs), *numbers, *map(pointer, outputs))
        return outputs


def pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    """Where an array stands; it must outlive the call."""
    return ctypes.c_void_p(array.ctypes.data)
