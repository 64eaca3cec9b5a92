"""The golden device: interprets a program's bytes from memory, as hardware does, with edgemoe_golden.ops."""

from __future__ import annotations

from edgemoe.devices.base import Bytes
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import DecodedProgram, decode_program
from edgemoe.devices.golden.threads import one_blas_thread
from edgemoe.devices.host_memory import SimulatedDevice
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import WEIGHT_PORTS


class GoldenDevice(SimulatedDevice):
    """A GoldenMachine behind the registers; a program is decoded once and kept until memory changes."""

    name = "golden"

    def __init__(self, hardware: HardwareConfig) -> None:
        super().__init__(hardware)
        self._decoded: tuple[tuple[int, ...], DecodedProgram] | None = None

    def free(self, address: int) -> None:
        """See Device."""
        super().free(address)
        self._decoded = None

    def write(self, address: int, data: Bytes) -> None:
        """See Device."""
        super().write(address, data)
        if self._decoded and address != self._pointer("input"):
            self._decoded = None

    def _program(self) -> DecodedProgram:
        names = ["program", *(f"weights_{port}" for port in range(WEIGHT_PORTS))]
        pointers = tuple(self._pointer(name) for name in names)
        kept = self._decoded
        if kept is None or kept[0] != pointers:
            kept = (pointers, decode_program(self._memory, self.hardware, pointers[0], list(pointers[1:])))
            self._decoded = kept
        return kept[1]

    def _machine(self, program: DecodedProgram) -> GoldenMachine:
        return GoldenMachine(program, self.hardware, self._memory, self._pointer("input"), self._pointer("output"))

    def _run(self) -> None:
        program = self._program()
        fault, counter, counters = program.header_fault, 0, {"experts_run": 0, "segments_dropped": 0}
        if fault == Fault.NONE:
            machine = self._machine(program)
            with one_blas_thread():
                fault = machine.run()
            counter, counters = machine.program_counter, machine.counters
        self._output("error_code", fault)
        self._output("program_counter", counter)
        for name, value in counters.items():
            self._output(name, value)
