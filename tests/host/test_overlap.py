"""Where the compiler puts LOAD and STORE: in front of what hides them, and nothing else in another order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, takewhile

import numpy as np
import pytest

from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.overlap import MOVES, overlapped
from edgemoe.compiler.residency import Need, blocks_of
from edgemoe.compiler.step import Step
from edgemoe.compiler.streamed import StreamedScheduler
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.legality import memory_span, reads
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
        (rows_of(Opcode.LOAD, 8, 512 - 256), True),  # those before
        (rows_of(Opcode.LOAD, 8, 512 - 240), False),
        (rows_of(Opcode.LOAD, 8, 512 + 256), True),  # those behind
        (rows_of(Opcode.LOAD, 8, 512 + 240), False),
        (replace(rows_of(Opcode.LOAD, 8, 0), instruction=Instruction(
            Opcode.LOAD, destination=Buffer.QUERY, destination_row=8, rows=8, in_features=16)), False),  # other places
    ],
)  # fmt: skip
def test_a_load_passes_attention_if_nothing_is_in_its_way(load: Step, hidden: bool) -> None:
    steps = [Step("attention", ATTENTION), rows_of(Opcode.STORE, 0, 512, Buffer.NORM), load]
    steps.append(Step("halt", Instruction(Opcode.HALT)))
    assert (overlapped(steps, HARDWARE)[0] is load) == hidden


def other(opcode: Opcode, **fields: int) -> Step:
    return Step(opcode.name, Instruction(opcode, rows=8, **fields))


STEPS = {
    "attention": Step("attention", ATTENTION),
    "copy": other(Opcode.COPY, in_features=32),
    "normalise": other(Opcode.LAYERNORM, source=Buffer.RESIDUAL, destination=Buffer.NORM, in_features=32),
    "up": other(Opcode.LINEAR, source=Buffer.NORM, destination=Buffer.HIDDEN, epilogue=Epilogue.GELU, in_features=32,
                out_features=32),
    "down": other(Opcode.LINEAR, source=Buffer.HIDDEN, destination=Buffer.RESIDUAL, epilogue=Epilogue.RESIDUAL,
                  in_features=32, out_features=32),
    "qkv": other(Opcode.LINEAR, source=Buffer.NORM, destination=Buffer.QUERY, epilogue=Epilogue.QKV, in_features=32,
                 out_features=96),
    "experts": other(Opcode.EXPERTS, in_features=32, experts=2),
    "head": other(Opcode.HEAD, in_features=32, out_features=16),
    "halt": Step("halt", Instruction(Opcode.HALT)),
    **{f"load {buffer.name}": rows_of(Opcode.LOAD, 16, 0, buffer) for buffer in Buffer if buffer != Buffer.NONE},
    **{f"store {buffer.name}": rows_of(Opcode.STORE, 0, 4096, buffer) for buffer in Buffer if buffer != Buffer.NONE},
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # LOAD goes in front of one long instruction, and of the short ones behind the long one before it,
        ("attention, copy, attention, copy, load KEY", "attention, load KEY, copy, attention, copy"),
        ("down, attention, load HIDDEN", "down, load HIDDEN, attention"),
        ("copy, store NORM, load QUERY", "load QUERY, copy, store NORM"),
        # but of no move in front of that,
        ("store NORM, attention, load QUERY", "store NORM, load QUERY, attention"),
        ("load VALUE, attention, load QUERY", "load VALUE, load QUERY, attention"),
        # and waits for what writes its scratchpad, reads its rows, or may do either.
        ("copy, up, load HIDDEN", "copy, up, load HIDDEN"),
        ("qkv, load VALUE", "qkv, load VALUE"),
        ("experts, load QUERY", "load QUERY, experts"),
        ("experts, load NORM", "experts, load NORM"),
        ("experts, load GATE_INPUT", "experts, load GATE_INPUT"),
        ("experts, load HIDDEN", "experts, load HIDDEN"),
        ("experts, load RESIDUAL", "experts, load RESIDUAL"),
        ("head, load QUERY", "head, load QUERY"),
        # STORE goes behind those who read its scratchpad and write none of it.
        ("store NORM, up, copy", "up, store NORM, copy"),
        ("store NORM, up, qkv, copy", "up, qkv, store NORM, copy"),
        ("store QUERY, attention", "attention, store QUERY"),
        ("store NORM, attention", "store NORM, attention"),
        ("store RESIDUAL, copy", "store RESIDUAL, copy"),
        ("store RESIDUAL, normalise", "normalise, store RESIDUAL"),
        ("store NORM, head", "store NORM, head"),
        ("store HIDDEN, experts", "store HIDDEN, experts"),
        ("store QUERY, copy", "store QUERY, copy"),
        # Of more than the machine takes at a time, the last go behind what leaves their scratchpads alone.
        ("store KEY, store VALUE, store NORM, store HIDDEN, copy",
         "store KEY, store VALUE, store NORM, store HIDDEN, copy"),
        ("store QUERY, store KEY, store VALUE, store NORM, store HIDDEN, store GATE_INPUT, copy, copy",
         "store QUERY, store KEY, store VALUE, store NORM, copy, store HIDDEN, store GATE_INPUT, copy"),
        ("store QUERY, store KEY, store VALUE, store NORM, store RESIDUAL, copy, normalise",
         "store QUERY, store KEY, store VALUE, store NORM, store RESIDUAL, copy, normalise"),
        ("store QUERY, store VALUE, store NORM, store HIDDEN, store KEY, experts",
         "store QUERY, store VALUE, store NORM, store HIDDEN, experts, store KEY"),
        ("store QUERY, store KEY, store VALUE, store NORM, store HIDDEN, experts",
         "store QUERY, store KEY, store VALUE, store NORM, store HIDDEN, experts"),
        ("store QUERY, store KEY, store VALUE, store NORM, store HIDDEN, head",
         "store QUERY, store KEY, store VALUE, store NORM, store HIDDEN, head"),
    ],
)  # fmt: skip
def test_where_moves_go(before: str, after: str) -> None:
    names = {id(step): name for name, step in STEPS.items()}
    placed = overlapped([STEPS[name] for name in (before + ", halt").split(", ")], HARDWARE)
    assert ", ".join(names[id(step)] for step in placed) == f"{after}, halt"


def drawn(rng: np.random.Generator) -> list[Step]:
    """Some of STEPS, the moves of other rows and addresses."""
    names = rng.choice([name for name in STEPS if name != "halt"], 12)
    steps = []
    for number, name in enumerate(names.tolist()):
        i, row, address = STEPS[name].instruction, 4 * int(rng.integers(4)), 128 * int(rng.integers(8))
        if i.opcode in MOVES:
            place = {"source_row": row} if i.opcode == Opcode.STORE else {"destination_row": row}
            i = replace(i, address=address, **place)  # type: ignore[arg-type]
        steps.append(Step(f"{number} {name}", i))
    return [*steps, STEPS["halt"]]


def in_order(first: Step, second: Step) -> bool:
    """Whether they have to stay as they are: one of them writes what the other touches, or neither is a move."""
    pair = (first, second)
    opcodes = {Opcode(step.instruction.opcode) for step in pair}
    moves = [step.instruction for step in pair if step.instruction.opcode in MOVES]
    if len(moves) == 2 and opcodes != {Opcode.LOAD}:
        begins = [move.address for move in moves]
        ends = [move.address + memory_span(move, HARDWARE) for move in moves]
        if max(begins) < min(ends):
            return True
    if len(moves) == 0 or (len(moves) == 1 and opcodes & {Opcode.HEAD, Opcode.HALT}):
        return True
    if Opcode.EXPERTS in opcodes and {moves[0].source, moves[0].destination} & {
        Buffer.NORM, Buffer.GATE_INPUT, Buffer.RESIDUAL, Buffer.HIDDEN
    }:  # fmt: skip
        return True
    return any(
        written.overlaps(touched)
        for a, b in (pair, pair[::-1]) for written in a.writes for touched in (*reads(b.instruction), *b.writes)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_what_depends_on_each_other_keeps_its_order(seed: int) -> None:
    steps = drawn(np.random.default_rng(seed))
    placed = overlapped(steps, HARDWARE)
    assert Counter(map(id, placed)) == Counter(map(id, steps))
    at = {id(step): place for place, step in enumerate(placed)}
    for first, second in combinations(steps, 2):
        if in_order(first, second):
            assert at[id(first)] < at[id(second)], f"{second.label} passes {first.label}: {[s.label for s in placed]}"
