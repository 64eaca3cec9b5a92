"""Scratchpads remember the width that they were written with, and wide rows take twice the room: golden and csim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgemoe.devices.base import MissingToolError
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import Buffer, Instruction, Opcode
from edgemoe.spec.memory import SegmentKind, segment
from sim.examples import machine as examples
from sim.examples.machine import Bench, encoded, small_hardware

HARDWARE = replace(small_hardware("w8a8"), name="small_wide", wide_tokens=True, wide_inner=True)
FIT = examples.TOKENS * 4 * examples.HIDDEN  # elements of HIDDEN: four tokens of 128, of 64 wide ones
Changes = dict[int, dict[str, Any]]
WIDE: Changes = {
    examples.QKV: {"source": Buffer.GATE_INPUT, "wide_source": 1, "wide_result": 1},
    examples.ATTENTION: {"wide_source": 1},
    examples.EXPERTS_AT: {"wide_result": 1},
    examples.UP: {"source": Buffer.GATE_INPUT, "wide_source": 1, "wide_result": 1, "output_shift": 16},
    examples.DOWN: {"wide_source": 1},
}
NARROW_AGAIN = {
    "attention reads narrow rows that are wide": (examples.ATTENTION, {examples.ATTENTION: {"wide_source": 0}}),
    "attention reads wide rows that are narrow": (examples.ATTENTION, {examples.QKV: {"wide_result": 0}}),
    "the second layer reads a narrow one that is wide": (examples.DOWN, {examples.DOWN: {"wide_source": 0}}),
    "the second layer reads a wide one that is narrow": (examples.DOWN, {examples.UP: {"wide_result": 0}}),
}


@pytest.fixture(params=["golden", "csim"], scope="module")
def bench(request: pytest.FixtureRequest) -> Bench:
    try:
        return Bench(HARDWARE, request.param)
    except MissingToolError as error:
        pytest.skip(str(error))


def program(*changes: Changes) -> list[Instruction]:
    """The good program in 16 bits where it can be, with other fields."""
    instructions = examples.program()
    for each in (WIDE, *changes):
        for index, fields in each.items():
            instructions[index] = replace(instructions[index], **fields)
    return instructions


@pytest.mark.parametrize("buffer", [Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.HIDDEN])
def test_wide_rows_come_back_as_they_were_written(bench: Bench, buffer: Buffer) -> None:
    instructions = program()
    at = examples.DOWN if buffer == Buffer.HIDDEN else examples.ATTENTION
    store = Instruction(
        Opcode.STORE, source=buffer, wide_source=1, rows=3, source_row=1, in_features=examples.WIDTH, address=256
    )
    words = encoded([*instructions[:at], store, Instruction(Opcode.HALT)])
    found, expected = bench.run(words), Bench(HARDWARE).run(words)
    assert (found.fault, expected.fault) == (Fault.NONE, Fault.NONE)
    assert np.array_equal(found.output, expected.output)
    values = found.output[256 : 256 + 3 * 2 * examples.WIDTH].view("<i2")
    assert np.abs(values).max() > 128, "no value needs its second digit"


@pytest.mark.parametrize("case", NARROW_AGAIN)
def test_rows_of_another_width_are_not_there(bench: Bench, case: str) -> None:
    index, changes = NARROW_AGAIN[case]
    outcome = bench.run(encoded(program(changes)))
    assert (outcome.fault, outcome.program_counter) == (Fault.ILLEGAL_OPERAND, index)
    good = program()
    assert np.array_equal(bench.run(encoded(good)).output, Bench(HARDWARE).run(encoded(good)).output)


@pytest.mark.parametrize(
    ("wide", "hidden", "fault"),
    [(0, 128, Fault.SEGMENT_MISMATCH), (1, 64, Fault.SEGMENT_MISMATCH), (1, 80, Fault.BUFFER_RANGE)],
)
def test_wide_hidden_layers_of_experts_take_twice_the_room(bench: Bench, wide: int, hidden: int, fault: Fault) -> None:
    """All four tokens choose one expert; what fits goes on to a segment of another size."""
    assert HARDWARE.hidden_elements == FIT
    pieces = [*examples.segments(HARDWARE)[:6]]
    one = examples.pack_gate(np.zeros((1, examples.WIDTH), dtype=np.int64), HARDWARE)
    pieces += [segment(6, SegmentKind.GATE, one), segment(7, SegmentKind.EXPERT, one)]
    changes = {
        examples.GATE: {"experts": 1, "top_k": 1},
        examples.EXPERTS_AT: {"experts": 1, "segments": 1, "hidden_features": hidden, "wide_result": wide},
    }
    instructions = [i for i in program(changes) if i.opcode != Opcode.STORE][: examples.EXPERTS_AT]
    outcome = bench.run(encoded([*instructions, Instruction(Opcode.HALT)]), np.concatenate(pieces))
    assert (outcome.fault, outcome.program_counter) == (fault, len(instructions) - 1)
