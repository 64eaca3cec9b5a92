"""LOAD, REPEAT, rows at a pitch, keys apart from queries, by hand: what they do, and every rule that they can break."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgemoe.devices.base import MissingToolError
from edgemoe.devices.golden.program import MachineFaultError
from edgemoe.devices.golden.scratchpads import Scratchpads
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Buffer, Instruction, Opcode
from edgemoe.spec.legality import reads, writes
from edgemoe.spec.memory import MAX_PARTS, SegmentKind, segment
from sim.examples import machine as examples
from sim.examples.machine import OUTPUT_BYTES, TOKENS, WIDTH, Bench, Outcome, encoded, small_hardware

HARDWARE = replace(small_hardware("w8a8"), name="small_streaming", streaming=True)
HALT = Instruction(Opcode.HALT)
ENGINES = ("golden", "csim", "rtl")
AT = 256  # where these tests put rows
SIZES = {Buffer.RESIDUAL: 2, Buffer.NORM: 1, Buffer.GATE_INPUT: 2, Buffer.QUERY: 1, Buffer.KEY: 1, Buffer.VALUE: 1}


@pytest.fixture(params=ENGINES, scope="module")
def bench(request: pytest.FixtureRequest) -> Bench:
    """Skipped with one sentence where the engine cannot be built."""
    try:
        return Bench(HARDWARE, request.param)
    except MissingToolError as error:
        pytest.skip(str(error))


def moved(opcode: Opcode, buffer: Buffer, rows: int, row: int = 0, features: int = WIDTH, **fields: Any) -> Instruction:
    """STORE or LOAD of some rows."""
    place = {"source": buffer, "source_row": row} if opcode == Opcode.STORE else {
        "destination": buffer, "destination_row": row}  # fmt: skip
    return Instruction(opcode, rows=rows, in_features=features, **place, **fields)


def run(bench: Bench, *instructions: Instruction) -> Outcome:
    """The example program up to its projection, whose operands all hold rows, then these."""
    return bench.run(encoded([*examples.program()[: examples.PROJECTION], *instructions, HALT]))


def require_golden(bench: Bench, *instructions: Instruction) -> Outcome:
    """No fault, and golden's output region."""
    found, expected = run(bench, *instructions), run(Bench(HARDWARE), *instructions)
    assert (found.fault, expected.fault) == (Fault.NONE, Fault.NONE)
    assert np.array_equal(found.output, expected.output)
    return found


@pytest.mark.parametrize("buffer", SIZES)
def test_rows_come_back_as_they_were_stored(bench: Bench, buffer: Buffer) -> None:
    """To another place, in another order."""
    row = WIDTH * SIZES[buffer]
    rows = [moved(Opcode.LOAD, buffer, 1, n, address=AT + (TOKENS - 1 - n) * row) for n in range(TOKENS)]
    back = [moved(Opcode.STORE, buffer, TOKENS, address=AT), *rows, moved(Opcode.STORE, buffer, TOKENS, address=512)]
    output = require_golden(bench, *back).output
    stored, again = (output[at : at + TOKENS * row].reshape(TOKENS, row) for at in (AT, 512))
    assert np.array_equal(again, stored[::-1])
    assert len({bytes(each) for each in stored}) == TOKENS


@pytest.mark.parametrize("buffer", SIZES)
def test_a_pitch_leaves_what_lies_between_rows_alone(bench: Bench, buffer: Buffer) -> None:
    row, pitch = WIDTH * SIZES[buffer], 96
    output = require_golden(bench, moved(Opcode.STORE, buffer, TOKENS, address=AT, pitch=pitch // MEMORY_WORD)).output
    plain = require_golden(bench, moved(Opcode.STORE, buffer, TOKENS, address=AT)).output
    for n in range(TOKENS):
        begin = AT + n * pitch
        assert np.array_equal(output[begin : begin + row], plain[AT + n * row : AT + (n + 1) * row])
        assert (output[begin + row : begin + pitch] == examples.SENTINEL).all()


def test_half_of_the_features_are_loaded_at_a_pitch(bench: Bench) -> None:
    """As one head of two: the second 16 of 32 bytes of each row."""
    half = moved(Opcode.LOAD, Buffer.KEY, TOKENS, features=16, address=AT + 16, pitch=2)
    output = require_golden(
        bench,
        moved(Opcode.STORE, Buffer.KEY, TOKENS, address=AT),
        half,
        moved(Opcode.STORE, Buffer.KEY, TOKENS, features=16, address=512),
    ).output
    whole = output[AT : AT + TOKENS * WIDTH].reshape(TOKENS, WIDTH)
    assert np.array_equal(output[512 : 512 + TOKENS * 16].reshape(TOKENS, 16), whole[:, 16:])


def test_values_from_memory_keep_to_the_range_of_their_buffer(bench: Bench) -> None:
    """GATE_INPUT's lie within ±32639, whatever the 16 bits say: here routing entries; a score of a half is −32768."""
    gate = replace(examples.program()[examples.GATE], experts=2)
    equal = examples.pack_gate(np.zeros((2, WIDTH), dtype=np.int64), HARDWARE)
    pieces = [*examples.segments(HARDWARE)[: gate.segment], segment(gate.segment, SegmentKind.GATE, equal)]
    moves = (
        moved(Opcode.STORE, Buffer.ROUTING, TOKENS, features=2, address=AT),
        moved(Opcode.LOAD, Buffer.GATE_INPUT, 1, address=AT),
        moved(Opcode.STORE, Buffer.GATE_INPUT, 1, address=512),
    )
    words = encoded([*examples.program()[: examples.GATE], gate, *moves, HALT])
    outcome = bench.run(words, np.concatenate(pieces))
    assert outcome.fault == Fault.NONE
    raw = outcome.output[AT : AT + 2 * WIDTH].view("<i2").astype(int)
    assert raw.min() == -32768
    assert np.array_equal(outcome.output[512 : 512 + 2 * WIDTH].view("<i2"), np.clip(raw, -32639, 32639))


@pytest.mark.parametrize(("keys", "key_row"), [(1, 0), (2, 0), (4, 0), (3, 1), (1, 3)])
def test_queries_meet_the_keys_that_are_named(bench: Bench, keys: int, key_row: int) -> None:
    attention = examples.program()[examples.ATTENTION]
    few = replace(attention, rows=2, source_row=1, keys=keys, key_row=key_row)
    require_golden(bench, few, moved(Opcode.STORE, Buffer.NORM, 2, 1, address=AT))


def test_keys_of_the_same_rows_are_what_attention_reads_without_saying(bench: Bench) -> None:
    attention = examples.program()[examples.ATTENTION]
    store = moved(Opcode.STORE, Buffer.NORM, TOKENS, address=AT)
    said = run(bench, replace(attention, keys=TOKENS), store)
    assert np.array_equal(said.output, run(bench, attention, store).output)


def among_moves(rng: np.random.Generator) -> list[Instruction]:
    """The example program with LOAD and STORE between its instructions, of any rows and addresses that are legal."""
    held, program = Scratchpads(HARDWARE), []
    for instruction in examples.program():
        for _ in range(int(rng.integers(0, 7))):
            buffer, opcode = list(SIZES)[int(rng.integers(len(SIZES)))], Opcode(rng.choice([Opcode.LOAD, Opcode.STORE]))
            count, first, word = (int(each) for each in rng.integers((1, 0, 0), (9, 9, 16)))
            pitch = int(rng.choice([0, 4, 5]))
            move = moved(opcode, buffer, count, first, address=word * MEMORY_WORD, pitch=pitch)
            try:
                held.check(reads(move), writes(move))
            except MachineFaultError:
                continue
            program += _held(held, move)
        program += _held(held, instruction)
    return program


def _held(pads: Scratchpads, instruction: Instruction) -> list[Instruction]:
    """The instruction, whose rows are valid from now on."""
    for rows in writes(instruction):
        pads.write(rows.buffer, rows.first, np.zeros((rows.rows, rows.features), dtype=np.int64))
    return [instruction]


@pytest.mark.parametrize("seed", range(8))
def test_moves_beside_other_instructions_change_nothing(bench: Bench, seed: int) -> None:
    """Whatever is done beside what: rows and memory are those of one instruction after the other."""
    words = encoded(among_moves(np.random.default_rng(seed)))
    found, expected = bench.run(words), Bench(HARDWARE).run(words)
    assert (found.fault, expected.fault) == (Fault.NONE, Fault.NONE)
    assert np.array_equal(found.output, expected.output)


@pytest.mark.parametrize("fault", [Fault.ILLEGAL_FIELD, Fault.ILLEGAL_OPERAND])
def test_a_fault_behind_moves_leaves_all_that_they_stored(bench: Bench, fault: Fault) -> None:
    """Found before the instruction executes, from its fields or from what rows there are."""
    bad = {
        Fault.ILLEGAL_FIELD: moved(Opcode.LOAD, Buffer.KEY, 0),
        Fault.ILLEGAL_OPERAND: moved(Opcode.STORE, Buffer.KEY, TOKENS + 1),
    }[fault]
    store, load = moved(Opcode.STORE, Buffer.VALUE, TOKENS, address=AT), moved(Opcode.LOAD, Buffer.QUERY, 4, address=AT)
    moves = (store, load, replace(store, address=512), load)
    found, expected = run(bench, *moves, bad), run(Bench(HARDWARE), *moves, bad)
    assert (found.fault, found.program_counter) == (expected.fault, expected.program_counter)
    assert found.fault == fault
    assert np.array_equal(found.output, expected.output)


BROKEN: dict[str, tuple[Instruction, Fault]] = {
    "no scratchpad": (moved(Opcode.LOAD, Buffer.NONE, 1), Fault.ILLEGAL_OPERAND),
    "HIDDEN": (moved(Opcode.LOAD, Buffer.HIDDEN, 1), Fault.ILLEGAL_OPERAND),
    "ROUTING": (moved(Opcode.LOAD, Buffer.ROUTING, 1), Fault.ILLEGAL_OPERAND),
    "a source": (moved(Opcode.LOAD, Buffer.KEY, 1, source=Buffer.KEY), Fault.ILLEGAL_FIELD),
    "wide rows": (moved(Opcode.LOAD, Buffer.KEY, 1, wide_result=1), Fault.ILLEGAL_FIELD),
    "no rows": (moved(Opcode.LOAD, Buffer.KEY, 0), Fault.ILLEGAL_FIELD),
    "half a vector": (moved(Opcode.LOAD, Buffer.KEY, 1, features=8), Fault.ILLEGAL_FIELD),
    "rows that overlap": (moved(Opcode.LOAD, Buffer.KEY, 2, pitch=1), Fault.ILLEGAL_FIELD),
    "stored rows that overlap": (moved(Opcode.STORE, Buffer.RESIDUAL, 2, pitch=3), Fault.ILLEGAL_FIELD),
    "routing at a pitch": (
        Instruction(Opcode.STORE, source=Buffer.ROUTING, rows=1, in_features=2, pitch=4), Fault.ILLEGAL_FIELD),
    "a gap": (moved(Opcode.LOAD, Buffer.KEY, 1, TOKENS + 1), Fault.ILLEGAL_OPERAND),
    "a gap of other features": (moved(Opcode.LOAD, Buffer.KEY, 1, 1, features=16), Fault.ILLEGAL_OPERAND),
    "too many rows": (moved(Opcode.LOAD, Buffer.NORM, 17, features=16), Fault.BUFFER_RANGE),
    "too many features": (moved(Opcode.LOAD, Buffer.KEY, 16, features=48), Fault.BUFFER_RANGE),
    "an odd address": (moved(Opcode.LOAD, Buffer.KEY, 1, address=8), Fault.ADDRESS_RANGE),
    "beyond the region": (moved(Opcode.LOAD, Buffer.KEY, 2, address=OUTPUT_BYTES - WIDTH), Fault.ADDRESS_RANGE),
    "beyond the region by a pitch": (
        moved(Opcode.LOAD, Buffer.KEY, 2, address=OUTPUT_BYTES - 96, pitch=5), Fault.ADDRESS_RANGE),
    "far beyond the region": (moved(Opcode.STORE, Buffer.KEY, 2, address=(1 << 64) - 16, pitch=2), Fault.ADDRESS_RANGE),
    "keys that nobody wrote": (
        replace(examples.program()[examples.ATTENTION], keys=TOKENS, key_row=1), Fault.ILLEGAL_OPERAND),
    "more keys than tokens": (replace(examples.program()[examples.ATTENTION], keys=9), Fault.BUFFER_RANGE),
    "a row of no keys": (replace(examples.program()[examples.ATTENTION], key_row=1), Fault.ILLEGAL_FIELD),
    "REPEAT in mid-program": (
        Instruction(Opcode.REPEAT, rows=2, segment=0, segments=1, address=STREAM_LINE), Fault.ILLEGAL_OPERAND),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_halts_with_its_fault(bench: Bench, case: str) -> None:
    instruction, fault = BROKEN[case]
    outcome = run(bench, instruction)
    assert (outcome.fault, outcome.program_counter) == (fault, examples.PROJECTION)
    assert (outcome.output == examples.SENTINEL).all()


def test_the_last_row_at_a_pitch_may_end_with_the_region(bench: Bench) -> None:
    require_golden(bench, moved(Opcode.STORE, Buffer.KEY, 2, address=OUTPUT_BYTES - 112, pitch=5))


def test_a_build_without_the_option_knows_neither_opcode(bench: Bench) -> None:
    plain = Bench(small_hardware("w8a8"), bench.device.name)
    for opcode in (Opcode.LOAD, Opcode.REPEAT):
        outcome = plain.run(encoded([Instruction(opcode), HALT]))
        assert (outcome.fault, outcome.program_counter) == (Fault.ILLEGAL_OPCODE, 0)
    pitched = moved(Opcode.STORE, Buffer.KEY, 1, pitch=2)
    outcome = plain.run(encoded([*examples.program()[: examples.PROJECTION], pitched, HALT]))
    assert (outcome.fault, outcome.program_counter) == (Fault.ILLEGAL_FIELD, examples.PROJECTION)


# Parts of the stream. Segments 0 and 1 are PATCH_EMBED's, 2 is LayerNorm's, 3 QKV's.


def ends() -> list[int]:
    """Bytes of the stream up to the end of each segment."""
    return np.cumsum([each.size for each in examples.segments(HARDWARE)]).tolist()


def repeat(times: int, segment: int, segments: int, end: int | None = None) -> Instruction:
    """REPEAT of segments, up to where the last of them ends unless told."""
    address = ends()[segment + segments - 1] if end is None else end
    return Instruction(Opcode.REPEAT, rows=times, segment=segment, segments=segments, address=address)


def again(*times: int) -> list[Instruction]:
    """The example program, instruction by instruction so many times; REPEATs that make it so for segments 2 and 3."""
    instructions = examples.program()
    norm, qkv = instructions[examples.NORM1], instructions[examples.QKV]
    first, both, last = times
    return [
        repeat(1, 0, 2), repeat(first, 2, 1), repeat(both, 3, 1), repeat(last, 4, 2),
        instructions[examples.PATCH_EMBED], *[norm] * first, *[qkv] * both, instructions[examples.ATTENTION],
        *[instructions[examples.PROJECTION], instructions[examples.NORM2]] * last,
        *instructions[examples.GATE :],
    ]  # fmt: skip


@pytest.mark.parametrize("times", [(1, 1, 1), (2, 1, 1), (1, 3, 1), (3, 2, 1), (2, 2, 2)])
def test_parts_are_streamed_as_often_as_repeat_says(bench: Bench, times: tuple[int, int, int]) -> None:
    """Norms and QKV give the same again; the projection, twice, does not, and must be golden's."""
    outcome, expected = bench.run(encoded(again(*times))), Bench(HARDWARE).run(encoded(again(*times)))
    assert (outcome.fault, expected.fault) == (Fault.NONE, Fault.NONE)
    assert np.array_equal(outcome.output, expected.output)
    plain = bench.run(encoded(examples.program())).output
    assert np.array_equal(outcome.output, plain) == (times[2] == 1)


LATER = 4  # index of the first instruction behind the four REPEATs of `again`
STREAMS: dict[str, tuple[dict[int, Instruction], Fault, int]] = {
    "a part that does not begin with the next segment": ({1: repeat(2, 3, 1)}, Fault.SEGMENT_MISMATCH, 1),
    "a part without lines": ({1: repeat(2, 2, 1, ends()[1])}, Fault.ADDRESS_RANGE, 1),
    "a part before the one before": ({1: repeat(2, 2, 1, ends()[0])}, Fault.ADDRESS_RANGE, 1),
    "a part beyond the stream": ({3: repeat(1, 4, 2, ends()[-1] + STREAM_LINE)}, Fault.ADDRESS_RANGE, 3),
    "half a line": ({1: repeat(2, 2, 1, ends()[2] - 16)}, Fault.ADDRESS_RANGE, 1),
    "no time at all": ({1: repeat(0, 2, 1)}, Fault.ILLEGAL_FIELD, 1),
    "no segment": ({1: replace(repeat(2, 2, 1), segments=0)}, Fault.ILLEGAL_FIELD, 1),
    "an end within its last segment": ({2: repeat(1, 3, 1, ends()[3] - STREAM_LINE)}, Fault.STREAM_END, LATER + 2),
    "an end behind its last one": ({2: repeat(1, 3, 1, ends()[3] + STREAM_LINE)}, Fault.SEGMENT_MISMATCH, LATER + 2),
    "an end within its first segment": ({0: repeat(1, 0, 2, ends()[0] - STREAM_LINE)}, Fault.STREAM_END, LATER),
    "numbers beyond 32 bits do not begin again at 0": (
        {2: replace(repeat(1, 3, 1), segments=0xFFFFFFFF), 3: repeat(1, 2, 4, ends()[5])}, Fault.SEGMENT_MISMATCH, 3),
    "an instruction across two parts": (
        {0: repeat(1, 0, 1), 1: replace(repeat(1, 1, 2), rows=1)}, Fault.SEGMENT_MISMATCH, LATER),
    "once more than is asked for": ({1: repeat(2, 2, 1)}, Fault.SEGMENT_MISMATCH, LATER + 2),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAMS)
def test_a_wrong_part_of_the_stream_halts(bench: Bench, case: str) -> None:
    changes, fault, index = STREAMS[case]
    instructions = again(1, 1, 1)
    for at, instruction in changes.items():
        instructions[at] = instruction
    outcome = bench.run(encoded(instructions))
    assert (outcome.fault, outcome.program_counter) == (fault, index)
    good = bench.run(encoded(examples.program()))
    assert np.array_equal(good.output, Bench(HARDWARE).run(encoded(examples.program())).output)


def test_there_is_room_for_so_many_parts(bench: Bench) -> None:
    """One line each, as far as they go; the one too many halts."""
    parts = [Instruction(Opcode.REPEAT, rows=1, segment=n, segments=1, address=(n + 1) * STREAM_LINE)
             for n in range(MAX_PARTS + 1)]  # fmt: skip
    assert ends()[-1] > (MAX_PARTS + 1) * STREAM_LINE
    outcome = bench.run(encoded([*parts, HALT]))
    assert (outcome.fault, outcome.program_counter) == (Fault.BUFFER_RANGE, MAX_PARTS)
    assert bench.run(encoded([*parts[:-1], HALT])).fault == Fault.NONE
