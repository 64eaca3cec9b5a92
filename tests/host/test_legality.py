"""Legality: for every opcode, every rule, one change to a legal instruction that breaks that rule gives its fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import FIELDS, USED_FIELDS, Buffer, Epilogue, Instruction, Opcode, encode
from edgemoe.spec.legality import static_fault
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.precision import MAX_FEATURES
from tests.examples.machine import INPUT_BYTES, OUTPUT_BYTES, program, small_hardware

HARDWARE = small_hardware("w8a8")
(
    PATCH_EMBED,
    LAYERNORM,
    QKV,
    ATTENTION,
    PROJECTION,
    _,
    GATE,
    STORE_ROUTING,
    EXPERTS,
    COPY,
    UP,
    DOWN,
    STORE,
    HEAD,
    HALT,
) = program()
PLAIN = replace(LAYERNORM, gate_copy=0, output_shift=0)
LEGAL = {
    "PATCH_EMBED": PATCH_EMBED, "LAYERNORM with gate copy": LAYERNORM, "LAYERNORM": PLAIN, "LINEAR QKV": QKV,
    "LINEAR GELU": UP, "LINEAR RESIDUAL of NORM": PROJECTION, "LINEAR RESIDUAL of HIDDEN": DOWN,
    "ATTENTION": ATTENTION, "GATE": GATE, "EXPERTS": EXPERTS, "COPY": COPY, "HEAD": HEAD, "STORE": STORE,
    "STORE ROUTING": STORE_ROUTING, "HALT": HALT,
}  # fmt: skip


def fault_of(instruction: Instruction) -> Fault:
    return static_fault(encode(instruction), HARDWARE, INPUT_BYTES, OUTPUT_BYTES)


def with_bits(instruction: Instruction, word: int, low: int, width: int, value: int) -> np.ndarray:
    words = encode(instruction)
    words[word] = int(words[word]) & ~(((1 << width) - 1) << low) | value << low
    return words


def fault_with(instruction: Instruction, name: str, value: int) -> Fault:
    field = FIELDS[name]
    words = with_bits(instruction, field.word, field.low, field.width, value)
    return static_fault(words, HARDWARE, INPUT_BYTES, OUTPUT_BYTES)


@pytest.mark.parametrize("name", LEGAL)
def test_the_instructions_that_are_broken_below_are_legal(name: str) -> None:
    assert fault_of(LEGAL[name]) == Fault.NONE


def test_every_opcode_is_among_them() -> None:
    assert {instruction.opcode for instruction in LEGAL.values()} == set(Opcode)


@pytest.mark.parametrize("name", LEGAL)
def test_an_unknown_opcode_is_found_first_whatever_the_rest_says(name: str) -> None:
    for opcode in range(len(Opcode), 256):
        assert fault_with(LEGAL[name], "opcode", opcode) == Fault.ILLEGAL_OPCODE


@pytest.mark.parametrize("name", LEGAL)
def test_any_reserved_bit_set_is_an_illegal_field(name: str) -> None:
    used = {(field.word, bit) for field in FIELDS.values() for bit in range(field.low, field.low + field.width)}
    reserved = [(word, bit) for word in range(16) for bit in range(32) if (word, bit) not in used]
    assert len(reserved) == 16 * 32 - sum(field.width for field in FIELDS.values())
    for word, bit in reserved:
        words = with_bits(LEGAL[name], word, bit, 1, 1)
        assert static_fault(words, HARDWARE, INPUT_BYTES, OUTPUT_BYTES) == Fault.ILLEGAL_FIELD


@pytest.mark.parametrize("name", LEGAL)
def test_any_bit_of_a_field_that_the_opcode_does_not_use_is_an_illegal_field(name: str) -> None:
    unused = set(FIELDS) - {"opcode", *USED_FIELDS[LEGAL[name].opcode]}
    assert unused
    for field in unused:
        for bit in range(FIELDS[field].width):
            assert fault_with(LEGAL[name], field, 1 << bit) == Fault.ILLEGAL_FIELD


def broken_fields() -> dict[str, tuple[str, dict[str, Any]]]:
    """Rule 2 of docs/isa.md: values that no hardware allows."""
    cases: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, instruction in LEGAL.items():
        used = USED_FIELDS[instruction.opcode]
        if "rows" in used:
            cases[f"{name}: no rows"] = (name, {"rows": 0})
        if "in_features" in used:
            wrong = (0,) if name == "STORE ROUTING" else (0, 8, 40, MAX_FEATURES + 16)
            cases |= {f"{name}: in_features {n}": (name, {"in_features": n}) for n in wrong}
        if "segments" in used:
            counts = {instruction.segments - 1, instruction.segments + 1}
            cases |= {f"{name}: {n} segments": (name, {"segments": n}) for n in counts}
        if "shift" in used:
            cases[f"{name}: shift 61"] = (name, {"shift": 61})
        if "output_shift" in used:
            limit = 30 if instruction.opcode == Opcode.ATTENTION else 60
            cases[f"{name}: output_shift {limit + 1}"] = (name, {"output_shift": limit + 1})
        if instruction.opcode == Opcode.LINEAR and instruction.epilogue != Epilogue.GELU:
            for grid in ("output_multiplier", "output_shift", "output_zero"):
                cases[f"{name}: {grid} without GELU"] = (name, {grid: 1})
    for name in ("PATCH_EMBED", "LINEAR GELU", "LINEAR RESIDUAL of NORM"):
        cases |= {f"{name}: out_features {n}": (name, {"out_features": n}) for n in (0, 8, MAX_FEATURES + 16)}
    cases |= {f"LINEAR QKV: out_features {n}": ("LINEAR QKV", {"out_features": n}) for n in (0, 32, 24, 49152 + 48)}
    return cases | {
        "LAYERNORM: shift 0": ("LAYERNORM", {"shift": 0}),
        "LAYERNORM: gate copy with shift 0": ("LAYERNORM with gate copy", {"output_shift": 0}),
        "LAYERNORM: output_shift without gate copy": ("LAYERNORM", {"output_shift": 1}),
        "LAYERNORM: no epsilon": ("LAYERNORM", {"epsilon": 0}),
        "ATTENTION: no heads": ("ATTENTION", {"heads": 0}),
        "ATTENTION: heads narrower than a vector": ("ATTENTION", {"heads": 4}),
        "ATTENTION: features that heads do not divide": ("ATTENTION", {"heads": 3}),
        "GATE: k 0": ("GATE", {"top_k": 0}),
        "GATE: k above the experts": ("GATE", {"experts": 1}),
        "EXPERTS: none": ("EXPERTS", {"experts": 0, "segments": 0}),
        "EXPERTS: hidden_features 0": ("EXPERTS", {"hidden_features": 0}),
        "EXPERTS: hidden_features 24": ("EXPERTS", {"hidden_features": 24}),
        "COPY: onto itself": ("COPY", {"destination_row": 0}),
        "COPY: one row of overlap": ("COPY", {"destination_row": 3}),
        "COPY: one row of overlap, downwards": ("COPY", {"source_row": 3, "destination_row": 0}),
        "HEAD: no outputs": ("HEAD", {"out_features": 0}),
        "HEAD: too many outputs": ("HEAD", {"out_features": MAX_FEATURES + 1}),
    }


FIELD_CASES = broken_fields()


@pytest.mark.parametrize("case", FIELD_CASES)
def test_a_value_outside_its_range_is_an_illegal_field(case: str) -> None:
    name, fields = FIELD_CASES[case]
    assert fault_of(replace(LEGAL[name], **fields)) == Fault.ILLEGAL_FIELD


@pytest.mark.parametrize("name", [name for name, instruction in LEGAL.items() if instruction.opcode == Opcode.LINEAR])
def test_an_unknown_epilogue_is_an_illegal_field(name: str) -> None:
    for epilogue in range(len(Epilogue), 16):
        assert fault_with(LEGAL[name], "epilogue", epilogue) == Fault.ILLEGAL_FIELD


def test_each_epilogue_of_linear_joins_its_own_buffers_and_no_others() -> None:
    joined = {
        (Epilogue.QKV, Buffer.NORM, Buffer.QUERY),
        (Epilogue.GELU, Buffer.NORM, Buffer.HIDDEN),
        (Epilogue.RESIDUAL, Buffer.NORM, Buffer.RESIDUAL),
        (Epilogue.RESIDUAL, Buffer.HIDDEN, Buffer.RESIDUAL),
    }
    for epilogue in Epilogue:
        for source in range(16):
            for destination in range(16):
                features = {"out_features": 96 if epilogue == Epilogue.QKV else 32, "epilogue": epilogue}
                words = with_bits(replace(PROJECTION, **features), 0, 12, 8, source | destination << 4)
                legal = (epilogue, source, destination) in joined
                expected = Fault.NONE if legal else Fault.ILLEGAL_OPERAND
                assert static_fault(words, HARDWARE, INPUT_BYTES, OUTPUT_BYTES) == expected


def test_store_takes_any_scratchpad_but_none_and_no_unknown_one() -> None:
    for source in range(16):
        expected = Fault.NONE if source in list(Buffer)[1:] else Fault.ILLEGAL_OPERAND
        store = replace(STORE, rows=1, source_row=0, in_features=2 if source == Buffer.ROUTING else 16)
        assert fault_with(store, "source", source) == expected


ROWS, HIDDEN_ROWS = HARDWARE.max_rows, HARDWARE.hidden_elements
BUFFER_CASES: dict[str, tuple[Instruction, dict[str, Any]]] = {
    "PATCH_EMBED: tokens beyond max_rows": (PATCH_EMBED, {"destination_row": ROWS - 3}),
    "PATCH_EMBED: patches beyond HIDDEN": (PATCH_EMBED, {"in_features": HIDDEN_ROWS // 3 // 16 * 16 + 16}),
    "PATCH_EMBED: tokens beyond RESIDUAL": (PATCH_EMBED, {"out_features": 144}),
    "LAYERNORM: source beyond max_rows": (PLAIN, {"source_row": ROWS - 3}),
    "LAYERNORM: destination beyond max_rows": (PLAIN, {"destination_row": ROWS - 3}),
    "LAYERNORM: wider than max_width": (PLAIN, {"in_features": HARDWARE.max_width + 16}),
    "LAYERNORM: rows × features beyond RESIDUAL": (PLAIN, {"rows": 9, "in_features": 64}),
    "LINEAR: source beyond max_rows": (PROJECTION, {"source_row": ROWS - 3}),
    "LINEAR: destination beyond max_rows": (PROJECTION, {"destination_row": ROWS - 3}),
    "LINEAR: inputs beyond NORM": (PROJECTION, {"in_features": 144}),
    "LINEAR: outputs beyond RESIDUAL": (PROJECTION, {"out_features": 144}),
    "LINEAR: outputs beyond HIDDEN": (UP, {"out_features": 144}),
    "LINEAR: a third beyond QUERY": (QKV, {"out_features": 3 * 144}),
    "ATTENTION: more keys than max_tokens": (ATTENTION, {"rows": HARDWARE.max_tokens + 1}),
    "ATTENTION: beyond max_rows": (ATTENTION, {"source_row": ROWS - 3}),
    "ATTENTION: beyond QUERY": (ATTENTION, {"in_features": 160}),
    "GATE: source beyond max_rows": (GATE, {"source_row": ROWS - 3}),
    "GATE: destination beyond max_rows": (GATE, {"destination_row": ROWS - 3}),
    "GATE: beyond GATE_INPUT": (GATE, {"in_features": 144}),
    "COPY: source beyond max_rows": (COPY, {"source_row": ROWS - 3}),
    "COPY: destination beyond max_rows": (COPY, {"destination_row": ROWS - 3}),
    "COPY: beyond RESIDUAL": (COPY, {"in_features": 80}),
    "HEAD: beyond max_rows": (HEAD, {"source_row": ROWS - 3}),
    "HEAD: beyond NORM": (HEAD, {"in_features": 144}),
    "STORE: beyond max_rows": (STORE, {"source_row": ROWS - 3}),
    "STORE: beyond the buffer": (STORE, {"in_features": 80}),
    "STORE: beyond ROUTING": (STORE_ROUTING, {"in_features": 9}),
}


@pytest.mark.parametrize("case", BUFFER_CASES)
def test_rows_or_features_beyond_a_buffer_are_a_buffer_range(case: str) -> None:
    instruction, fields = BUFFER_CASES[case]
    assert fault_of(replace(instruction, **fields)) == Fault.BUFFER_RANGE


def test_the_last_row_of_each_buffer_is_legal() -> None:
    for instruction in (PLAIN, PROJECTION, ATTENTION, GATE, COPY):
        assert fault_of(replace(instruction, source_row=ROWS - 4)) == Fault.NONE
    assert fault_of(replace(ATTENTION, rows=HARDWARE.max_tokens)) == Fault.NONE


@pytest.mark.parametrize(
    ("instruction", "fields"),
    [
        (GATE, {"experts": HARDWARE.max_experts + 1}),
        (GATE, {"top_k": HARDWARE.max_top_k + 1}),
        (EXPERTS, {"experts": HARDWARE.max_experts + 1, "segments": HARDWARE.max_experts + 1}),
    ],
)
def test_more_experts_than_were_built_are_too_many(instruction: Instruction, fields: dict[str, Any]) -> None:
    assert fault_of(replace(instruction, **fields)) == Fault.TOO_MANY_EXPERTS


@pytest.mark.parametrize("name", ["PATCH_EMBED", "HEAD", "STORE", "STORE ROUTING"])
def test_addresses_are_aligned_and_accesses_end_within_their_region(name: str) -> None:
    instruction = LEGAL[name]
    pitch = {"PATCH_EMBED": row_pitch(48, 1), "HEAD": row_pitch(8, 2), "STORE": row_pitch(32, 2), "STORE ROUTING": 16}
    region = INPUT_BYTES if name == "PATCH_EMBED" else OUTPUT_BYTES
    last = region - instruction.rows * pitch[name]
    assert fault_of(replace(instruction, address=last)) == Fault.NONE
    for address in (last + 16, region, 1 << 32, (1 << 64) - 16, 1, 8, 15):
        assert fault_of(replace(instruction, address=address)) == Fault.ADDRESS_RANGE


def test_of_several_broken_rules_the_first_gives_the_fault() -> None:
    """Rules are mended one by one, in the order of docs/isa.md."""
    words = encode(replace(GATE, top_k=5, experts=5, rows=0, source_row=99))
    words[0] |= np.uint32(0x8000_00FF)
    steps = [(Fault.ILLEGAL_OPCODE, 0, 0xFF, int(Opcode.GATE)), (Fault.ILLEGAL_FIELD, 0, 0x8000_0000, 0)]
    steps += [(Fault.ILLEGAL_FIELD, 1, 0xFFFF, 4), (Fault.BUFFER_RANGE, 3, 0xFFFF, 0)]
    for fault, word, mask, value in steps:
        assert static_fault(words, HARDWARE, INPUT_BYTES, OUTPUT_BYTES) == fault
        words[word] = int(words[word]) & ~mask & 0xFFFFFFFF | value
    assert static_fault(words, HARDWARE, INPUT_BYTES, OUTPUT_BYTES) == Fault.TOO_MANY_EXPERTS
