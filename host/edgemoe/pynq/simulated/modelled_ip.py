"""AP_CTRL and interrupt as Vitis makes them, around an engine that has neither: golden and the C simulation."""

from __future__ import annotations

import _thread
import time

from edgemoe.devices.base import Device, DeviceError
from edgemoe.pynq.simulated.ip import SETTINGS, SimulatedIp
from edgemoe.pynq.simulated.parts import InterruptController
from edgemoe.spec.registers import (
    AP_DONE,
    AP_IDLE,
    AP_START,
    CONTROL,
    GLOBAL_INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
)

_YIELD_SECONDS = 1e-4


class ModelledIp(SimulatedIp):
    """For engines that run inside the write of AP_START. Pointers and outputs are the engine's registers."""

    def __init__(self, engine: Device, interrupts: InterruptController, stuck: bool = False) -> None:
        super().__init__(engine, interrupts, stuck)
        self._done = self._working = False
        self._settings = dict.fromkeys(SETTINGS, 0)

    def reset(self) -> None:
        """See SimulatedIp."""
        super().reset()
        self._done = False
        self._settings = dict.fromkeys(SETTINGS, 0)
        self._signal()

    def _read(self, offset: int) -> int:
        if offset == CONTROL:
            if self._busy:
                return AP_START
            done, self._done = self._done, False
            return AP_IDLE | (AP_DONE if done else 0)
        if offset in self._settings:
            return self._settings[offset]
        with self._engine_lock:
            return self._engine.read_register(offset)

    def _set(self, offset: int, value: int) -> None:
        if offset == INTERRUPT_STATUS:
            self._settings[offset] ^= value & 1  # writing toggles
            self._signal()
        elif offset in self._settings:
            self._settings[offset] = value
        else:
            self._engine.write_register(offset, value)

    def _start(self) -> None:
        self._busy, self._working = True, not self.stuck
        if self._working:
            # One call into C: Ctrl-C comes before the flags or after the thread's start, never between them.
            _thread.start_new_thread(self._work, ())

    def _work(self) -> None:
        try:
            with self._engine_lock:
                self._engine.write_register(CONTROL, AP_START)
        except DeviceError as error:
            self._failure = error
        finally:
            self._settings[INTERRUPT_STATUS] |= self._settings[INTERRUPT_ENABLE] & 1
            self._working = False  # before a next run can begin
            self._done, self._busy = True, False
            self._signal()

    def _rest(self) -> None:
        while self._working:
            time.sleep(_YIELD_SECONDS)

    def _signal(self) -> None:
        level = self._settings[GLOBAL_INTERRUPT] & self._settings[INTERRUPT_STATUS] & 1
        self._interrupts.set_level(bool(level))
