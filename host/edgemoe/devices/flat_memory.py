"""A flat memory with an allocator, for devices that are simulated on the host."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.spec.memory import REGION_ALIGNMENT, round_up

_BASE = 0x1000_0000  # so that a forgotten pointer, 0, is never a valid address
_FILL = 0xA5  # fresh memory is not zero: what an engine forgets to write shows


class FlatMemory:
    """Regions by address; every access must lie inside one of them."""

    def __init__(self, limit: int = 4 << 30) -> None:
        self._regions: dict[int, NDArray[np.uint8]] = {}
        self._next = _BASE
        self._limit = limit

    @property
    def allocated(self) -> int:
        """Bytes in use."""
        return sum(region.size for region in self._regions.values())

    def allocate(self, size: int) -> int:
        """Address of a fresh region filled with 0xA5; raises DeviceError beyond the limit."""
        if size <= 0:
            raise DeviceError(f"cannot allocate {size} bytes")
        if self.allocated + size > self._limit:
            left = self._limit - self.allocated
            raise DeviceError(f"out of memory: {size:,} bytes wanted, {left:,} of {self._limit:,} left")
        address = self._next
        try:
            self._regions[address] = np.full(size, _FILL, dtype=np.uint8)
        except MemoryError as error:
            raise DeviceError(f"out of memory: this computer has no {size:,} bytes left") from error
        self._next += round_up(size, REGION_ALIGNMENT) + REGION_ALIGNMENT
        return address

    def free(self, address: int) -> None:
        """Drop a region."""
        if self._regions.pop(address, None) is None:
            raise DeviceError(f"address {address:#x} was not allocated, or was freed before")

    def view(self, address: int, size: int) -> Bytes:
        """The bytes themselves; raises DeviceError unless they lie inside one region."""
        for start, region in list(self._regions.items()):  # a copy: another thread may allocate during a run
            if start <= address and address + size <= start + region.size:
                return region[address - start : address - start + size]
        raise DeviceError(f"{size} bytes at {address:#x} are not inside any allocated region")

    def write(self, address: int, data: Bytes) -> None:
        """Copy in."""
        self.view(address, data.size)[:] = data
