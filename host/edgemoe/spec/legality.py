"""What makes an instruction legal, in the order in which every engine checks it: the first rule broken gives the fault.

Rules that depend on the program alone stand here. What depends on the run (operands not yet written, the stream's next
segment, queue lengths) is checked when the instruction executes; see docs/isa.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import (
    FIELDS,
    LINEAR_OPERANDS,
    MEMORY_WORD,
    STREAM_LINE,
    STREAMING_OPCODES,
    Buffer,
    Epilogue,
    Instruction,
    Opcode,
    decode,
    raw_fields,
    used_fields,
)
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.precision import MAX_FEATURES, MAX_SHIFT

MAX_ATTENTION_OUTPUT_SHIFT = 30  # the row's own shift is added to it, and the sum stays below 63

_SEGMENTS = {
    Opcode.PATCH_EMBED: 2,
    Opcode.LAYERNORM: 1,
    Opcode.LINEAR: 1,
    Opcode.GATE: 1,
    Opcode.HEAD: 1,
}


def static_fault(words: NDArray[np.uint32], hardware: HardwareConfig, input_bytes: int, output_bytes: int) -> Fault:
    """First fault of one encoded instruction (16 words), Fault.NONE when it is legal."""
    values = raw_fields(words)
    if values["opcode"] not in list(Opcode):
        return Fault.ILLEGAL_OPCODE
    if values["opcode"] in STREAMING_OPCODES and not hardware.streaming:
        return Fault.ILLEGAL_OPCODE
    if _reserved_bits(words) or _unused_fields(values, hardware):
        return Fault.ILLEGAL_FIELD
    if values["epilogue"] not in list(Epilogue):
        return Fault.ILLEGAL_FIELD
    if values["source"] not in list(Buffer) or values["destination"] not in list(Buffer):
        return Fault.ILLEGAL_OPERAND
    instruction = decode(words)
    checks = (
        (_field_ranges(instruction, hardware), Fault.ILLEGAL_FIELD),
        (_operands(instruction, hardware), Fault.ILLEGAL_OPERAND),
        (_fits_buffers(instruction, hardware), Fault.BUFFER_RANGE),
        (_fits_experts(instruction, hardware), Fault.TOO_MANY_EXPERTS),
        (_fits_memory(instruction, hardware, input_bytes, output_bytes), Fault.ADDRESS_RANGE),
    )
    for passed, fault in checks:
        if not passed:
            return fault
    return Fault.NONE


def _reserved_bits(words: NDArray[np.uint32]) -> bool:
    covered = [0] * len(words)
    for field in FIELDS.values():
        covered[field.word] |= ((1 << field.width) - 1) << field.low
    return any(int(word) & ~mask for word, mask in zip(words, covered, strict=True))


def _unused_fields(values: dict[str, int], hardware: HardwareConfig) -> bool:
    used = used_fields(Opcode(values["opcode"]), hardware.options)
    return any(value for name, value in values.items() if name != "opcode" and name not in used)


def _vectors(*features: int) -> bool:
    return all(VECTOR <= count <= MAX_FEATURES and count % VECTOR == 0 for count in features)


def _field_ranges(i: Instruction, hardware: HardwareConfig) -> bool:
    """Sizes at least 1, features whole vectors, shifts that the rounding can do, the right number of segments."""
    if i.opcode == Opcode.HALT:
        return True
    if i.opcode != Opcode.EXPERTS and i.rows < 1:
        return False
    if i.opcode == Opcode.REPEAT:
        return i.segments >= 1
    routing = i.opcode == Opcode.STORE and i.source == Buffer.ROUTING
    if not routing and not _vectors(i.in_features):
        return False
    if routing and i.in_features < 1:
        return False
    if i.segments != (i.experts if i.opcode == Opcode.EXPERTS else _SEGMENTS.get(i.opcode, 0)):
        return False
    if i.shift > MAX_SHIFT or i.output_shift > MAX_SHIFT:
        return False
    if i.pitch and i.pitch * MEMORY_WORD < memory_row(i, hardware):
        return False
    return _opcode_ranges(i)


def _opcode_ranges(i: Instruction) -> bool:
    match i.opcode:
        case Opcode.PATCH_EMBED:
            return _vectors(i.out_features)
        case Opcode.LAYERNORM:
            shifted = i.gate_copy and not i.residual_copy
            copy_shift = i.output_shift >= 1 if shifted else i.output_shift == 0
            return i.shift >= 1 and copy_shift and i.residual_copy <= i.gate_copy and i.epsilon >= 1
        case Opcode.LINEAR:
            grid = i.output_multiplier or i.output_shift or i.output_zero
            if i.epilogue != Epilogue.GELU and (grid or i.activation):
                return False
            if i.epilogue == Epilogue.RESIDUAL and i.wide_result:
                return False
            parts = 3 if i.epilogue == Epilogue.QKV else 1
            return i.out_features % parts == 0 and _vectors(i.out_features // parts)
        case Opcode.ATTENTION:
            whole_heads = i.heads >= 1 and i.in_features % (VECTOR * i.heads) == 0
            return whole_heads and i.output_shift <= MAX_ATTENTION_OUTPUT_SHIFT and bool(i.keys or not i.key_row)
        case Opcode.STORE:
            return i.source != Buffer.ROUTING or not i.pitch
        case Opcode.GATE:
            return 1 <= i.top_k <= i.experts
        case Opcode.EXPERTS:
            return i.experts >= 1 and _vectors(i.hidden_features)
        case Opcode.COPY:
            return abs(i.source_row - i.destination_row) >= i.rows
        case Opcode.HEAD:
            return 1 <= i.out_features <= MAX_FEATURES
        case _:
            return True


def _operands(i: Instruction, hardware: HardwareConfig) -> bool:
    if i.opcode == Opcode.LINEAR:
        if i.epilogue not in LINEAR_OPERANDS:
            return False
        sources, destination = LINEAR_OPERANDS[i.epilogue]
        return i.source in sources and i.destination == destination and _width_of_source(i, hardware)
    if i.opcode == Opcode.LOAD:
        return i.destination in LOADED and (i.destination in EITHER_WIDTH or not i.wide_result)
    if i.opcode != Opcode.STORE:
        return True
    return i.source != Buffer.NONE and (i.source in EITHER_WIDTH or not i.wide_source)


def _width_of_source(i: Instruction, hardware: HardwareConfig) -> bool:
    """LINEAR: NORM is 8 bits wide, GATE_INPUT 16, HIDDEN either where the build has wide ones."""
    if i.source == Buffer.HIDDEN:
        return hardware.wide_inner or not i.wide_source
    return bool(i.wide_source) == (i.source == Buffer.GATE_INPUT)


EITHER_WIDTH = (Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.HIDDEN)
"""Scratchpads that hold activations of 8 or of 16 bits, the latter in twice the room."""

LOADED = (Buffer.RESIDUAL, Buffer.NORM, Buffer.GATE_INPUT, Buffer.QUERY, Buffer.KEY, Buffer.VALUE)
"""Scratchpads that LOAD writes."""


class Rows(NamedTuple):
    """Rows [first, first + rows) of a scratchpad, of so many features each; wide: of 16 bits in EITHER_WIDTH."""

    buffer: Buffer
    first: int
    rows: int
    features: int
    wide: bool = False

    @property
    def elements(self) -> int:
        """Elements of the scratchpad that a row takes."""
        return 2 * self.features if self.wide else self.features

    def overlaps(self, other: Rows) -> bool:
        """Whether they share an element; rows of another width lie in other places, which count as the same."""
        if self.buffer != other.buffer:
            return False
        if (self.features, self.wide) != (other.features, other.wide):
            return True
        return self.first < other.first + other.rows and other.first < self.first + self.rows


def normalised(wide: int) -> Buffer:
    """Where activations of the model's width lie that are not hidden ones: GATE_INPUT when they are 16 bits wide."""
    return Buffer.GATE_INPUT if wide else Buffer.NORM


def reads(i: Instruction) -> list[Rows]:
    """What an instruction reads by row; this run must have written it. EXPERTS reads what its queues say."""
    source, residual = (i.source_row, i.rows, i.in_features), (i.destination_row, i.rows, i.out_features)
    match i.opcode:
        case Opcode.LAYERNORM | Opcode.COPY:
            return [Rows(Buffer.RESIDUAL, *source)]
        case Opcode.LINEAR | Opcode.STORE:
            own = Rows(i.source, *source, wide=bool(i.wide_source) and i.source in EITHER_WIDTH)
            return [own, Rows(Buffer.RESIDUAL, *residual)] if i.epilogue == Epilogue.RESIDUAL else [own]
        case Opcode.ATTENTION:
            keys = (i.key_row, i.keys, i.in_features) if i.keys else source
            places = ((Buffer.QUERY, source), (Buffer.KEY, keys), (Buffer.VALUE, keys))
            return [Rows(buffer, *place, wide=bool(i.wide_source)) for buffer, place in places]
        case Opcode.GATE:
            updated = Rows(Buffer.RESIDUAL, i.destination_row, i.rows, i.in_features)
            return [Rows(Buffer.GATE_INPUT, *source), Rows(Buffer.NORM, *source), updated]
        case Opcode.HEAD:
            return [Rows(normalised(i.wide_source), *source)]
        case _:
            return []


def writes(i: Instruction) -> list[Rows]:
    """What an instruction writes by row; it may overwrite or extend what this run has written, without a gap."""
    destination = (i.destination_row, i.rows)
    match i.opcode:
        case Opcode.PATCH_EMBED:
            patches = Rows(Buffer.HIDDEN, 0, i.rows, i.in_features)
            return [patches, Rows(Buffer.RESIDUAL, i.destination_row, i.rows + 1, i.out_features)]
        case Opcode.LAYERNORM:
            buffers = (Buffer.NORM, Buffer.GATE_INPUT) if i.gate_copy else (Buffer.NORM,)
            return [Rows(buffer, *destination, i.in_features) for buffer in buffers]
        case Opcode.LINEAR if i.epilogue == Epilogue.QKV:
            parts = (Buffer.QUERY, Buffer.KEY, Buffer.VALUE)
            return [Rows(buffer, *destination, i.out_features // 3, bool(i.wide_result)) for buffer in parts]
        case Opcode.LINEAR:
            return [Rows(i.destination, *destination, i.out_features, bool(i.wide_result))]
        case Opcode.ATTENTION:
            return [Rows(normalised(i.wide_result), i.source_row, i.rows, i.in_features)]
        case Opcode.GATE:
            return [Rows(Buffer.ROUTING, *destination, i.top_k)]
        case Opcode.COPY:
            return [Rows(Buffer.RESIDUAL, *destination, i.in_features)]
        case Opcode.LOAD:
            return [Rows(i.destination, *destination, i.in_features, bool(i.wide_result))]
        case _:
            return []


def _fits_buffers(i: Instruction, hardware: HardwareConfig) -> bool:
    moved = i.opcode in (Opcode.ATTENTION, Opcode.LOAD, Opcode.STORE)
    for each in (*reads(i), *writes(i)):
        end = each.first + each.rows
        most = hardware.rows_of(each.buffer) if moved else hardware.max_rows
        own_rule = each.buffer == Buffer.ROUTING and i.opcode == Opcode.GATE  # its k has a rule and a fault of its own
        room = hardware.room(end, each.elements)
        if end > most or (not own_rule and room > hardware.capacity(each.buffer)):
            return False
    if i.opcode == Opcode.ATTENTION and (i.keys or i.rows) > hardware.max_tokens:
        return False
    return i.opcode != Opcode.LAYERNORM or i.in_features <= hardware.max_width


def _fits_experts(i: Instruction, hardware: HardwareConfig) -> bool:
    return i.experts <= hardware.max_experts and i.top_k <= hardware.max_top_k


def element_bytes(buffer: Buffer, hardware: HardwareConfig, wide: bool | int = False) -> int:
    """Bytes of one value of a buffer in memory, as STORE writes it (ROUTING: expert and score, 2 bytes each)."""
    if buffer == Buffer.RESIDUAL:
        return hardware.numbers.residual_bytes
    if buffer == Buffer.GATE_INPUT or wide:
        return 2
    return 4 if buffer == Buffer.ROUTING else hardware.numbers.activation_bytes


def memory_row(i: Instruction, hardware: HardwareConfig) -> int:
    """Bytes of a row that STORE writes or LOAD reads, in whole memory words."""
    buffer, wide = (i.destination, i.wide_result) if i.opcode == Opcode.LOAD else (i.source, i.wide_source)
    return row_pitch(i.in_features, element_bytes(buffer, hardware, wide))


def memory_span(i: Instruction, hardware: HardwareConfig) -> int:
    """Bytes of the output region from STORE's or LOAD's first row to the end of its last."""
    row = memory_row(i, hardware)
    return (i.rows - 1) * (i.pitch * MEMORY_WORD or row) + row


def _fits_memory(i: Instruction, hardware: HardwareConfig, input_bytes: int, output_bytes: int) -> bool:
    if i.address % MEMORY_WORD:
        return False
    if i.opcode == Opcode.PATCH_EMBED:
        return i.address + i.rows * row_pitch(i.in_features, 1) <= input_bytes
    if i.opcode == Opcode.HEAD:
        return i.address + i.rows * row_pitch(i.out_features, 2) <= output_bytes
    if i.opcode in (Opcode.STORE, Opcode.LOAD):
        return i.address + memory_span(i, hardware) <= output_bytes
    return i.opcode != Opcode.REPEAT or i.address % STREAM_LINE == 0
