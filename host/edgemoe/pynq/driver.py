"""The PYNQ driver of the accelerator, bound by its name (VLNV), so RTL and HLS builds get the same one.

    overlay = pynq.Overlay("edgemoe.bit")
    overlay.edgemoe_0.start({"program": program.device_address, …})
    overlay.edgemoe_0.wait(1.0)

`edgemoe.Accelerator` does this and everything around it.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Mapping
from typing import Any

from pynq import DefaultIP

from edgemoe.control import Control
from edgemoe.devices.base import POLL_SECONDS, DeviceError
from edgemoe.pynq.connection import board_answers
from edgemoe.spec.interface import VLNV
from edgemoe.spec.registers import GLOBAL_INTERRUPT, INTERRUPT_ENABLE, INTERRUPT_STATUS, OFFSETS

INTERRUPT_SECONDS = 0.05  # after so long the driver looks for itself, so that a lost interrupt costs only time


class EdgeMoeIp(DefaultIP):  # type: ignore[misc]
    """One accelerator in an overlay. control: starts runs and reads what became of them."""

    bindto = [VLNV]  # noqa: RUF012 (PYNQ reads a list)
    interrupt: Any

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description)
        self.control = Control(self.read_register, self.write_register)

    def read_register(self, offset: int) -> int:
        """One 32-bit register, unsigned (over PYNQ.remote 3.1 it comes signed)."""
        with board_answers():
            return int(self.mmio.read(offset)) & 0xFFFFFFFF

    def write_register(self, offset: int, value: int) -> None:
        """Set one 32-bit register."""
        with board_answers():
            self.mmio.write(offset, int(value))

    def configure(self, watchdog_cycles: int) -> None:
        """Settings that a fresh bitstream lacks: watchdog (0: none), and the interrupt where one is connected."""
        self.write_register(OFFSETS["watchdog_cycles"], watchdog_cycles)
        if self.has_interrupt:
            self.write_register(INTERRUPT_ENABLE, 1)
            self.write_register(GLOBAL_INTERRUPT, 1)

    @property
    def has_interrupt(self) -> bool:
        """Whether PYNQ found the interrupt of this block."""
        return getattr(self, "interrupt", None) is not None

    def start(self, addresses: Mapping[str, int]) -> None:
        """Start a run; names are the pointers of the register map, values physical addresses."""
        self.control.start(addresses)

    def wait(self, timeout: float) -> None:
        """Wait for the end of a run; raises DeviceError after `timeout` seconds, or when the run met a fault."""
        done = self.control.wait(timeout, self.pause)
        fault = self.control.fault() if done else f"no end within {timeout:g} s"
        if fault:
            raise DeviceError(
                f"the accelerator stopped at instruction {self.control.value('program_counter')}: {fault}"
            )

    def pause(self, seconds: float) -> None:
        """Wait for the interrupt, at most `seconds`.

        Where there is none, or where PYNQ's event loop is busy already, as in a notebook: only until the next poll.
        """
        loop = self._loop() if self.has_interrupt else None
        if loop is None:
            time.sleep(max(min(seconds, POLL_SECONDS), 0.0))
            return
        # One task, not wait_for's two: a Ctrl-C inside the inner would come out of the loop again when next it runs.
        waiting = loop.create_task(self._interrupted())
        expiry = loop.call_later(min(seconds, INTERRUPT_SECONDS), waiting.cancel)
        try:
            loop.run_until_complete(waiting)
        except asyncio.CancelledError:
            return
        except RuntimeError:  # another overlay was loaded in between, and PYNQ dropped its interrupts
            self.interrupt = None
            return
        finally:
            expiry.cancel()
            waiting.cancel()
        if self.read_register(INTERRUPT_STATUS) & 1:
            self.write_register(INTERRUPT_STATUS, 1)  # writing toggles it

    async def _interrupted(self) -> None:
        await self.interrupt.wait()  # not a coroutine on a board over the network, where it only raises

    def _loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop on which PYNQ listens to interrupts, when it may be run from here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PYNQ asks for the loop in the same way
            try:
                loop = asyncio.get_event_loop()
            except RuntimeError:  # not the main thread
                return None
        return None if loop.is_running() else loop
