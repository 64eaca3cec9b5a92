"""Control: the accelerator's registers in words. Sessions on any device and the PYNQ driver both speak through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, COUNTERS, OFFSETS

_SHORT_RUN = 1 << 24  # cycles in which no counter exceeds 32 bits: a cycle moves fewer than 256 bytes
_ALWAYS_KNOWN = ("experts_run", "segments_dropped")  # counters for which 0 is a count, in every engine


class Control:
    """Starts runs and reads what became of them. read, write: one 32-bit register by its offset."""

    def __init__(self, read: Callable[[int], int], write: Callable[[int, int], None]) -> None:
        self._read = read
        self._write = write

    def idle(self) -> bool:
        """Whether a start would be accepted."""
        return bool(self._read(CONTROL) & AP_IDLE)

    def start(self, addresses: Mapping[str, int]) -> None:
        """Set the pointers by their names in the register map, then start."""
        for name, address in addresses.items():
            self._write(OFFSETS[name], address & 0xFFFFFFFF)
            self._write(OFFSETS[name] + 4, address >> 32)
        self._write(CONTROL, AP_START)

    def wait(self, timeout: float, pause: Callable[[float], None]) -> bool:
        """Whether the run was done within `timeout` seconds. pause(seconds): waits between polls, at most so long."""
        deadline = time.monotonic() + timeout
        while not self._read(CONTROL) & AP_DONE:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            pause(left)
        return True

    def value(self, name: str) -> int:
        """A 64-bit output register."""
        return self.low(name) | self._read(OFFSETS[name] + 4) << 32

    def low(self, name: str) -> int:
        """The low half of an output register; accesses cost a board's processor time while the accelerator rests."""
        return self._read(OFFSETS[name])

    def counters(self) -> dict[str, int]:
        """Counters of the last run; those that the engine cannot know are left out."""
        cycles = self.value("cycles")
        read = self.low if cycles < _SHORT_RUN else self.value
        values = {name: cycles if name == "cycles" else read(name) for name in COUNTERS}
        return {name: value for name, value in values.items() if value or name in _ALWAYS_KNOWN}

    def quiet(self) -> bool:
        """Whether memory owes the accelerator nothing after the last run.

        The watchdog ends a run with accesses in flight, also one that was already ending with another fault. A program
        whose header was refused has asked for nothing that could be written.
        """
        return self.low("error_code") in (Fault.NONE, Fault.BAD_PROGRAM_HEADER, Fault.CONFIG_MISMATCH)

    def fault(self) -> str | None:
        """Why the last run ended early, e.g. `ILLEGAL_FIELD: …`; None when it ended well."""
        code = self.low("error_code")
        if code == Fault.NONE:
            return None
        known = code in list(Fault)
        return f"{Fault(code).name}: {FAULT_TEXT[Fault(code)]}" if known else f"unknown code {code}"
