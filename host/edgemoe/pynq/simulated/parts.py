"""What surrounds the accelerator on a simulated board: clock registers, the interrupt controller, the parsed .hwh."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


class RegisterFile:
    """Registers of the processing system: what was written is read back, and PLLs are as after boot.

    pll: of the I/O PLL, with the factor from which PYNQ computes the clocks.
    """

    def __init__(self, pll: int) -> None:
        self._values: dict[int, int] = {}
        self._pll = pll

    def read(self, address: int) -> int:
        """One 32-bit register."""
        return self._values.get(address, self._pll)

    def write(self, address: int, value: int) -> None:
        """Set one 32-bit register."""
        self._values[address] = value


class InterruptController:
    """AXI INTC with one level-sensitive input, as far as PYNQ uses it, and the Linux device that PYNQ waits on."""

    _PENDING, _ACKNOWLEDGE, _SET_ENABLE, _CLEAR_ENABLE, _MASTER = 0x04, 0x0C, 0x10, 0x14, 0x1C

    def __init__(self) -> None:
        self._level = False
        self._enabled = 0
        self._master = 0
        self._wake: Callable[[], object] | None = None

    def read(self, address: int) -> int:
        """One 32-bit register; the window's offset is in the low 16 bits."""
        pending = int(self._level) & self._enabled
        return {self._PENDING: pending, self._SET_ENABLE: self._enabled}.get(address & 0xFFFF, 0)

    def write(self, address: int, value: int) -> None:
        """Set one 32-bit register."""
        offset = address & 0xFFFF
        if offset == self._SET_ENABLE:
            self._enabled |= value
        elif offset == self._CLEAR_ENABLE:
            self._enabled &= ~value
        elif offset == self._MASTER:
            self._master = value
        self._fire()

    def set_level(self, level: bool) -> None:
        """The accelerator's interrupt output; any thread may call this."""
        self._level = level
        self._fire()

    def add_event(self, event: Any, number: int) -> None:
        """Called by PYNQ in its event loop: `event.set()` once when the interrupt is active and enabled."""
        loop = asyncio.get_event_loop()
        self._wake = lambda: loop.call_soon_threadsafe(event.set)
        self._fire()

    def _fire(self) -> None:
        if self._level and self._enabled & 1 and self._master and self._wake is not None:
            wake, self._wake = self._wake, None
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                wake()


def parse_handoff_file(path: Path, memory_bytes: int) -> Any:
    """PYNQ's parser for a .hwh, with the processor's memory added as the drivers of real boards do."""
    from pynqmetadata.frontends import Metadata

    try:
        from pynqmetadata.views.runtime import RuntimeMetadataParser  # PYNQ 4
    except ImportError:
        from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser  # PYNQ 3

    parser = RuntimeMetadataParser(Metadata(input=path))
    parser.mem_dict["PSDDR"] = {
        "raw_type": 2,
        "used": 1,
        "base_address": 0,
        "size": memory_bytes,
        "type": "DDR4",
        "streaming": False,
        "idx": 0,
        "tag": "PSDDR",
    }
    parser.refresh_hierarchy_dict()
    return parser
