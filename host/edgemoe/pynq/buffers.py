"""Memory that the accelerator reaches: PYNQ buffers by physical address, copied in and out with the cache in mind.

Only what every PYNQ device has is used: whole buffers are synchronised, because slices of remote buffers cannot be.
Memory is cached for the processor, which reads results many times faster so than from PYNQ's default, uncached memory.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pynq

from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.pynq.connection import BoardGoneError, board_answers
from edgemoe.spec.memory import REGION_ALIGNMENT

_MEMORY_FACTS = Path("/proc/meminfo")
_PARENTS: list[Any] = []  # kept until this process, a forked child, ends


@dataclass(frozen=True, eq=False)
class _Region:
    """One buffer. view: its bytes as the processor sees them."""

    buffer: Any
    view: Bytes


class Buffers:
    """The buffers of one device, a `pynq.Device`."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._regions: dict[int, _Region] = {}

    def __len__(self) -> int:
        return len(self._regions)

    def allocate(self, size: int) -> int:
        """Physical address of `size` contiguous bytes; raises DeviceError with what there is when memory is short."""
        try:
            with board_answers():
                buffer = pynq.allocate((size,), dtype="u1", target=self._device, cacheable=1)
                address = int(buffer.device_address)
        except BoardGoneError:
            raise
        except (RuntimeError, MemoryError, OSError, TypeError) as error:
            raise DeviceError(
                f"{size:,} bytes of contiguous memory were refused{_free_contiguous()}; close other programs that "
                f"hold buffers, or reserve more at boot with the kernel argument cma=512M ({error})"
            ) from error
        if address % REGION_ALIGNMENT:
            buffer.freebuffer()
            raise DeviceError(f"PYNQ gave a buffer at {address:#x}, which is not aligned to {REGION_ALIGNMENT} bytes")
        self._regions[address] = _Region(buffer, np.asarray(buffer))
        return address

    def free(self, address: int) -> None:
        """Give a buffer back; raises DeviceError for an address that is none's start."""
        region = self._regions.pop(address, None)
        if region is None:
            raise DeviceError(f"address {address:#x} was not allocated, or was freed before")
        with contextlib.suppress(BoardGoneError), board_answers():  # what a board that is gone held is free, too
            region.buffer.freebuffer()

    def free_all(self) -> None:
        """Give everything back."""
        for address in list(self._regions):
            self.free(address)

    def leave_to_the_parent(self) -> None:
        """Forget everything without giving it back, in a forked child, whose copies of PYNQ's objects would free it."""
        for region in self._regions.values():
            region.buffer.pointer, region.buffer.freed = 0, True  # what PYNQ's own finalizer asks
            _PARENTS.append(region.buffer)
        self._regions.clear()

    def write(self, address: int, data: Bytes) -> None:
        """Copy in and flush. The rest of a buffer that is written in part stays as the accelerator left it."""
        region, offset = self._find(address, data.size)
        with board_answers():
            if data.size < region.view.size:
                region.buffer.sync_from_device()
            region.view[offset : offset + data.size] = data
            region.buffer.sync_to_device()

    def read(self, address: int, size: int) -> Bytes:
        """Invalidate and copy out."""
        region, offset = self._find(address, size)
        with board_answers():
            region.buffer.sync_from_device()
        return region.view[offset : offset + size].copy()

    def _find(self, address: int, size: int) -> tuple[_Region, int]:
        for start, region in self._regions.items():
            if start <= address and address + size <= start + region.view.size:
                return region, address - start
        raise DeviceError(f"{size} bytes at {address:#x} are not inside any allocated buffer")


def _free_contiguous() -> str:
    """What the kernel says about contiguous memory, as ` (… of … free)`; empty where it says nothing."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY_FACTS.read_text(encoding="ascii").splitlines())
        free, total = (int(lines[name].split()[0]) * 1024 for name in ("CmaFree", "CmaTotal"))
    except (OSError, KeyError, ValueError, IndexError):
        return ""
    return f" ({free:,} of {total:,} bytes are free)" if total else ""
