"""What simulated devices share: a flat memory and the register map; a run happens inside the write that starts it."""

from __future__ import annotations

from abc import abstractmethod

from edgemoe.devices.base import Bytes, Device, require_register
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import (
    AP_DONE,
    AP_IDLE,
    AP_START,
    CONTROL,
    IDENTITY,
    OFFSETS,
    REGISTERS,
)

_WRITABLE = {
    offset
    for register in REGISTERS
    for offset in ((register.offset, register.offset + 4) if register.kind == "pointer" else (register.offset,))
    if register.kind != "output"
}


class HostMemoryDevice(Device):
    """Memory of an engine that runs on this host; subclasses have the registers."""

    def __init__(self, hardware: HardwareConfig) -> None:
        super().__init__()
        self.hardware = hardware
        self._memory = FlatMemory()

    def allocate(self, size: int) -> int:
        """See Device."""
        return self._memory.allocate(size)

    def free(self, address: int) -> None:
        """See Device."""
        self._memory.free(address)

    def write(self, address: int, data: Bytes) -> None:
        """See Device."""
        self._memory.write(address, data)

    def read(self, address: int, size: int) -> Bytes:
        """See Device."""
        return self._memory.view(address, size).copy()


class SimulatedDevice(HostMemoryDevice):
    """Memory and registers of an engine on this host; subclasses say what a start does."""

    def __init__(self, hardware: HardwareConfig) -> None:
        super().__init__(hardware)
        self._registers: dict[int, int] = {CONTROL: AP_IDLE}
        self._output("identity", IDENTITY)
        self._output("config_hash", hardware.hash())

    @abstractmethod
    def _run(self) -> None:
        """One run by the pointers in the registers; leaves its results in the output registers.

        Raises DeviceError when the engine itself fails, as for a pointer that leads nowhere.
        """

    def read_register(self, offset: int) -> int:
        """See Device; reading CONTROL clears AP_DONE."""
        value = self._registers.get(offset, 0)
        if offset == CONTROL:
            self._registers[CONTROL] = value & ~AP_DONE
        return value

    def write_register(self, offset: int, value: int) -> None:
        """See Device; writing AP_START runs the program."""
        require_register(offset)
        if offset == CONTROL:
            if value & AP_START:
                self._run()
                self._registers[CONTROL] = AP_DONE | AP_IDLE
        elif offset in _WRITABLE:
            self._registers[offset] = value & 0xFFFFFFFF

    def _pointer(self, name: str) -> int:
        offset = OFFSETS[name]
        return self._registers.get(offset, 0) | self._registers.get(offset + 4, 0) << 32

    def _output(self, name: str, value: int) -> None:
        offset = OFFSETS[name]
        self._registers[offset] = value & 0xFFFFFFFF
        self._registers[offset + 4] = value >> 32
