"""Bytes that a program moves between memory and the chip in a frame, from its instructions."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.compiler.cycles import consumed_bytes
from edgemoe.compiler.program import Program
from edgemoe.spec.isa import Opcode
from edgemoe.spec.legality import memory_row


@dataclass(frozen=True)
class Traffic:
    """weights: delivered by the stream, parts as often as they are repeated. loaded, stored: rows of LOAD and STORE."""

    weights: int
    loaded: int
    stored: int


def traffic_of(program: Program) -> Traffic:
    """Of one frame; the frame itself and the heads' outputs come on top."""
    moved = {Opcode.LOAD: 0, Opcode.STORE: 0}
    for i in program.instructions:
        if i.opcode in moved:
            moved[i.opcode] += i.rows * memory_row(i, program.manifest.hardware)
    weights = sum(consumed_bytes(i, program.manifest.hardware) for i in program.instructions)
    return Traffic(weights, moved[Opcode.LOAD], moved[Opcode.STORE])
