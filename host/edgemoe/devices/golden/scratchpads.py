"""Scratchpads of the golden machine: rows of features, with the shape of what the current run has written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.golden.program import MachineFaultError
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Buffer
from edgemoe.spec.legality import Rows

IntArray = NDArray[np.int64]


class Scratchpads:
    """One array per buffer; rows 0 … written − 1 are valid, all of the same number of features and of one width.

    A write with another number of features, or of another width, begins afresh and must start at row 0; a write may
    extend the valid rows but leave no gap. Everything else is ILLEGAL_OPERAND.
    """

    def __init__(self, hardware: HardwareConfig) -> None:
        self._hardware = hardware
        self._arrays: dict[Buffer, IntArray] = {}
        self._rows: dict[Buffer, int] = dict.fromkeys(Buffer, 0)
        self._wide: dict[Buffer, bool] = dict.fromkeys(Buffer, False)

    def check(self, reads: list[Rows], writes: list[Rows]) -> None:
        """Raise MachineFaultError unless all of this may be read and then written."""
        for each in reads:
            if each.first + each.rows > self.valid_rows(each.buffer, each.features, each.wide):
                raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        for each in writes:
            if each.first > self.valid_rows(each.buffer, each.features, each.wide):
                raise MachineFaultError(Fault.ILLEGAL_OPERAND)

    def valid_rows(self, buffer: Buffer, features: int, wide: bool = False) -> int:
        """How many rows of so many features and that width a buffer holds."""
        same = features == self._features(buffer) and wide == self._wide[buffer]
        return self._rows[buffer] if same else 0

    def _features(self, buffer: Buffer) -> int:
        return self._arrays[buffer].shape[1] if self._rows[buffer] else 0

    def write(self, buffer: Buffer, first: int, values: IntArray, wide: bool = False) -> None:
        """Write rows [first, first + len(values)), of 16 bits when `wide`; checked before."""
        rows, features = values.shape
        if features != self._features(buffer) or wide != self._wide[buffer]:
            self._arrays[buffer] = np.zeros((self._hardware.rows_of(buffer), features), dtype=np.int64)
            self._rows[buffer] = 0
            self._wide[buffer] = wide
        self._arrays[buffer][first : first + rows] = values
        self._rows[buffer] = max(self._rows[buffer], first + rows)

    def read(self, buffer: Buffer, first: int, rows: int) -> IntArray:
        """Rows [first, first + rows); checked before."""
        return self._arrays[buffer][first : first + rows]

    def invalidate(self, buffer: Buffer) -> None:
        """Forget what a buffer holds."""
        self._rows[buffer] = 0
