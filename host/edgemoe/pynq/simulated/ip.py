"""The accelerator of a simulated board, as its processor sees it: registers, and memory that a run is using."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

from edgemoe.devices.base import Device, DeviceError
from edgemoe.errors import EdgeMoeError
from edgemoe.pynq.simulated.parts import InterruptController
from edgemoe.spec.registers import (
    AP_START,
    CONTROL,
    GLOBAL_INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
    OFFSETS,
    REGISTERS,
)

POINTERS = {register.name: register.offset for register in REGISTERS if register.kind == "pointer"}
SETTINGS = (GLOBAL_INTERRUPT, INTERRUPT_ENABLE, INTERRUPT_STATUS)


class MisuseError(EdgeMoeError, RuntimeError):
    """What would go wrong silently on a board."""


class SimulatedIp(ABC):
    """What every simulated accelerator watches; subclasses say where registers and handshake come from.

    stuck: a run that is started from now on never ends. Errors of the engine come out of the next access.
    """

    def __init__(self, engine: Device, interrupts: InterruptController, stuck: bool = False) -> None:
        self.stuck = stuck
        self._engine = engine
        self._interrupts = interrupts
        self._engine_lock = threading.Lock()
        self._failure: DeviceError | None = None
        self._busy = False
        self._inputs: dict[int, int] = {}

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._busy

    def read(self, offset: int) -> int:
        """One register; reading CONTROL clears AP_DONE."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return self._read(offset)

    def write(self, offset: int, value: int) -> None:
        """Set one register; raises MisuseError for those that a run is using."""
        if offset in SETTINGS:
            self._set(offset, value)
        elif self._busy:
            raise MisuseError(f"register {offset:#x} written while the accelerator runs")
        elif offset != CONTROL:
            self._inputs[offset] = value
            self._set(offset, value)
        elif value & AP_START:
            self._start()

    def pointer(self, name: str) -> int:
        """The address that a pointer register holds."""
        offset = OFFSETS[name]
        return self._inputs.get(offset, 0) | self._inputs.get(offset + 4, 0) << 32

    def user_of(self, address: int) -> str | None:
        """The pointer by which a run uses the buffer at `address`; None when nothing does."""
        if self._uses_memory():
            for name in POINTERS:
                if self.pointer(name) == address:
                    return name
        return None

    def allocate(self, size: int) -> int:
        """Memory of the engine, not while it works: an engine need not bear that."""
        with self._engine_lock:
            return self._engine.allocate(size)

    def free(self, address: int) -> None:
        """Give it back, likewise."""
        with self._engine_lock:
            self._engine.free(address)

    def reset(self) -> None:
        """As after loading the bitstream."""
        self._rest()
        self._engine.stop()
        self._failure, self._busy = None, False

    def close(self) -> None:
        """End the engine."""
        self._rest()
        self._engine.close()

    def _uses_memory(self) -> bool:
        """Whether the accelerator may still touch the buffers of its pointers."""
        return self._busy

    @abstractmethod
    def _read(self, offset: int) -> int:
        """One register; CONTROL says what the processor may see of a run."""

    @abstractmethod
    def _set(self, offset: int, value: int) -> None:
        """Any register but CONTROL."""

    @abstractmethod
    def _start(self) -> None:
        """Begin a run beside the caller."""

    @abstractmethod
    def _rest(self) -> None:
        """Return when no thread uses the engine any more."""
