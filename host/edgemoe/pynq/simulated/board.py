"""A board on this computer: a PYNQ device whose registers and memory are one of our engines.

Strict, so that a driver's mistakes show on a PC. Memory is not coherent: the processor works on its own copy, poisoned
at first, and only flush and invalidate move bytes between it and the engine's memory. A run goes on beside the
processor; touching a buffer or a pointer that a run is using is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.pl_server.device import Device as PynqBase

from edgemoe.devices.base import Bytes, Device
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.pynq.simulated.clocked_ip import ClockedIp
from edgemoe.pynq.simulated.ip import MisuseError, SimulatedIp
from edgemoe.pynq.simulated.modelled_ip import ModelledIp
from edgemoe.pynq.simulated.parts import InterruptController, RegisterFile, parse_handoff_file
from edgemoe.spec.interface import CONTROL_RANGE, VLNV
from edgemoe.spec.processing_system import ULTRASCALE_PLUS, ProcessingSystem
from edgemoe.spec.registers import REGISTER_SPACE

POISON = 0x5A  # in the processor's copy; the engines fill their own memory with another value


def simulated_ip(engine: Device, interrupts: InterruptController, stuck: bool = False) -> SimulatedIp:
    """The accelerator around an engine: the RTL has registers, handshake and interrupt of its own, others a model's."""
    if isinstance(engine, RtlDevice):
        return ClockedIp(engine, interrupts, stuck)
    return ModelledIp(engine, interrupts, stuck)


class SimulatedBoard(PynqBase):  # type: ignore[misc]
    """engine: any of our devices. memory_limit: bytes of contiguous memory. stuck: runs never end.
    tag: PYNQ's name for the device, None for one per process. system: what the board has around the accelerator.

    Give it to `pynq.Overlay(…, device=board)`, or make it PYNQ's own choice: `pynq.Device.active_device = board`.
    """

    def __init__(
        self,
        engine: Device,
        memory_limit: int = 1 << 30,
        stuck: bool = False,
        tag: str | None = None,
        system: ProcessingSystem = ULTRASCALE_PLUS,
    ) -> None:
        super().__init__(tag or f"edgemoe_simulated_{os.getpid()}")
        self.name, self.arch = "simulated", system.processor  # which selects PYNQ's model of the clocks
        self._system = system
        self.capabilities = {"REGISTER_RW": True}
        self.engine = engine
        self.memory_limit = memory_limit
        self.interrupts = InterruptController()
        self.accelerator = simulated_ip(engine, self.interrupts, stuck)
        self.downloads = 0
        self._registers = RegisterFile(system.pll_factor << system.factor_low)
        self._base: int | None = None
        self._copies: dict[int, Bytes] = {}

    def read_registers(self, address: int, length: int) -> bytes:
        """Called by PYNQ's MMIO: `length` bytes from `address`."""
        return b"".join(self._read(address + at).to_bytes(4, "little") for at in range(0, length, 4))

    def write_registers(self, address: int, data: bytes) -> None:
        """Called by PYNQ's MMIO."""
        for at in range(0, len(data), 4):
            self._write(address + at, int.from_bytes(bytes(data[at : at + 4]), "little"))

    def _read(self, address: int) -> int:
        if self._base is not None and 0 <= address - self._base < REGISTER_SPACE:
            return self.accelerator.read(address - self._base)
        return self._other(address).read(address)

    def _write(self, address: int, value: int) -> None:
        if self._base is not None and 0 <= address - self._base < REGISTER_SPACE:
            self.accelerator.write(address - self._base, value)
        else:
            self._other(address).write(address, value)

    def _other(self, address: int) -> InterruptController | RegisterFile:
        base = self._system.control_base + CONTROL_RANGE
        return self.interrupts if 0 <= address - base < CONTROL_RANGE else self._registers

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
        address = self.accelerator.allocate(size)
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
        self.accelerator.free(pointer)

    def flush(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        """The processor's copy becomes the engine's."""
        self._check_unused(bo, "flush")
        self.engine.write(bo + offset, self._copies[bo][offset : offset + nbytes].copy())

    def invalidate(self, bo: int, offset: int, vaddr: int, nbytes: int) -> None:
        """The engine's memory becomes the processor's copy."""
        self._check_unused(bo, "invalidate")
        self._copies[bo][offset : offset + nbytes] = self.engine.read(bo + offset, nbytes)

    def _check_unused(self, address: int, what: str) -> None:
        name = self.accelerator.user_of(address)
        if name is not None:
            raise MisuseError(f"{what} of the {name} buffer while the accelerator uses it")

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """PYNQ's own parser on the .hwh beside the bitstream."""
        return parse_handoff_file(Path(bitfile_name).with_suffix(".hwh"), self.memory_limit)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Whatever ran is gone, and so are the settings; memory stays."""
        self.accelerator.reset()
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
        self.accelerator.close()
