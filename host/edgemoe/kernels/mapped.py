"""Arithmetic that is no instruction of its own, through a library that maps arrays: the C simulation's, the RTL's."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from edgemoe.kernels.operations import Exponential, GeluRequantise, IntArray, Operation, Reciprocal, Requantise
from edgemoe.spec.precision import W8A8, Precision

UNTOUCHED = np.iinfo(np.int64).min  # no operation's result


class KernelEngine(ABC):
    """One method per operation, of its name; here those that are parts of instructions."""

    def run(self, op: Operation) -> list[IntArray]:
        """See Operation."""
        results: list[IntArray] = getattr(self, op.name)(op)
        return results

    @abstractmethod
    def _kernels(self, precision: Precision) -> ctypes.CDLL:
        """The library with edgemoe_requantise, _gelu, _exponential and _reciprocal (hls/simulation/bridge.cpp)."""

    def requantise(self, op: Requantise) -> list[IntArray]:
        """See Operation."""
        operands = np.broadcast_arrays(op.values, np.asarray(op.multiplier), np.asarray(op.shift))
        return self._map(W8A8, "edgemoe_requantise", operands, (op.bits,))  # the same in either precision

    def gelu_requantise(self, op: GeluRequantise) -> list[IntArray]:
        """See Operation."""
        return self._map(op.precision, "edgemoe_gelu", [op.values], op.grid)

    def exponential(self, op: Exponential) -> list[IntArray]:
        """See Operation."""
        rows = op.scores.reshape(-1, op.scores.shape[-1])
        parts = [self._map(op.precision, "edgemoe_exponential", [row])[0] for row in rows]
        return [np.stack(parts).reshape(op.scores.shape)]

    def reciprocal(self, op: Reciprocal) -> list[IntArray]:
        """See Operation."""
        return self._map(op.precision, "edgemoe_reciprocal", [op.total], results=2)

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
