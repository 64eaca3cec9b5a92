"""A golden device that is wrong on purpose, so that every comparison of engines can be seen to fail."""

from __future__ import annotations

from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import DecodedProgram
from edgemoe.spec.isa import Buffer, Instruction, Opcode

CORRUPTED_FEATURE = 2
"""The lowest bit of this feature, in the first row of the first ATTENTION's result, is flipped."""


class CorruptedMachine(GoldenMachine):
    """Golden, but for one bit."""

    _corrupted = False

    def execute(self, instruction: Instruction) -> None:
        """See GoldenMachine."""
        super().execute(instruction)
        if instruction.opcode == Opcode.ATTENTION and not self._corrupted:
            self._corrupted = True
            self.scratchpads.read(Buffer.NORM, instruction.source_row, 1)[0, CORRUPTED_FEATURE] ^= 1


class CorruptedDevice(GoldenDevice):
    """See the module."""

    name = "corrupted"

    def _machine(self, program: DecodedProgram) -> GoldenMachine:
        pointers = self._pointer("input"), self._pointer("output")
        return CorruptedMachine(program, self.hardware, self._memory, *pointers)
