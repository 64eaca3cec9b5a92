"""A board on this computer: a PYNQ device whose registers and memory are one of our engines.

Strict, so that a driver's mistakes show on a PC. Memory is not coherent: the processor works on its own copy, poisoned
at first, and only flush and invalidate move bytes between it and the engine's memory. A run goes on beside the
processor; touching a buffer or a pointer that a run is using is an error.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.pl_server.device import Device as PynqBase

from edgemoe.devices.base import Bytes, Device, DeviceError
from edgemoe.pynq.simulated_parts import InterruptController, RegisterFile, parse_handoff_file
from edgemoe.spec.interface import INTERRUPT_CONTROLLER_BASE, VLNV
from edgemoe.spec.registers import (
    AP_START,
    CONTROL,
    GLOBAL_INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
    OFFSETS,
    REGISTERS,
)

POISON = 0x5A  # in the processor's copy; the engines fill their own memory with another value
_POINTERS = tuple(register.name for register in REGISTERS if register.kind == "pointer")


class MisuseError(RuntimeError):
    """What would go wrong silently on a board."""


class SimulatedBoard(PynqBase):  # type: ignore[misc]
    """engine: any of our devices. memory_limit: bytes of contiguous memory. stuck: starts, and never finishes.

    Give it to `pynq.Overlay(…, device=board)`, or make it PYNQ's own choice: `pynq.Device.active_device = board`.
    """

    def __init__(self, engine: Device, memory_limit: int = 1 << 30, stuck: bool = False) -> None:
        super().__init__("edgemoe_simulated")
        self.engine = engine
        self.name, self.arch = "simulated", "aarch64"  # the architecture selects PYNQ's model of the clocks
        self.capabilities = {"REGISTER_RW": True}
        self.memory_limit = memory_limit
        self.stuck = stuck
        self.downloads = 0
        self.interrupts = InterruptController()
        self._others = RegisterFile()
        self._base: int | None = None
        self._copies: dict[int, Bytes] = {}
        self._run: threading.Thread | None = None
        self._busy = False
        self._failure: DeviceError | None = None
        self._enabled = {GLOBAL_INTERRUPT: 0, INTERRUPT_ENABLE: 0, INTERRUPT_STATUS: 0}

    # Registers

    def read_registers(self, address: int, length: int) -> bytes:
        """Called by PYNQ's MMIO: `length` bytes from `address`."""
        return b"".join(self._read(address + at).to_bytes(4, "little") for at in range(0, length, 4))

    def write_registers(self, address: int, data: bytes) -> None:
        """Called by PYNQ's MMIO."""
        for at in range(0, len(data), 4):
            self._write(address + at, int.from_bytes(bytes(data[at : at + 4]), "little"))

    def _offset(self, address: int) -> int | None:
        inside = self._base is not None and 0 <= address - self._base < 0x1000
        return address - (self._base or 0) if inside else None

    def _read(self, address: int) -> int:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        offset = self._offset(address)
        if offset is None:
            handler = self.interrupts if address & ~0xFFFF == INTERRUPT_CONTROLLER_BASE else self._others
            return handler.read(address)
        if offset in self._enabled:
            return self._enabled[offset]
        if offset == CONTROL and self.running:
            return AP_START
        return self.engine.read_register(offset)

    def _write(self, address: int, value: int) -> None:
        offset = self._offset(address)
        if offset is None:
            handler = self.interrupts if address & ~0xFFFF == INTERRUPT_CONTROLLER_BASE else self._others
            handler.write(address, value)
        elif offset == INTERRUPT_STATUS:
            self._enabled[offset] ^= value & 1  # as Vitis makes it: writing toggles
            self._signal()
        elif offset in self._enabled:
            self._enabled[offset] = value
        elif self.running:
            raise MisuseError(f"register {offset:#x} written while the accelerator runs")
        elif offset == CONTROL and value & AP_START:
            self._start()
        else:
            self.engine.write_register(offset, value)

    # Runs

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._busy

    def _start(self) -> None:
        self._busy = True
        if self.stuck:
            return
        self._run = threading.Thread(target=self._work, daemon=True)
        self._run.start()

    def _work(self) -> None:
        try:
            self.engine.write_register(CONTROL, AP_START)
        except DeviceError as error:
            self._failure = error
        self._busy = False
        if self._enabled[INTERRUPT_ENABLE] & 1:
            self._enabled[INTERRUPT_STATUS] |= 1
        self._signal()

    def _signal(self) -> None:
        self.interrupts.set_level(bool(self._enabled[GLOBAL_INTERRUPT] & self._enabled[INTERRUPT_STATUS] & 1))

    def _check_unused(self, address: int, what: str) -> None:
        if not self.running:
            return
        for name in _POINTERS:
            low, high = (self.engine.read_register(OFFSETS[name] + half) for half in (0, 4))
            if low | high << 32 == address:
                raise MisuseError(f"{what} of the {name} buffer while the accelerator uses it")

    # Memory

    @property
    def default_memory(self) -> SimulatedBoard:
        """PYNQ asks this for buffers."""
        return self

    def get_memory(self, description: dict[str, Any]) -> SimulatedBoard:
        """All of it is one memory."""
        return self

    @property
    def allocated(self) -> int:
        """Bytes in use."""
        return sum(copy.size for copy in self._copies.values())

    @property
    def buffers(self) -> int:
        """Number of buffers in use."""
        return len(self._copies)

    def allocate(self, shape: Any, dtype: Any, **options: Any) -> PynqBuffer:
        """Called by `pynq.allocate`; RuntimeError beyond the limit, as a board's."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.allocated + size > self.memory_limit:
            raise RuntimeError("Failed to allocate Memory!")
        address = self.engine.allocate(size)
        copy = np.full(size, POISON, dtype=np.uint8)
        self._copies[address] = copy
        buffer = PynqBuffer(
            shape, dtype, bo=address, device=self, buffer=copy.data, device_address=address, coherent=False
        )
        buffer.memory, buffer.pointer, buffer.return_to, buffer.freed = self, address, self, True
        return buffer

    def return_pointer(self, pointer: int) -> None:
        """Called by PYNQ when a buffer is freed."""
        self._check_unused(pointer, "release")
        del self._copies[pointer]
        self.engine.free(pointer)

    def flush(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        """The processor's copy becomes the engine's."""
        self._check_unused(bo, "flush")
        self.engine.write(bo + offset, self._copies[bo][offset : offset + nbytes].copy())

    def invalidate(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        """The engine's memory becomes the processor's copy."""
        self._check_unused(bo, "invalidate")
        self._copies[bo][offset : offset + nbytes] = self.engine.read(bo + offset, nbytes)

    # Overlays

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """PYNQ's own parser on the .hwh beside the bitstream."""
        return parse_handoff_file(Path(bitfile_name).with_suffix(".hwh"), self.memory_limit)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Whatever ran is gone, and so are the settings; memory stays."""
        if self._run is not None:
            self._run.join()
        self._run, self._busy, self._failure = None, False, None
        self._enabled = dict.fromkeys(self._enabled, 0)
        self.interrupts.set_level(False)
        self.downloads += 1
        super().post_download(bitstream, parser, self.name)
        bases = [facts["phys_addr"] for facts in self.ip_dict.values() if facts["type"] == VLNV]
        self._base = bases[0] if bases else None
        for facts in self.interrupt_controllers.values():
            if facts["parent"] == "":  # PYNQ's table of devices, filled in place of /dev/uio
                _InterruptController._uio_devices[facts["raw_irq"]] = self.interrupts

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing is kept on disk."""

    def shutdown(self) -> None:
        """No other logic shares the bus."""

    def close(self) -> None:
        """End the engine."""
        self.engine.close()
