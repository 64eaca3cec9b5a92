"""Legality: for every opcode, every rule, one change to a legal instruction that breaks that rule gives its fault.

The instructions are those of sim/examples/legality.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import FIELDS, STREAMING_OPCODES, Opcode, encode
from sim.examples import legality
from sim.examples.legality import ADDRESSED, LEGAL, LINEAR, RESERVED, STREAMED, Case


def name_of(case: Case) -> str:
    return case.name


def each_is_found(cases: list[Case]) -> None:
    assert cases
    wrong = {
        case.name: f"{found.name}, not {case.fault.name}" for case in cases if (found := case.found()) != case.fault
    }
    assert not wrong


@pytest.mark.parametrize("name", LEGAL)
def test_the_instructions_that_are_broken_below_are_legal(name: str) -> None:
    assert legality.changed(name, Fault.NONE).found() == Fault.NONE


def test_every_opcode_is_among_them() -> None:
    assert {instruction.opcode for instruction in (LEGAL | STREAMED).values()} == set(Opcode)


@pytest.mark.parametrize("name", STREAMED)
def test_rows_in_memory_need_the_option(name: str) -> None:
    """What is wrong with them beside, rule by rule: tests/host/test_machine_streaming.py, on every engine."""
    streaming = replace(legality.HARDWARE, streaming=True)
    words = encode(STREAMED[name])
    assert Case(name, words, Fault.NONE, streaming).found() == Fault.NONE
    unknown = STREAMED[name].opcode in STREAMING_OPCODES
    assert Case(name, words, Fault.NONE).found() == (Fault.ILLEGAL_OPCODE if unknown else Fault.ILLEGAL_FIELD)


@pytest.mark.parametrize("name", LEGAL)
def test_an_unknown_opcode_is_found_first_whatever_the_rest_says(name: str) -> None:
    each_is_found(legality.unknown_opcodes(name))


@pytest.mark.parametrize("name", LEGAL)
def test_any_reserved_bit_set_is_an_illegal_field(name: str) -> None:
    assert len(RESERVED) == 16 * 32 - sum(field.width for field in FIELDS.values())
    each_is_found(legality.reserved_bits(name))


@pytest.mark.parametrize("name", LEGAL)
def test_any_bit_of_a_field_that_the_opcode_does_not_use_is_an_illegal_field(name: str) -> None:
    each_is_found(legality.unused_fields(name))


@pytest.mark.parametrize("case", legality.values_out_of_range(), ids=name_of)
def test_a_value_outside_its_range_is_an_illegal_field(case: Case) -> None:
    assert case.found() == case.fault == Fault.ILLEGAL_FIELD


@pytest.mark.parametrize("name", LINEAR)
def test_an_unknown_epilogue_is_an_illegal_field(name: str) -> None:
    each_is_found(legality.unknown_epilogues(name))


def test_each_epilogue_of_linear_joins_its_own_buffers_and_no_others() -> None:
    each_is_found(legality.operands_of_linear())


def test_store_takes_any_scratchpad_but_none_and_no_unknown_one() -> None:
    each_is_found(legality.operands_of_store())


@pytest.mark.parametrize("case", legality.rows_beyond_buffers(), ids=name_of)
def test_rows_or_features_beyond_a_buffer_are_a_buffer_range(case: Case) -> None:
    assert case.found() == case.fault == Fault.BUFFER_RANGE


def test_the_last_row_of_each_buffer_is_legal() -> None:
    each_is_found(legality.last_rows())


@pytest.mark.parametrize("case", legality.too_many_experts(), ids=name_of)
def test_more_experts_than_were_built_are_too_many(case: Case) -> None:
    assert case.found() == case.fault == Fault.TOO_MANY_EXPERTS


@pytest.mark.parametrize("name", ADDRESSED)
def test_addresses_are_aligned_and_accesses_end_within_their_region(name: str) -> None:
    each_is_found(legality.addresses(name))


def test_of_several_broken_rules_the_first_gives_the_fault() -> None:
    """Rules are mended one by one, in the order of docs/isa.md."""
    each_is_found(legality.several_broken_rules())
