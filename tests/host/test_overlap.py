"""Where the compiler puts LOAD and STORE: in front of what hides them, and nothing else in another order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import takewhile

import pytest

from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.overlap import MOVES, overlapped
from edgemoe.compiler.residency import Need, blocks_of
from edgemoe.compiler.step import Step
from edgemoe.compiler.streamed import StreamedScheduler
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import Buffer, Instruction, Opcode
from edgemoe.spec.machine import MOVE_QUEUE
from edgemoe.spec.model import load_model_config

HARDWARE = load_hardware_config("zcu102_stream")


def serial(tasks: int) -> list[Step]:
    """Steps of `small` with blocks, each move where its rows are needed."""
    config = load_model_config("small")
    names = [task.name for task in config.tasks[:tasks]]
    need = Need(config, tasks, HARDWARE)
    return list(StreamedScheduler(hollow_model(config, HARDWARE), names, HARDWARE, blocks_of(need)).steps())


@pytest.mark.parametrize("tasks", [1, 2])
def test_what_computes_keeps_its_order(tasks: int) -> None:
    before = serial(tasks)
    after = overlapped(before, HARDWARE)
    computes = [[step.label for step in steps if step.instruction.opcode not in MOVES] for steps in (before, after)]
    assert computes[0] == computes[1]
    assert Counter(step.label for step in before) == Counter(step.label for step in after)
    assert [step.label for step in before] != [step.label for step in after]


def kinds(steps: list[Step]) -> list[tuple[Opcode, Buffer]]:
    """Opcodes, of moves with their scratchpad."""
    found = []
    for step in steps:
        i = step.instruction
        buffer = {Opcode.LOAD: i.destination, Opcode.STORE: i.source}.get(Opcode(i.opcode), Buffer.NONE)
        found.append((Opcode(i.opcode), Buffer(buffer)))
    return found


def test_rows_of_the_next_heads_come_while_these_are_in_the_array() -> None:
    """A STORE, then the LOADs of two heads on, then ATTENTION."""
    found = kinds(overlapped(serial(1), HARDWARE))
    turn = [
        (Opcode.ATTENTION, Buffer.NONE), (Opcode.STORE, Buffer.NORM), (Opcode.LOAD, Buffer.KEY),
        (Opcode.LOAD, Buffer.VALUE), (Opcode.LOAD, Buffer.QUERY), (Opcode.ATTENTION, Buffer.NONE),
    ]  # fmt: skip
    turns = sum(found[at : at + len(turn)] == turn for at in range(len(found)))
    assert turns == 12 * 10  # of 12 heads the first two have come before, in each of 12 blocks


@pytest.mark.parametrize("tasks", [1, 2])
def test_no_more_moves_stand_together_than_the_machine_takes_if_they_may_wait(tasks: int) -> None:
    """Behind QKV: what the projection needs, and as many STOREs as there is room for beside it."""
    found = kinds(overlapped(serial(tasks), HARDWARE))
    qkv_stores = [Buffer.QUERY, Buffer.KEY, Buffer.VALUE]
    for at, (opcode, _) in enumerate(found):
        moves = list(takewhile(lambda kind: kind[0] in MOVES, found[at + 1 :]))
        if opcode == Opcode.LINEAR and moves and moves[-1][0] == Opcode.STORE and moves[-1][1] in qkv_stores:
            assert len(moves) <= MOVE_QUEUE


def rows_of(opcode: Opcode, first: int, address: int, buffer: Buffer = Buffer.QUERY) -> Step:
    place = {"source": buffer, "source_row": first} if opcode == Opcode.STORE else {
        "destination": buffer, "destination_row": first}  # fmt: skip
    return Step(opcode.name, Instruction(opcode, rows=8, in_features=32, address=address, **place))


ATTENTION = Instruction(Opcode.ATTENTION, rows=8, in_features=32, heads=1, keys=8)


@pytest.mark.parametrize(
    ("load", "hidden"),
    [
        (rows_of(Opcode.LOAD, 8, 0), True),
        (rows_of(Opcode.LOAD, 0, 0), False),  # its own queries
        (rows_of(Opcode.LOAD, 4, 0), False),  # half of them
        (rows_of(Opcode.LOAD, 8, 0, Buffer.NORM), False),  # the scratchpad that it writes
        (rows_of(Opcode.LOAD, 8, 512), False),  # rows that are stored behind it
        (replace(rows_of(Opcode.LOAD, 8, 0), instruction=Instruction(
            Opcode.LOAD, destination=Buffer.QUERY, destination_row=8, rows=8, in_features=16)), False),  # other places
    ],
)  # fmt: skip
def test_a_load_passes_attention_if_nothing_is_in_its_way(load: Step, hidden: bool) -> None:
    steps = [Step("attention", ATTENTION), rows_of(Opcode.STORE, 0, 512, Buffer.NORM), load]
    steps.append(Step("halt", Instruction(Opcode.HALT)))
    assert (overlapped(steps, HARDWARE)[0] is load) == hidden
