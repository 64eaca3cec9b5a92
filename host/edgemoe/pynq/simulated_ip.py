"""The accelerator's registers on a simulated board: an engine whose runs go on beside the processor."""

from __future__ import annotations

import threading

from edgemoe.devices.base import Device, DeviceError
from edgemoe.pynq.simulated_parts import InterruptController
from edgemoe.spec.registers import (
    AP_DONE,
    AP_IDLE,
    AP_START,
    CONTROL,
    GLOBAL_INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
    REGISTERS,
)

_POINTERS = {register.name: register.offset for register in REGISTERS if register.kind == "pointer"}
_SETTINGS = (GLOBAL_INTERRUPT, INTERRUPT_ENABLE, INTERRUPT_STATUS)


class MisuseError(RuntimeError):
    """What would go wrong silently on a board."""


class SimulatedIp:
    """AP_CTRL, interrupt and pointers as Vitis makes them; the other registers are the engine's.

    stuck: a run never ends. Errors of the engine come out of the next access.
    """

    def __init__(self, engine: Device, interrupts: InterruptController, stuck: bool = False) -> None:
        self.stuck = stuck
        self._engine = engine
        self._interrupts = interrupts
        self._engine_lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._given_up = threading.Event()
        self._failure: DeviceError | None = None
        self._busy = self._done = False
        self._settings = dict.fromkeys(_SETTINGS, 0)
        self._pointers: dict[int, int] = {}

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._busy

    def read(self, offset: int) -> int:
        """One register; reading CONTROL clears AP_DONE."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if offset == CONTROL:
            value = AP_START if self._busy else AP_IDLE | (AP_DONE if self._done else 0)
            self._done = self._done and self._busy
            return value
        if offset in self._settings:
            return self._settings[offset]
        with self._engine_lock:
            return self._engine.read_register(offset)

    def write(self, offset: int, value: int) -> None:
        """Set one register; raises MisuseError for those that a run is using."""
        if offset == INTERRUPT_STATUS:
            self._settings[offset] ^= value & 1  # writing toggles
            self._signal()
        elif offset in self._settings:
            self._settings[offset] = value
        elif self._busy:
            raise MisuseError(f"register {offset:#x} written while the accelerator runs")
        elif offset != CONTROL:
            self._pointers[offset] = value
            self._engine.write_register(offset, value)
        elif value & AP_START:
            self._start()

    def user_of(self, address: int) -> str | None:
        """The pointer by which a run uses the buffer at `address`; None when nothing does."""
        if self._busy:
            for name, offset in _POINTERS.items():
                if self._pointers.get(offset, 0) | self._pointers.get(offset + 4, 0) << 32 == address:
                    return name
        return None

    def allocate(self, size: int) -> int:
        """Memory of the engine, between runs: an engine need not bear it during one."""
        with self._engine_lock:
            return self._engine.allocate(size)

    def free(self, address: int) -> None:
        """Give it back, between runs."""
        with self._engine_lock:
            self._engine.free(address)

    def reset(self) -> None:
        """As after loading the bitstream."""
        self._given_up.set()
        if self._worker is not None:
            self._worker.join()
        self._engine.stop()
        self._failure, self._busy, self._done = None, False, False
        self._settings = dict.fromkeys(_SETTINGS, 0)
        self._signal()

    def _start(self) -> None:
        self._busy = True
        self._given_up.clear()
        if not self.stuck:
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def _work(self) -> None:
        try:
            with self._engine_lock:
                self._engine.write_register(CONTROL, AP_START)
                while not self._engine.read_register(CONTROL) & AP_DONE and not self._given_up.is_set():
                    pass
        except DeviceError as error:
            self._failure = error
        self._done, self._busy = True, False
        self._settings[INTERRUPT_STATUS] |= self._settings[INTERRUPT_ENABLE] & 1
        self._signal()

    def _signal(self) -> None:
        level = self._settings[GLOBAL_INTERRUPT] & self._settings[INTERRUPT_STATUS] & 1
        self._interrupts.set_level(bool(level))
