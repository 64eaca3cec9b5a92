"""Illegal programs: every device halts with the code and the instruction's index, writes nothing outside its
output region, and runs the next program as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemoe.devices.base import DeviceError
from edgemoe.spec.faults import RTL_ONLY_FAULTS, Fault
from edgemoe.spec.isa import FIELDS, STREAM_LINE, STREAMING_OPCODES, Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.legality import static_fault
from edgemoe.spec.registers import AP_START, CONTROL, OFFSETS
from sim.examples import machine as examples
from sim.examples.machine import Bench, Outcome, changed, encoded, halts, program


def test_the_good_program_uses_every_opcode_and_buffer_and_ends_at_halt(good: Outcome) -> None:
    assert {instruction.opcode for instruction in program()} == set(Opcode) - set(STREAMING_OPCODES)
    written = good.output != examples.SENTINEL
    for first, last in ((0, 64), (128, 128 + 4 * 32 * 2), (896, 960)):
        assert written[first:last].mean() > 0.9
    for first, last in ((64, 128), (128 + 4 * 32 * 4, 896), (960, examples.OUTPUT_BYTES)):
        assert not written[first:last].any()


def test_a_second_start_gives_the_same_bytes(bench: Bench, good: Outcome) -> None:
    assert np.array_equal(bench.run(encoded(program())).output, good.output)


@pytest.mark.parametrize("word", [0, 1, *range(10, 16)])
def test_a_header_with_another_magic_version_or_reserved_word_is_refused(
    bench: Bench, good: Outcome, word: int
) -> None:
    image = examples.image(bench.hardware, encoded(program()), bench.stream).copy()
    image.view("<u4")[word] ^= 1
    halts(bench, good, bench.run_image(image), Fault.BAD_PROGRAM_HEADER, 0)


# What a header that is refused says of memory does not matter.
CLAIMS: dict[str, dict[str, int]] = {
    "what there is": {},
    "more than there is": {"stream_lines": 1 << 20, "input_bytes": 1 << 40, "output_bytes": 1 << 40},
}


@pytest.mark.parametrize("claims", CLAIMS)
def test_a_program_for_another_configuration_is_refused(bench: Bench, good: Outcome, claims: str) -> None:
    other = replace(bench.hardware, prefetch_bytes=bench.hardware.prefetch_bytes + 64).hash()
    outcome = bench.run(encoded(program()), config_hash=other, **CLAIMS[claims])
    halts(bench, good, outcome, Fault.CONFIG_MISMATCH, 0)


@pytest.mark.parametrize("claims", CLAIMS)
def test_a_program_without_instructions_is_refused(bench: Bench, good: Outcome, claims: str) -> None:
    outcome = bench.run(encoded(program()), instructions=0, **CLAIMS[claims])
    halts(bench, good, outcome, Fault.BAD_PROGRAM_HEADER, 0)


@pytest.mark.parametrize("engine", ["csim"])
@pytest.mark.parametrize("claim", ["stream_lines", "input_bytes", "output_bytes", "instructions"])
def test_a_header_that_claims_more_than_there_is_never_leads_out_of_memory(claim: str, engine: str) -> None:
    """One line of the stream, one byte of a region, one instruction beyond what was allocated: C simulation, which has
    plain pointers, is not begun.
    """
    bench, words = Bench(examples.small_hardware("w8a8"), engine), encoded(program())
    lines = bench.stream.size // STREAM_LINE
    there = {
        "stream_lines": lines,
        "input_bytes": examples.INPUT_BYTES,
        "output_bytes": examples.OUTPUT_BYTES + examples.GUARD,
        "instructions": len(words),
    }
    assert bench.run(words, **{claim: there[claim]}).fault == Fault.NONE
    more = bench.hardware.ports if claim == "stream_lines" else 1
    with pytest.raises(DeviceError, match="are not inside any allocated region"):
        bench.run(words, **{claim: there[claim] + more})


def test_rows_of_which_the_last_lies_beyond_memory_are_not_stored_on_golden() -> None:
    """Where a header claims more than was allocated, its rules let the instruction pass; memory itself does not."""
    bench, end = Bench(examples.small_hardware("w8a8")), examples.OUTPUT_BYTES + examples.GUARD

    def start(room: int) -> None:
        """Rows of the residual stream are stored where so many of them lie inside."""
        words = encoded(changed(examples.STORE_RESIDUAL, address=end - room * examples.WIDTH * 2))
        bench.load(examples.image(bench.hardware, words, bench.stream, output_bytes=2 * end))
        bench.device.write_register(CONTROL, AP_START)

    start(examples.TOKENS)
    assert bench.device.read_register(OFFSETS["error_code"]) == Fault.NONE
    with pytest.raises(DeviceError, match="are not inside any allocated region"):
        start(examples.TOKENS - 1)


def test_one_row_is_enough_for_every_instruction(bench: Bench, golden: Bench) -> None:
    """The row that they name is the only one that their buffers hold."""
    words = encoded([replace(i, rows=1) if i.rows == examples.TOKENS else i for i in program()])
    outcome, same = bench.run(words), golden.run(words)
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.HALT)
    assert np.array_equal(outcome.output, same.output)
    stored = (outcome.output != examples.SENTINEL).sum()
    assert stored > 0.9 * (2 * 4 + 2 * examples.WIDTH + 2 * examples.OUTPUTS)


@pytest.mark.parametrize("index", range(len(program())))
def test_an_unknown_opcode_anywhere_halts_there(bench: Bench, good: Outcome, index: int) -> None:
    words = encoded(program())
    words[index, 0] = words[index, 0] & ~np.uint32(0xFF) | np.uint32(len(Opcode))
    halts(bench, good, bench.run(words), Fault.ILLEGAL_OPCODE, index)


@pytest.mark.parametrize("count", range(1, len(program())))
def test_a_program_cut_short_of_its_halt_ends_at_its_last_instruction(bench: Bench, good: Outcome, count: int) -> None:
    outcome = bench.run(encoded(program()[:count]))
    assert (outcome.fault, outcome.program_counter) == (Fault.STREAM_END, count - 1)
    assert np.array_equal(bench.run(encoded(program())).output, good.output)


# One changed field of the good program, by which an instruction reads what is not there.
UNWRITTEN: dict[str, tuple[int, dict[str, Any]]] = {
    "LAYERNORM of RESIDUAL rows beyond the tokens": (examples.NORM1, {"source_row": 1}),
    "COPY with another number of features": (examples.COPY, {"in_features": 16}),
    "STORE with another number of features": (examples.STORE_RESIDUAL, {"in_features": 16}),
    "LINEAR of NORM rows never written": (examples.QKV, {"source_row": 1}),
    "QKV that would leave a gap in QUERY": (examples.QKV, {"destination_row": 1}),
    "ATTENTION with more rows than QUERY has": (examples.ATTENTION, {"rows": 5}),
    "ATTENTION with other features": (examples.ATTENTION, {"in_features": 16, "heads": 1}),
    "LINEAR from HIDDEN that holds patches": (examples.PROJECTION, {"source": Buffer.HIDDEN}),
    "LINEAR onto RESIDUAL rows never written": (examples.PROJECTION, {"destination_row": 1}),
    "GATE of GATE_INPUT rows never written": (examples.GATE, {"source_row": 1}),
    "GATE for RESIDUAL rows never written": (examples.GATE, {"destination_row": 4}),
    "STORE of ROUTING with another k": (examples.STORE_ROUTING, {"in_features": 1}),
    "STORE of ROUTING rows never written": (examples.STORE_ROUTING, {"source_row": 1}),
    "COPY of rows never written": (examples.COPY, {"source_row": 8, "destination_row": 4}),
    "COPY that would leave a gap": (examples.COPY, {"destination_row": 5}),
    "STORE of QUERY rows never written": (examples.STORE_RESIDUAL, {"source": Buffer.QUERY}),
    "HEAD of NORM rows never written": (examples.HEAD, {"source_row": 1}),
}


@pytest.mark.parametrize("case", UNWRITTEN)
def test_an_operand_that_this_run_has_not_written_halts(bench: Bench, good: Outcome, case: str) -> None:
    index, fields = UNWRITTEN[case]
    halts(bench, good, bench.run(encoded(changed(index, **fields))), Fault.ILLEGAL_OPERAND, index)


@pytest.mark.parametrize("buffer", [buffer for buffer in Buffer if buffer != Buffer.NONE])
def test_nothing_of_an_earlier_run_can_be_read(bench: Bench, good: Outcome, buffer: Buffer) -> None:
    """The good program filled every buffer; a program that only stores one must not see it."""
    assert bench.run(encoded(program())).fault == Fault.NONE
    features = 2 if buffer == Buffer.ROUTING else examples.WIDTH
    store = Instruction(Opcode.STORE, source=buffer, rows=1, in_features=features)
    halts(bench, good, bench.run(encoded([store, Instruction(Opcode.HALT)])), Fault.ILLEGAL_OPERAND, 0)


@pytest.mark.parametrize("features", [examples.HIDDEN, examples.PATCH], ids=["theirs", "those of patches before"])
def test_hidden_holds_nothing_after_the_experts(bench: Bench, good: Outcome, features: int) -> None:
    instructions = program()
    instructions[examples.COPY] = Instruction(Opcode.STORE, source=Buffer.HIDDEN, rows=1, in_features=features)
    halts(bench, good, bench.run(encoded(instructions)), Fault.ILLEGAL_OPERAND, examples.COPY)


OUTSIDE: dict[str, tuple[int, int]] = {
    "PATCH_EMBED one word beyond its frame": (examples.PATCH_EMBED, 16),
    "STORE ROUTING ending one word beyond": (examples.STORE_ROUTING, examples.OUTPUT_BYTES - 48),
    "HEAD ending one word beyond": (examples.HEAD, examples.OUTPUT_BYTES - 48),
    "HEAD at the region's end": (examples.HEAD, examples.OUTPUT_BYTES),
    "STORE far beyond 32 bits": (examples.STORE_RESIDUAL, 1 << 40),
    "STORE where the sum wraps around 64 bits": (examples.STORE_RESIDUAL, (1 << 64) - 16),
    "STORE between two words": (examples.STORE_RESIDUAL, 8),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_an_address_outside_its_region_halts_before_anything_is_written(bench: Bench, good: Outcome, case: str) -> None:
    index, address = OUTSIDE[case]
    halts(bench, good, bench.run(encoded(changed(index, address=address))), Fault.ADDRESS_RANGE, index)


def test_the_last_word_of_the_region_may_be_written(bench: Bench) -> None:
    address = examples.OUTPUT_BYTES - 64
    outcome = bench.run(encoded(changed(examples.HEAD, address=address)))
    assert outcome.fault == Fault.NONE
    assert (outcome.output[address:] != examples.SENTINEL).mean() > 0.9


STATIC: dict[Fault, Callable[[], tuple[int, dict[str, Any]]]] = {
    Fault.ILLEGAL_FIELD: lambda: (examples.ATTENTION, {"heads": 0}),
    Fault.ILLEGAL_OPERAND: lambda: (examples.PROJECTION, {"epilogue": Epilogue.NONE}),
    Fault.BUFFER_RANGE: lambda: (examples.COPY, {"destination_row": 13}),
    Fault.TOO_MANY_EXPERTS: lambda: (examples.GATE, {"experts": 5}),
}


@pytest.mark.parametrize("fault", STATIC)
def test_a_static_fault_halts_at_its_instruction(bench: Bench, good: Outcome, fault: Fault) -> None:
    index, fields = STATIC[fault]()
    halts(bench, good, bench.run(encoded(changed(index, **fields))), fault, index)


@given(
    st.lists(st.tuples(st.integers(0, 14), st.sampled_from(sorted(FIELDS)), st.integers(0, 31)), min_size=1, max_size=3)
)
def test_any_flipped_bits_end_with_a_code_and_leave_the_device_usable(
    bench: Bench, golden: Bench, good: Outcome, flips: list[tuple[int, str, int]]
) -> None:
    """Whatever the program says, the run ends as on golden, with the same bytes in the output and nothing written
    outside it, and the next run is good.
    """
    words = encoded(program())
    for index, name, bit in flips:
        words[index, FIELDS[name].word] ^= np.uint32(1) << np.uint32(FIELDS[name].low + bit % FIELDS[name].width)
    outcome = bench.run(words)
    assert outcome.fault not in RTL_ONLY_FAULTS
    same = golden.run(words)
    assert (outcome.fault, outcome.program_counter) == (same.fault, same.program_counter)
    assert np.array_equal(outcome.output, same.output)
    static = [static_fault(row, bench.hardware, examples.INPUT_BYTES, examples.OUTPUT_BYTES) for row in words]
    first_illegal = next((i for i, fault in enumerate(static) if fault != Fault.NONE), len(static))
    assert outcome.program_counter <= first_illegal
    if outcome.program_counter == first_illegal:
        assert outcome.fault == static[first_illegal]
    assert np.array_equal(bench.run(encoded(program())).output, good.output)
