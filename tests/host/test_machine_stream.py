"""Weight stream and expert queues of a running program: every way in which they can be wrong halts with its code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgemoe.devices.golden.program import DecodedProgram, MachineFaultError
from edgemoe.devices.golden.scratchpads import Scratchpads
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import STREAM_LINE, Buffer, Instruction, Opcode
from edgemoe.spec.memory import SegmentKind, segment, segment_header
from edgemoe.spec.precision import MAX_SHIFT
from edgemoe.spec.program_header import ProgramHeader
from edgemoe.spec.registers import OFFSETS
from sim.examples import machine as examples
from sim.examples.machine import Bench, Outcome, changed, encoded, halts, program

CONSUMERS = [index for index, instruction in enumerate(program()) if instruction.segments]


@pytest.mark.parametrize("index", CONSUMERS)
@pytest.mark.parametrize("step", [-1, 1])
def test_a_segment_out_of_order_halts(bench: Bench, good: Outcome, index: int, step: int) -> None:
    wanted = (program()[index].segment + step) & 0xFFFFFFFF
    halts(bench, good, bench.run(encoded(changed(index, segment=wanted))), Fault.SEGMENT_MISMATCH, index)


@pytest.mark.parametrize("index", CONSUMERS)
def test_a_segment_of_another_length_or_number_in_the_stream_halts(bench: Bench, good: Outcome, index: int) -> None:
    number = program()[index].segment
    for tag, extra in ((number, STREAM_LINE), (number + 1, 0)):
        pieces = examples.segments(bench.hardware)
        payload = pieces[number][STREAM_LINE:]
        padded = np.concatenate([payload, np.zeros(extra, dtype=np.uint8)])
        pieces[number] = segment(tag, SegmentKind.LINEAR, padded)
        outcome = bench.run(encoded(program()), np.concatenate(pieces))
        halts(bench, good, outcome, Fault.SEGMENT_MISMATCH, index)


@pytest.mark.parametrize("expert", range(examples.EXPERTS))
@pytest.mark.parametrize("wrong", ["number", "length"])
def test_an_expert_s_segment_is_checked_with_tokens_and_without(bench: Bench, expert: int, wrong: str) -> None:
    """Of equal experts the first two have all tokens, so that the others' segments are dropped."""
    pieces = examples.segments(bench.hardware)
    gate, first = program()[examples.GATE].segment, program()[examples.EXPERTS_AT].segment
    equal = np.zeros((examples.EXPERTS, examples.WIDTH), dtype=np.int64)
    pieces[gate] = segment(gate, SegmentKind.GATE, examples.pack_gate(equal, bench.hardware))
    outcome = bench.run(encoded(program()), np.concatenate(pieces))
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.HALT)
    counts = [bench.device.read_register(OFFSETS[name]) for name in ("experts_run", "segments_dropped")]
    assert counts == [2, examples.EXPERTS - 2]

    payload, number = pieces[first + expert][STREAM_LINE:], first + expert
    longer = np.concatenate([payload, np.zeros(STREAM_LINE, dtype=np.uint8)])
    pieces[number] = segment(number + (wrong == "number"), SegmentKind.EXPERT, longer if wrong == "length" else payload)
    outcome = bench.run(encoded(program()), np.concatenate(pieces))
    assert (outcome.fault, outcome.program_counter) == (Fault.SEGMENT_MISMATCH, examples.EXPERTS_AT)
    assert (outcome.output[examples.RESIDUAL_AT :] == examples.SENTINEL).all(), "written after the fault"


@pytest.mark.parametrize("index", CONSUMERS)
def test_a_stream_cut_short_halts_where_the_first_line_is_missing(bench: Bench, good: Outcome, index: int) -> None:
    """Cut at the segment's header, and one line before its end."""
    pieces = examples.segments(bench.hardware)
    number = program()[index].segment
    before = sum(piece.size for piece in pieces[:number])
    for size in (before, before + pieces[number].size - STREAM_LINE):
        outcome = bench.run(encoded(program()), np.concatenate(pieces)[:size])
        halts(bench, good, outcome, Fault.STREAM_END, index)


def test_a_segment_that_claims_4_gi_lines_halts(bench: Bench, good: Outcome) -> None:
    pieces = examples.segments(bench.hardware)
    pieces[3][:STREAM_LINE] = segment_header(3, SegmentKind.LINEAR, 0xFFFFFFFF)
    outcome = bench.run(encoded(program()), np.concatenate(pieces))
    halts(bench, good, outcome, Fault.STREAM_END, examples.QKV)


@pytest.mark.parametrize("fill", [0x7F, 0x80, 0xFF, None], ids=["largest", "least", "-1", "random"])
def test_records_outside_their_ranges_stay_inside_their_buffers(bench: Bench, good: Outcome, fill: int | None) -> None:
    """Biases, offsets, shifts and weights of any value: the integers are then unspecified, and the machine goes on."""
    pieces = examples.segments(bench.hardware)
    rng = np.random.default_rng(13)
    for piece in pieces:
        size = piece.size - STREAM_LINE
        piece[STREAM_LINE:] = rng.integers(0, 256, size) if fill is None else fill
    outcome = bench.run(encoded(program()), np.concatenate(pieces))
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.HALT)
    assert np.array_equal(bench.run(encoded(program())).output, good.output), "a stream left something behind"


@pytest.mark.parametrize("precision", ["w8a8", "w16a16"])
def test_golden_reads_each_record_by_its_own_bits(precision: str) -> None:
    """A bias beyond its bits wraps around, a shift beyond the largest is that one."""
    hardware = examples.small_hardware(precision)
    end = 1 << hardware.numbers.bias_bits
    zeros = np.zeros(hardware.out_par, dtype=np.int64)
    bias, shift = zeros.copy(), zeros.copy()
    bias[:3], shift[:3] = (end - 1, -end, end), (0, MAX_SHIFT, MAX_SHIFT + 1)
    payload = examples.pack_linear(
        examples.LinearWeights(np.zeros((hardware.out_par, 16), dtype=np.int64), bias, zeros, shift), hardware
    )
    stream = segment(0, SegmentKind.LINEAR, payload)
    header = ProgramHeader(hardware.hash(), 1, stream.size // STREAM_LINE, 0, 0)
    words = np.zeros((1, 16), dtype=np.uint32)
    program = DecodedProgram(Fault.NONE, header, words, stream, hardware, segment_starts=[0])
    read = program.linear(0, hardware.out_par, 16, 0)
    assert read.bias[:3].tolist() == [end - 1, -end, -end]
    assert read.shift[:3].tolist() == [0, MAX_SHIFT, MAX_SHIFT]


def test_no_rows_that_are_written_are_no_rows_that_can_be_read() -> None:
    """Whatever a scratchpad held before of other features."""
    pads = Scratchpads(examples.small_hardware("w8a8"))
    pads.write(Buffer.NORM, 0, np.ones((3, 32), dtype=np.int64))
    pads.write(Buffer.NORM, 0, np.ones((0, 16), dtype=np.int64))
    assert [pads.valid_rows(Buffer.NORM, features) for features in (32, 16)] == [0, 0]


def test_a_fault_says_its_name() -> None:
    assert [str(MachineFaultError(fault)) for fault in Fault] == [fault.name for fault in Fault]


def gates(count: int, rows: int) -> list[Instruction]:
    """The program up to its gate, which is asked `count` times over `rows` rows, then the experts."""
    instructions = program()
    before, gate = instructions[: examples.GATE], instructions[examples.GATE]
    repeated = [replace(gate, rows=rows, experts=2, segment=gate.segment + i) for i in range(count)]
    experts = replace(instructions[examples.EXPERTS_AT], experts=2, segments=2, segment=gate.segment + count)
    return [*before, *repeated, experts, Instruction(Opcode.HALT)]


def gate_stream(bench: Bench, count: int) -> np.ndarray:
    """The stream with the gate's segment `count` times, numbered on; k = 2 of 2 experts gives each all tokens."""
    hardware = bench.hardware
    pieces = examples.segments(hardware)
    weight = np.zeros((2, examples.WIDTH), dtype=np.int64)
    payload = examples.pack_gate(weight, hardware)
    first = [*pieces[:6], *(segment(6 + i, SegmentKind.GATE, payload) for i in range(count))]
    for number in range(2):
        first.append(segment(6 + count + number, SegmentKind.EXPERT, pieces[7 + number][STREAM_LINE:]))
    return np.concatenate(first)


def test_a_row_queued_twice_before_the_experts_halts(bench: Bench, good: Outcome) -> None:
    outcome = bench.run(encoded(gates(2, examples.TOKENS)), gate_stream(bench, 2))
    halts(bench, good, outcome, Fault.ILLEGAL_OPERAND, examples.GATE + 1)


def test_an_expert_whose_tokens_do_not_fit_hidden_halts(good: Outcome, bench: Bench) -> None:
    """512 elements of HIDDEN: four tokens of 128 would fit, of 144 do not."""
    instructions = gates(1, examples.TOKENS)
    for hidden, fault in ((128, Fault.SEGMENT_MISMATCH), (144, Fault.BUFFER_RANGE)):
        instructions[-2] = replace(instructions[-2], hidden_features=hidden)
        outcome = bench.run(encoded(instructions), gate_stream(bench, 1))
        halts(bench, good, outcome, fault, examples.GATE + 1)


def test_experts_fewer_than_the_gate_has_queued_halt(bench: Bench, good: Outcome) -> None:
    """k = 2 of 2 equal experts queues tokens for expert 1, too."""
    instructions = gates(1, examples.TOKENS)
    instructions[-2] = replace(instructions[-2], experts=1, segments=1)
    outcome = bench.run(encoded(instructions), gate_stream(bench, 1))
    halts(bench, good, outcome, Fault.ILLEGAL_OPERAND, examples.GATE + 1)


def test_experts_again_with_nothing_queued_pass_all_segments_by(bench: Bench) -> None:
    """Of one row, which is as many as experts ask for that have none."""
    begin = program()[: examples.EXPERTS_AT + 1]
    instructions = [replace(i, rows=1) if i.rows == examples.TOKENS else i for i in begin]
    first = instructions[-1].segment
    instructions += [replace(instructions[-1], segment=first + examples.EXPERTS), Instruction(Opcode.HALT)]
    pieces = examples.segments(bench.hardware)[: first + examples.EXPERTS]
    for number, piece in enumerate(pieces[first:], first + examples.EXPERTS):
        pieces.append(segment(number, SegmentKind.EXPERT, piece[STREAM_LINE:]))
    outcome = bench.run(encoded(instructions), np.concatenate(pieces))
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.EXPERTS_AT + 2)
    counts = [bench.device.read_register(OFFSETS[name]) for name in ("experts_run", "segments_dropped")]
    assert counts == [2, 2 * examples.EXPERTS - 2]


def test_a_last_segment_without_a_line_is_one_of_another_length(bench: Bench, good: Outcome) -> None:
    """Its header ends the stream."""
    number = program()[examples.QKV].segment
    pieces = examples.segments(bench.hardware)[:number]
    pieces.append(segment_header(number, SegmentKind.LINEAR, 0))
    outcome = bench.run(encoded(program()), np.concatenate(pieces))
    halts(bench, good, outcome, Fault.SEGMENT_MISMATCH, examples.QKV)


def test_experts_after_their_rows_were_dropped_halt(bench: Bench, good: Outcome) -> None:
    """NORM and RESIDUAL begin afresh with other features after the gate: queued rows no longer exist."""
    instructions = gates(1, examples.TOKENS)
    gate_at = examples.GATE
    pieces = [*examples.segments(bench.hardware)[:6]]
    hardware = bench.hardware
    narrow = 16
    linear = examples.LinearWeights(
        np.zeros((narrow, examples.PATCH), dtype=np.int64), *(np.zeros(narrow, dtype=np.int64) for _ in range(3))
    )
    zeros = np.zeros(narrow, dtype=np.int64)
    payloads = [
        examples.pack_gate(np.zeros((2, examples.WIDTH), dtype=np.int64), hardware),
        examples.pack_position(np.zeros((2, narrow), dtype=np.int64), hardware),
        examples.pack_linear(linear, hardware),
        examples.pack_layernorm(examples.LayerNormWeights(zeros, zeros), hardware),
    ]
    wide = examples.LinearWeights(np.zeros((narrow, narrow), dtype=np.int64), zeros, zeros, zeros)
    payloads += [np.concatenate([examples.pack_linear(wide, hardware)] * 2)] * 2
    pieces += [segment(6 + i, SegmentKind.LINEAR, payload) for i, payload in enumerate(payloads)]
    between = [
        replace(instructions[0], rows=1, out_features=narrow, segment=7),
        replace(instructions[1], rows=2, in_features=narrow, segment=9),
    ]
    experts = replace(instructions[-2], in_features=narrow, hidden_features=narrow, segment=10)
    outcome = bench.run(
        encoded([*instructions[: gate_at + 1], *between, experts, Instruction(Opcode.HALT)]), np.concatenate(pieces)
    )
    halts(bench, good, outcome, Fault.ILLEGAL_OPERAND, gate_at + 3)
