"""The golden device: interprets a program's bytes from memory, as hardware does, with the arithmetic of golden.ops."""

from __future__ import annotations

from edgemoe.devices.base import Bytes, Device, DeviceError
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden_machine import GoldenMachine
from edgemoe.devices.golden_program import DecodedProgram, decode_program
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import (
    AP_DONE,
    AP_IDLE,
    AP_START,
    CONTROL,
    IDENTITY,
    OFFSETS,
    REGISTER_SPACE,
    REGISTERS,
    WEIGHT_PORTS,
)

_WRITABLE = {
    offset
    for register in REGISTERS
    for offset in ((register.offset, register.offset + 4) if register.kind == "pointer" else (register.offset,))
    if register.kind != "output"
}


class GoldenDevice(Device):
    """Register file and memory around a GoldenMachine; a run happens inside the write that starts it."""

    name = "golden"

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        self._memory = FlatMemory()
        self._registers: dict[int, int] = {CONTROL: AP_IDLE}
        self._output("identity", IDENTITY)
        self._output("config_hash", hardware.hash())
        self._decoded: tuple[tuple[int, ...], DecodedProgram] | None = None

    def allocate(self, size: int) -> int:
        """See Device."""
        return self._memory.allocate(size)

    def free(self, address: int) -> None:
        """See Device."""
        self._memory.free(address)
        self._decoded = None

    def write(self, address: int, data: Bytes) -> None:
        """See Device."""
        self._memory.write(address, data)
        if self._decoded and address != self._pointer("input"):
            self._decoded = None

    def read(self, address: int, size: int) -> Bytes:
        """See Device."""
        return self._memory.view(address, size).copy()

    def read_register(self, offset: int) -> int:
        """See Device; reading CONTROL clears AP_DONE."""
        value = self._registers.get(offset, 0)
        if offset == CONTROL:
            self._registers[CONTROL] = value & ~AP_DONE
        return value

    def write_register(self, offset: int, value: int) -> None:
        """See Device; writing AP_START runs the program."""
        if not 0 <= offset < REGISTER_SPACE or offset % 4:
            raise DeviceError(f"register offset {offset:#x} lies outside the register map")
        if offset == CONTROL:
            if value & AP_START:
                self._run()
        elif offset in _WRITABLE:
            self._registers[offset] = value & 0xFFFFFFFF

    def _pointer(self, name: str) -> int:
        offset = OFFSETS[name]
        return self._registers.get(offset, 0) | self._registers.get(offset + 4, 0) << 32

    def _output(self, name: str, value: int) -> None:
        offset = OFFSETS[name]
        self._registers[offset] = value & 0xFFFFFFFF
        self._registers[offset + 4] = value >> 32

    def _program(self) -> DecodedProgram:
        names = ["program", *(f"weights_{port}" for port in range(WEIGHT_PORTS))]
        pointers = tuple(self._pointer(name) for name in names)
        if self._decoded is None or self._decoded[0] != pointers:
            decoded = decode_program(self._memory, self.hardware, pointers[0], list(pointers[1:]))
            self._decoded = (pointers, decoded)
        return self._decoded[1]

    def _machine(self, program: DecodedProgram) -> GoldenMachine:
        return GoldenMachine(program, self.hardware, self._memory, self._pointer("input"), self._pointer("output"))

    def _run(self) -> None:
        program = self._program()
        fault, counter, counters = program.header_fault, 0, {"experts_run": 0, "segments_dropped": 0}
        if fault == Fault.NONE:
            machine = self._machine(program)
            fault = machine.run()
            counter, counters = machine.program_counter, machine.counters
        self._output("error_code", fault)
        self._output("program_counter", counter)
        for name, value in counters.items():
            self._output(name, value)
        self._registers[CONTROL] = AP_DONE | AP_IDLE
