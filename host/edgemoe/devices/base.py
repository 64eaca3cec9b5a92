"""The device contract: the few calls that make a simulator and a board interchangeable."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.exclusive import ExclusiveUse
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import REGISTER_SPACE

Bytes = NDArray[np.uint8]

POLL_SECONDS = 2e-4
FRAME_SECONDS = 600.0  # that a frame may take unless whoever waits says else


class DeviceError(EdgeMoeError, RuntimeError):
    """A device that cannot do what was asked; the message says what happened and what to do."""


class MissingToolError(DeviceError):
    """An engine's compiler, simulator or headers that are not installed; the message says how to install them."""


def require_register(offset: int) -> int:
    """The offset; raises DeviceError where no 32-bit register can be."""
    if not 0 <= offset < REGISTER_SPACE or offset % 4:
        raise DeviceError(f"register offset {offset:#x} lies outside the register map")
    return offset


class Device(ABC):
    """One accelerator with the memory it can reach.

    Addresses are physical, as the accelerator's pointer registers take them. Register offsets are those of
    `edgemoe.spec.registers`. Usable as a context manager.
    clock_mhz: of the accelerator, where it is known to differ from what the configuration is meant for.
    seconds_per_cycle: that an engine which simulates every cycle may take beyond FRAME_SECONDS, on a busy computer.
    use: who uses the device. A Session asks it before it touches anything; the calls here do not, so whoever makes them
    beside a session sees to it that they do not meet a run.
    """

    name: str
    hardware: HardwareConfig
    clock_mhz: float | None = None
    seconds_per_cycle: float = 0.0

    def __init__(self) -> None:
        self.use = ExclusiveUse(f"device '{self.name}'")

    @abstractmethod
    def allocate(self, size: int) -> int:
        """Address of `size` fresh bytes, aligned to 4096; raises DeviceError when memory is short."""

    @abstractmethod
    def free(self, address: int) -> None:
        """Give back what `allocate` returned."""

    @abstractmethod
    def write(self, address: int, data: Bytes) -> None:
        """Copy host bytes to device memory; visible to the accelerator afterwards."""

    @abstractmethod
    def read(self, address: int, size: int) -> Bytes:
        """Copy device memory to the host, as the accelerator left it."""

    @abstractmethod
    def write_register(self, offset: int, value: int) -> None:
        """Write one 32-bit register."""

    @abstractmethod
    def read_register(self, offset: int) -> int:
        """Read one 32-bit register."""

    def pause(self, seconds: float) -> None:
        """Wait until the accelerator may have finished, at most `seconds`; a board with an interrupt sleeps on it."""
        time.sleep(max(min(seconds, POLL_SECONDS), 0.0))

    def stop(self) -> None:
        """Bring the accelerator to rest after a run that was given up or met a fault; memory keeps its addresses.

        When it returns, the accelerator touches no memory any more; when it raises, it may, and is to be called again.
        Nothing here, for devices whose runs end before `write_register` does.
        """
        return

    def power_rails(self) -> dict[str, Callable[[], float]]:
        """Watts by rail, read when called; empty where no power can be measured, as in simulation."""
        return {}

    def facts(self) -> dict[str, object]:
        """What a report should say about the device, as JSON has it."""
        return {"kind": "simulation on the host"}

    def close(self) -> None:
        """Release everything; further calls are errors. Harmless to repeat."""
        return

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
