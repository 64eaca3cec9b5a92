"""The RTL engine behind the device contract: the Verilog, simulated cycle by cycle, driven as a board is driven.

Registers go through AXI4-Lite, memory through AXI4 with a model of the board's memory (C++, sim/device). Time passes
only while a register is accessed; reading CONTROL of a running engine waits for it, for `POLL_CYCLES` at most.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.base import DeviceError, require_register
from edgemoe.devices.host_memory import HostMemoryDevice
from edgemoe.devices.rtl.build import BUILD_FOLDER, DEVICE, Harness, load_library
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.names import path_part
from edgemoe.spec.registers import CONTROL

POLL_CYCLES = 100_000
WAVES_VARIABLE = "WAVES"  # not empty and not 0: write a VCD file


@dataclass(frozen=True)
class MemoryModel:
    """How memory behaves.

    bytes_per_cycle: all ports together, at most; None: as the hardware configuration says. first_beat_cycles: from an
    address to its first beat, and from the last write beat to its response, at least; None: likewise.
    outstanding: bursts that a port accepts ahead of responses. extra_latency: up to so many cycles more, at random.
    stall_share: share of cycles in which a channel holds back, at random. seed: of all that is random.
    """

    bytes_per_cycle: float | None = None
    first_beat_cycles: int | None = None
    outstanding: int = 16
    extra_latency: int = 0
    stall_share: float = 0.0
    seed: int = 1


class Response(IntEnum):
    """What memory says to an access; NEVER: none any more."""

    OKAY = 0
    SLVERR = 2
    DECERR = 3
    NEVER = 4


class RtlDevice(HostMemoryDevice):
    """The Verilated top with its memory.

    For tests: top, another file that defines module edgemoe_top; harness, which shows other variables of it.
    Raises DeviceError when it cannot be built here.
    """

    name = "rtl"
    seconds_per_cycle = 1e-3

    def __init__(
        self,
        hardware: HardwareConfig,
        memory: MemoryModel | None = None,
        top: Path | None = None,
        harness: Harness = DEVICE,
    ) -> None:
        super().__init__(hardware)
        self._handle: ctypes.c_void_p | None = None
        waves = _waves_file(hardware)
        self._library = load_library(hardware, waves is not None, top, harness)
        memory = memory or MemoryModel()
        rate, latency = memory.bytes_per_cycle, memory.first_beat_cycles
        self._handle = self._library.edgemoe_create(
            None if waves is None else os.fsencode(waves),
            hardware.bytes_per_cycle if rate is None else rate,
            hardware.first_beat_cycles if latency is None else latency,
            memory.outstanding,
            memory.extra_latency,
            memory.stall_share,
            memory.seed,
        )
        if waves is not None:
            print(f"engine 'rtl' writes waves to {waves}", file=sys.stderr)

    def allocate(self, size: int) -> int:
        """See Device; from now on the accelerator can reach it, too."""
        address = super().allocate(size)
        region = self._memory.view(address, size)
        self._library.edgemoe_map(self._open(), address, region.ctypes.data, size)
        return address

    def free(self, address: int) -> None:
        """See Device."""
        super().free(address)
        self._library.edgemoe_unmap(self._open(), address)

    def write_register(self, offset: int, value: int) -> None:
        """See Device."""
        self._check(self._library.edgemoe_write_register(self._open(), require_register(offset), value & 0xFFFFFFFF))

    def read_register(self, offset: int) -> int:
        """See Device; CONTROL of a running engine: when it has ended, or as it is after POLL_CYCLES."""
        if offset != CONTROL:
            return self.read_at_once(offset)
        value = ctypes.c_uint32()
        self._check(self._library.edgemoe_wait(self._open(), POLL_CYCLES, ctypes.byref(value)))
        return value.value

    def read_at_once(self, offset: int) -> int:
        """As read_register, but CONTROL of a running engine as it is; costs only the cycles of the access."""
        value = ctypes.c_uint32()
        self._check(self._library.edgemoe_read_register(self._open(), require_register(offset), ctypes.byref(value)))
        return value.value

    def close(self) -> None:
        """See Device."""
        if self._handle is not None:
            self._library.edgemoe_destroy(self._handle)
            self._handle = None

    def reset(self) -> None:
        """Pulse ap_rst_n; transactions in flight are forgotten by memory, too."""
        self._library.edgemoe_reset(self._open())

    def stop(self) -> None:
        """See Device."""
        self.reset()

    def run(self, cycles: int) -> None:
        """Let time pass without touching a register."""
        self._library.edgemoe_run(self._open(), cycles)
        self._check(0)

    def respond(self, address: int, response: Response) -> None:
        """From now on memory says so to accesses of the word at `address`."""
        self._library.edgemoe_respond(self._open(), address, int(response))

    @property
    def interrupt(self) -> bool:
        """The interrupt output."""
        return bool(self._library.edgemoe_interrupt(self._open()))

    @property
    def quiet(self) -> bool:
        """Whether no transaction is in flight."""
        return bool(self._library.edgemoe_quiet(self._open()))

    @property
    def cycle(self) -> int:
        """Cycles since the device was opened."""
        return int(self._library.edgemoe_cycle(self._open()))

    @property
    def bytes_moved(self) -> tuple[int, int]:
        """Bytes read and written over all ports since the device was opened, as memory counts them."""
        handle = self._open()
        return int(self._library.edgemoe_bytes_read(handle)), int(self._library.edgemoe_bytes_written(handle))

    @property
    def accesses_outside(self) -> int:
        """Accesses beside all allocated memory; they are answered with DECERR."""
        return int(self._library.edgemoe_outside(self._open()))

    def take_trace(self) -> tuple[tuple[str, ...], NDArray[np.uint64]]:
        """Names and values [instructions, names] of what the core showed each time another instruction began.

        Since the last call. `cycle` of the device, then the signals of sim/device/trace.vlt; empty when the core has
        no trace_index.
        """
        handle, names = self._open(), ["cycle"]
        while (name := self._library.edgemoe_trace_name(handle, len(names) - 1)) is not None:
            names.append(name.decode())
        values = np.zeros(int(self._library.edgemoe_trace(handle, None)), dtype=np.uint64)
        self._library.edgemoe_trace(handle, values.ctypes.data)
        return tuple(names), values.reshape(-1, len(names))

    def variable(self, scope: str, name: str) -> NDArray[np.uint8]:
        """The bytes of a variable inside the top as the simulation holds them, to read and to write while the device
        is open. scope: from `TOP.edgemoe_top` on. Raises DeviceError unless the harness shows it.
        """
        size = ctypes.c_uint64()
        at = self._library.edgemoe_variable(self._open(), scope.encode(), name.encode(), ctypes.byref(size))
        if at is None:
            raise DeviceError(f"no variable {scope}.{name} is shown by this build's harness")
        return np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(at))

    def __del__(self) -> None:
        self.close()

    def _open(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise DeviceError("this device is closed; open a new one")
        return self._handle

    def _check(self, failed: int) -> None:
        complaint = self._library.edgemoe_complaint(self._open()).decode()
        if complaint:
            broken = "a rule of its own" if complaint.startswith("verilog:") else "the AXI protocol"
            raise DeviceError(f"engine 'rtl' breaks {broken}, please report it: {complaint}")
        if failed:
            raise DeviceError("engine 'rtl' does not answer on its control port, please report it")


def _waves_file(hardware: HardwareConfig) -> Path | None:
    if os.environ.get(WAVES_VARIABLE, "0") in ("", "0"):
        return None
    folder = BUILD_FOLDER.parent / "waves"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{path_part(hardware.name)}-{os.getpid()}.vcd"
