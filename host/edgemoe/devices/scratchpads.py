"""Scratchpads of the golden machine: rows of features, with the shape of what the current run has written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.golden_program import MachineFaultError
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Buffer

IntArray = NDArray[np.int64]


class Scratchpads:
    """One array per buffer; rows 0 … written − 1 are valid, all of the same number of features.

    A write with another number of features begins afresh and must start at row 0; a write may extend the valid rows but
    leave no gap. Everything else is ILLEGAL_OPERAND.
    """

    def __init__(self, hardware: HardwareConfig) -> None:
        self._hardware = hardware
        self._arrays: dict[Buffer, IntArray] = {}
        self._rows: dict[Buffer, int] = dict.fromkeys(Buffer, 0)

    def write(self, buffer: Buffer, first: int, values: IntArray) -> None:
        """Write rows [first, first + len(values))."""
        rows, features = values.shape
        array = self._arrays.get(buffer)
        if array is None or array.shape[1] != features or not self._rows[buffer]:
            array = np.zeros((self._hardware.max_rows, features), dtype=np.int64)
            self._arrays[buffer], self._rows[buffer] = array, 0
        if first > self._rows[buffer]:
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        array[first : first + rows] = values
        self._rows[buffer] = max(self._rows[buffer], first + rows)

    def read(self, buffer: Buffer, first: int, rows: int, features: int) -> IntArray:
        """Rows [first, first + rows), which this run must have written with this number of features."""
        array = self._arrays.get(buffer)
        if array is None or array.shape[1] != features or first + rows > self._rows[buffer]:
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        return array[first : first + rows]

    def read_all(self, buffer: Buffer, features: int) -> IntArray:
        """All valid rows, at least one."""
        return self.read(buffer, 0, max(1, self._rows[buffer]), features)

    def invalidate(self, buffer: Buffer) -> None:
        """Forget what a buffer holds."""
        self._rows[buffer] = 0
