"""The RTL as the accelerator of a simulated board: registers, handshake and interrupt are the Verilog's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.device import Response, RtlDevice
from edgemoe.pynq.simulated.ip import SimulatedIp
from edgemoe.pynq.simulated.parts import InterruptController
from edgemoe.spec.registers import AP_START, CONTROL

_SLICE_CYCLES = 2_000  # what the processor waits for an access at most
_YIELD_SECONDS = 2e-5
_Result = TypeVar("_Result")


class ClockedIp(SimulatedIp):
    """Accesses go through the engine's AXI4-Lite port, between slices of its clock.

    From a start on the clock goes on beside the processor, until that has read in CONTROL that the run has ended.
    stuck: memory does not answer for the program's header, so the accelerator waits for it for ever.
    """

    def __init__(self, engine: RtlDevice, interrupts: InterruptController, stuck: bool = False) -> None:
        super().__init__(engine, interrupts, stuck)
        self._rtl = engine
        self._worker: threading.Thread | None = None
        # Plain flags and `with` on a plain lock, so that Ctrl-C at any point leaves nothing locked.
        self._asked = self._halted = False
        self._unanswered: int | None = None

    def reset(self) -> None:
        """See SimulatedIp."""
        super().reset()
        if self._unanswered is not None:
            self._rtl.respond(self._unanswered, Response.OKAY)
            self._unanswered = None
        self._interrupts.set_level(self._rtl.interrupt)

    def _uses_memory(self) -> bool:
        """See SimulatedIp; the watchdog says that a run has ended when memory still owes it answers."""
        if self._busy:
            return True
        with self._engine_lock:
            return not self._rtl.quiet

    def _read(self, offset: int) -> int:
        value = self._access(lambda: self._rtl.read_at_once(offset))
        if offset == CONTROL:
            self._busy = bool(value & AP_START)
        return value

    def _set(self, offset: int, value: int) -> None:
        self._access(lambda: self._rtl.write_register(offset, value))

    def _start(self) -> None:
        self._rest()
        self._halted = False
        self._busy = True
        if self.stuck:
            self._unanswered = self.pointer("program")
            self._rtl.respond(self._unanswered, Response.NEVER)
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()
        self._set(CONTROL, AP_START)

    def _work(self) -> None:
        try:
            while self._busy and not self._halted:
                if self._asked:
                    time.sleep(_YIELD_SECONDS)
                    continue
                with self._engine_lock:
                    self._rtl.run(_SLICE_CYCLES)
                    level = self._rtl.interrupt
                self._interrupts.set_level(level)
        except DeviceError as error:
            self._failure = error

    def _rest(self) -> None:
        self._halted = True
        if self._worker is not None:
            self._worker.join()

    def _access(self, access: Callable[[], _Result]) -> _Result:
        """An access before the next slice of the clock; the interrupt output as it left it."""
        self._asked = True
        try:
            with self._engine_lock:
                result = access()
                level = self._rtl.interrupt
        finally:
            self._asked = False
        self._interrupts.set_level(level)
        return result
