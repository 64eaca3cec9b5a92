"""Instructions for the tests of legality: one of every kind that is legal, and, rule by rule of docs/isa.md, changes of
these that break it, changes that just do not, and changes of any sort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import (
    FIELDS,
    STREAM_LINE,
    STREAMING_OPCODES,
    Buffer,
    Epilogue,
    Instruction,
    Opcode,
    encode,
    used_fields,
)
from edgemoe.spec.legality import static_fault
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.precision import MAX_FEATURES
from sim.examples.machine import (
    INPUT_BYTES,
    OUTPUT_BYTES,
    RESIDUAL_AT,
    TOKENS,
    WIDTH,
    program,
    small_hardware,
)

Words = NDArray[np.uint32]

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
STREAMED = {  # legal in a build with the option `streaming`
    "LOAD": Instruction(Opcode.LOAD, destination=Buffer.KEY, rows=TOKENS, in_features=WIDTH, address=RESIDUAL_AT),
    "LOAD RESIDUAL": Instruction(
        Opcode.LOAD, destination=Buffer.RESIDUAL, rows=TOKENS, in_features=WIDTH, address=RESIDUAL_AT, pitch=5
    ),
    "STORE at a pitch": replace(STORE, pitch=4),
    "ATTENTION of other keys": replace(ATTENTION, keys=TOKENS - 1, key_row=1),
    "REPEAT": Instruction(Opcode.REPEAT, rows=2, segments=3, address=3 * STREAM_LINE),
}
LINEAR = [name for name, instruction in LEGAL.items() if instruction.opcode == Opcode.LINEAR]
ADDRESSED = {"PATCH_EMBED": row_pitch(48, 1), "HEAD": row_pitch(8, 2), "STORE": row_pitch(32, 2), "STORE ROUTING": 16}
RESERVED = sorted(
    {(word, bit) for word in range(16) for bit in range(32)}
    - {(field.word, bit) for field in FIELDS.values() for bit in range(field.low, field.low + field.width)}
)


@dataclass(frozen=True, eq=False)
class Case:
    """An instruction, 16 words, and the fault of the first of rules 1 … 6 that it breaks on this hardware."""

    name: str
    words: Words
    fault: Fault
    hardware: HardwareConfig = HARDWARE
    input_bytes: int = INPUT_BYTES
    output_bytes: int = OUTPUT_BYTES

    def found(self) -> Fault:
        """What the specification says."""
        return static_fault(self.words, self.hardware, self.input_bytes, self.output_bytes)


def changed(name: str, fault: Fault, **fields: Any) -> Case:
    """An instruction of LEGAL with other values in these fields."""
    what = ", ".join(f"{field} {value}" for field, value in fields.items())
    return Case(f"{name}: {what}" if what else name, encode(replace(LEGAL[name], **fields)), fault)


def put(words: Words, word: int, low: int, width: int, value: int) -> None:
    """Write bits at a place; what the value has beyond its width is left out."""
    mask = (1 << width) - 1
    words[word] = int(words[word]) & ~(mask << low) | (value & mask) << low


def with_bits(name: str, fault: Fault, word: int, low: int, width: int, value: int) -> Case:
    """An instruction of LEGAL with other bits at a place, which need not be a field's."""
    words = encode(LEGAL[name])
    put(words, word, low, width, value)
    return Case(f"{name}: word {word}, {width} bits from {low} on: {value:#x}", words, fault)


def with_field(name: str, fault: Fault, field: str, value: int) -> Case:
    """An instruction of LEGAL with any bits in a field."""
    place = FIELDS[field]
    return with_bits(name, fault, place.word, place.low, place.width, value)


def unknown_opcodes(name: str) -> list[Case]:
    """Rule 1; whatever the rest says."""
    unknown = [*STREAMING_OPCODES, *range(len(Opcode), 256)]
    return [with_field(name, Fault.ILLEGAL_OPCODE, "opcode", opcode) for opcode in unknown]


def reserved_bits(name: str) -> list[Case]:
    """Rule 2: each bit that no field has."""
    return [with_bits(name, Fault.ILLEGAL_FIELD, word, bit, 1, 1) for word, bit in RESERVED]


def unused_fields(name: str) -> list[Case]:
    """Rule 2: each bit of the fields that this opcode does not use."""
    unused = sorted(set(FIELDS) - {"opcode", *used_fields(LEGAL[name].opcode, HARDWARE.options)})
    bits = [(field, 1 << bit) for field in unused for bit in range(FIELDS[field].width)]
    return [with_field(name, Fault.ILLEGAL_FIELD, *bit) for bit in bits]


def values_out_of_range() -> list[Case]:
    """Rule 2: values that no hardware allows."""
    cases: list[tuple[str, dict[str, Any]]] = []
    for name, instruction in LEGAL.items():
        used = used_fields(instruction.opcode, HARDWARE.options)
        if "rows" in used:
            cases.append((name, {"rows": 0}))
        if "in_features" in used:
            wrong = (0,) if name == "STORE ROUTING" else (0, 8, 40, MAX_FEATURES + 16)
            cases += [(name, {"in_features": n}) for n in wrong]
        if "segments" in used:
            cases += [(name, {"segments": instruction.segments + step}) for step in (-1, 1)]
        if "shift" in used:
            cases.append((name, {"shift": 61}))
        if "output_shift" in used:
            limit = 30 if instruction.opcode == Opcode.ATTENTION else 60
            cases.append((name, {"output_shift": limit + 1}))
        if instruction.opcode == Opcode.LINEAR and instruction.epilogue != Epilogue.GELU:
            cases += [(name, {grid: 1}) for grid in ("output_multiplier", "output_shift", "output_zero")]
    for name in ("PATCH_EMBED", "LINEAR GELU", "LINEAR RESIDUAL of NORM"):
        cases += [(name, {"out_features": n}) for n in (0, 8, MAX_FEATURES + 16)]
    cases += [("LINEAR QKV", {"out_features": n}) for n in (0, 32, 24, 49152 + 48)]
    cases += [
        ("LAYERNORM", {"shift": 0}),
        ("LAYERNORM with gate copy", {"output_shift": 0}),
        ("LAYERNORM", {"output_shift": 1}),
        ("LAYERNORM", {"epsilon": 0}),
        ("ATTENTION", {"heads": 0}),
        ("ATTENTION", {"heads": 4}),  # narrower than a vector
        ("ATTENTION", {"heads": 3}),  # do not divide the features
        ("GATE", {"top_k": 0}),
        ("GATE", {"experts": 1}),  # fewer than top_k
        ("EXPERTS", {"experts": 0, "segments": 0}),
        ("EXPERTS", {"hidden_features": 0}),
        ("EXPERTS", {"hidden_features": 24}),
        ("COPY", {"destination_row": 0}),  # onto itself
        ("COPY", {"destination_row": 3}),  # one row of overlap
        ("COPY", {"source_row": 3, "destination_row": 0}),
        ("HEAD", {"out_features": 0}),
        ("HEAD", {"out_features": MAX_FEATURES + 1}),
    ]
    return [changed(name, Fault.ILLEGAL_FIELD, **fields) for name, fields in cases]


def unknown_epilogues(name: str) -> list[Case]:
    """Rule 2, of a LINEAR."""
    return [with_field(name, Fault.ILLEGAL_FIELD, "epilogue", epilogue) for epilogue in range(len(Epilogue), 16)]


def operands_of_linear() -> list[Case]:
    """Rule 3: each epilogue with any two buffers, of which it joins its own and no others."""
    joined = {
        (Epilogue.QKV, Buffer.NORM, Buffer.QUERY),
        (Epilogue.GELU, Buffer.NORM, Buffer.HIDDEN),
        (Epilogue.RESIDUAL, Buffer.NORM, Buffer.RESIDUAL),
        (Epilogue.RESIDUAL, Buffer.HIDDEN, Buffer.RESIDUAL),
    }
    cases = []
    for epilogue in Epilogue:
        for source in range(16):
            for destination in range(16):
                fault = Fault.NONE if (epilogue, source, destination) in joined else Fault.ILLEGAL_OPERAND
                operands = {"epilogue": epilogue, "source": source, "destination": destination}
                features = 96 if epilogue == Epilogue.QKV else 32
                cases.append(changed("LINEAR RESIDUAL of NORM", fault, **operands, out_features=features))
    return cases


def operands_of_store() -> list[Case]:
    """Rule 3: any scratchpad but none and no unknown one."""
    cases = []
    for source in range(16):
        fault = Fault.NONE if source in list(Buffer)[1:] else Fault.ILLEGAL_OPERAND
        features = 2 if source == Buffer.ROUTING else 16
        cases.append(changed("STORE", fault, rows=1, source_row=0, in_features=features, source=source))
    return cases


def rows_beyond_buffers() -> list[Case]:
    """Rule 4: rows × features that a buffer does not hold."""
    rows, elements = HARDWARE.max_rows, HARDWARE.hidden_elements
    last = {"source_row": rows - 3}, {"destination_row": rows - 3}
    cases: list[tuple[str, dict[str, Any]]] = [
        (name, fields)
        for name in ("LAYERNORM", "LINEAR RESIDUAL of NORM", "GATE", "COPY")
        for fields in last
    ]  # fmt: skip
    cases += [(name, {"source_row": rows - 3}) for name in ("ATTENTION", "HEAD", "STORE")]
    cases += [
        ("PATCH_EMBED", {"destination_row": rows - 3}),
        ("PATCH_EMBED", {"in_features": elements // 3 // 16 * 16 + 16}),  # patches beyond HIDDEN
        ("PATCH_EMBED", {"out_features": 144}),
        ("LAYERNORM", {"in_features": HARDWARE.max_width + 16}),
        ("LAYERNORM", {"rows": 9, "in_features": 64}),
        ("LINEAR RESIDUAL of NORM", {"in_features": 144}),
        ("LINEAR RESIDUAL of NORM", {"out_features": 144}),
        ("LINEAR GELU", {"out_features": 144}),
        ("LINEAR QKV", {"out_features": 3 * 144}),  # a third beyond QUERY
        ("ATTENTION", {"rows": HARDWARE.max_tokens + 1}),
        ("ATTENTION", {"in_features": 160}),
        ("GATE", {"in_features": 144}),
        ("COPY", {"in_features": 80}),
        ("HEAD", {"in_features": 144}),
        ("STORE", {"in_features": 80}),
        ("STORE", {"source_row": rows - 3, "in_features": 16}),  # its elements would fit
        ("STORE ROUTING", {"in_features": 9}),
    ]
    return [changed(name, Fault.BUFFER_RANGE, **fields) for name, fields in cases]


def last_rows() -> list[Case]:
    """Rule 4: the last row of a buffer is there."""
    names = ("LAYERNORM", "LINEAR RESIDUAL of NORM", "ATTENTION", "GATE", "COPY")
    cases = [changed(name, Fault.NONE, source_row=HARDWARE.max_rows - 4) for name in names]
    cases.append(changed("STORE", Fault.NONE, source_row=HARDWARE.max_rows - 4, in_features=16))
    return [*cases, changed("ATTENTION", Fault.NONE, rows=HARDWARE.max_tokens)]


def too_many_experts() -> list[Case]:
    """Rule 5: more than were built."""
    more = HARDWARE.max_experts + 1
    return [
        changed("GATE", Fault.TOO_MANY_EXPERTS, experts=more),
        changed("GATE", Fault.TOO_MANY_EXPERTS, top_k=HARDWARE.max_top_k + 1),
        changed("EXPERTS", Fault.TOO_MANY_EXPERTS, experts=more, segments=more),
    ]


def addresses(name: str) -> list[Case]:
    """Rule 6, of an instruction of ADDRESSED: the last address that fits, and those that do not or are not aligned."""
    region = INPUT_BYTES if name == "PATCH_EMBED" else OUTPUT_BYTES
    last = region - LEGAL[name].rows * ADDRESSED[name]
    wrong = (last + 16, region, 1 << 32, (1 << 64) - 16, 1, 8, 15)
    cases = [changed(name, Fault.ADDRESS_RANGE, address=address) for address in wrong]
    return [changed(name, Fault.NONE, address=last), *cases]


def several_broken_rules() -> list[Case]:
    """All broken at first, then mended one by one in the order of docs/isa.md: the first gives the fault."""
    words = encode(replace(GATE, top_k=5, experts=5, rows=0, source_row=99))
    words[0] |= np.uint32(0x8000_00FF)
    steps = [(Fault.ILLEGAL_OPCODE, 0, 0xFF, int(Opcode.GATE)), (Fault.ILLEGAL_FIELD, 0, 0x8000_0000, 0)]
    steps += [(Fault.ILLEGAL_FIELD, 1, 0xFFFF, 4), (Fault.BUFFER_RANGE, 3, 0xFFFF, 0)]
    cases = []
    for number, (fault, word, mask, value) in enumerate(steps):
        cases.append(Case(f"GATE: {number} rules mended", words.copy(), fault))
        words[word] = int(words[word]) & ~mask & 0xFFFFFFFF | value
    return [*cases, Case(f"GATE: {len(steps)} rules mended", words, Fault.TOO_MANY_EXPERTS)]


def by_rule() -> list[list[Case]]:
    """All of the above."""
    each = (unknown_opcodes, reserved_bits, unused_fields)
    return [
        [changed(name, Fault.NONE) for name in LEGAL],
        *([case for name in LEGAL for case in cases(name)] for cases in each),
        values_out_of_range(), [case for name in LINEAR for case in unknown_epilogues(name)],
        operands_of_linear(), operands_of_store(), rows_beyond_buffers(), last_rows(), too_many_experts(),
        [case for name in ADDRESSED for case in addresses(name)], several_broken_rules(),
    ]  # fmt: skip
