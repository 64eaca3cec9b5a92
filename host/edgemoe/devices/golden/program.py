"""A program decoded once from memory: checked header, instructions, segments made operands on first use."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import INSTRUCTION_BYTES, INSTRUCTION_WORDS, STREAM_LINE
from edgemoe.spec.memory import (
    Bytes,
    gate_bytes,
    layernorm_bytes,
    linear_bytes,
    position_bytes,
    round_up,
    unpack_gate,
    unpack_gate_bias,
    unpack_layernorm,
    unpack_linear,
    unpack_position,
    unstripe,
)
from edgemoe.spec.precision import MAX_SHIFT
from edgemoe.spec.program_header import ProgramHeader, decode_header
from edgemoe.spec.registers import IDENTITY
from edgemoe_golden.ops.experts import Expert
from edgemoe_golden.ops.linear import PreparedLinear, prepare_linear

_NO_HEADER = ProgramHeader(0, 0, 0, 0, 0)


class MachineFaultError(EdgeMoeError):
    """A fault while a program runs; carries the code for the register."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


@dataclass(frozen=True)
class Part:
    """Segments first … end − 1 of the stream, which end at line end_line and are streamed so many times."""

    first: int
    end: int
    end_line: int
    times: int


@dataclass
class DecodedProgram:
    """header_fault: NONE when the rest may be used. words: uint32 [instructions, 16]. stream: the weight stream.

    parts: of the stream, as this run's REPEAT instructions say.
    """

    header_fault: Fault
    header: ProgramHeader
    words: NDArray[np.uint32]
    stream: Bytes
    hardware: HardwareConfig
    segment_starts: list[int] = field(default_factory=list)
    prepared: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    def segment(self, number: int, expected_bytes: int) -> Bytes:
        """Payload of one segment; raises MachineFaultError when the stream does not deliver it so."""
        if number >= len(self.segment_starts):
            raise MachineFaultError(Fault.STREAM_END)
        start = self.segment_starts[number]
        tag, lines = (int(value) for value in self.stream[start : start + 8].view("<u4"))
        begin = start + STREAM_LINE
        part = next((part for part in self.parts if number < part.end), None)
        left = part.end_line - begin // STREAM_LINE - lines if part else 0  # lines of the part behind this segment
        if left < 0:
            raise MachineFaultError(Fault.STREAM_END)
        if tag != number or lines * STREAM_LINE != round_up(expected_bytes, STREAM_LINE):
            raise MachineFaultError(Fault.SEGMENT_MISMATCH)
        if part and number == part.end - 1 and left:
            raise MachineFaultError(Fault.SEGMENT_MISMATCH)
        return self.stream[begin : begin + expected_bytes]

    def check_expert(self, number: int, features: int, hidden: int, narrow: int) -> None:
        """Check a segment that is dropped, as the prefetcher does when it passes by."""
        self.segment(number, sum(self._expert_bytes(features, hidden, narrow)))

    def _expert_bytes(self, features: int, hidden: int, narrow: int) -> tuple[int, int]:
        up = linear_bytes(hidden, features, self.hardware, narrow)
        return up, linear_bytes(features, hidden, self.hardware, narrow)

    def position(self, number: int, rows: int, features: int) -> NDArray[np.int64]:
        """Position embedding of a POSITION segment."""
        payload = self.segment(number, position_bytes(rows, features, self.hardware))
        return low_bits(unpack_position(payload, rows, features, self.hardware), self.hardware.numbers.residual_bits)

    def layernorm(self, number: int, features: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(gain, offset) of a LAYERNORM segment."""
        weights = unpack_layernorm(self.segment(number, layernorm_bytes(features, self.hardware)), self.hardware)
        numbers = self.hardware.numbers
        return low_bits(weights.gain, numbers.gain_bits), low_bits(weights.offset, numbers.offset_bits)

    def linear(self, number: int, outputs: int, inputs: int, narrow: int) -> PreparedLinear:
        """A LINEAR segment, prepared once."""
        key = (number, outputs, inputs, narrow)
        if key not in self.prepared:
            payload = self.segment(number, linear_bytes(outputs, inputs, self.hardware, narrow))
            self.prepared[key] = self._prepare(payload, outputs, inputs, narrow)
        prepared: PreparedLinear = self.prepared[key]
        return prepared

    def _prepare(self, payload: Bytes, outputs: int, inputs: int, narrow: int) -> PreparedLinear:
        numbers, weights = self.hardware.numbers, unpack_linear(payload, outputs, inputs, self.hardware, narrow)
        bias, shift = low_bits(weights.bias, numbers.bias_bits + 1), np.minimum(weights.shift, MAX_SHIFT)
        return prepare_linear(replace(weights, bias=bias, shift=shift), numbers)

    def gate(
        self, number: int, experts: int, features: int, biased: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
        """A GATE segment: weights [experts, features], float64 integers for an exact product, and its bias or None."""
        key = (number, experts, features, biased, "gate")
        if key not in self.prepared:
            payload = self.segment(number, gate_bytes(experts, features, self.hardware, biased))
            weight = unpack_gate(payload, experts, features, self.hardware, biased).astype(np.float64)
            self.prepared[key] = weight, unpack_gate_bias(payload, experts, self.hardware) if biased else None
        prepared: tuple[NDArray[np.float64], NDArray[np.int64] | None] = self.prepared[key]
        return prepared

    def expert(self, number: int, features: int, hidden: int, narrow: int) -> Expert:
        """An EXPERT segment, prepared once."""
        key = (number, features, hidden, narrow, "expert")
        if key not in self.prepared:
            split, rest = self._expert_bytes(features, hidden, narrow)
            payload = self.segment(number, split + rest)
            up = self._prepare(payload[:split], hidden, features, narrow)
            self.prepared[key] = Expert(up, self._prepare(payload[split:], features, hidden, narrow))
        prepared: Expert = self.prepared[key]
        return prepared


def low_bits(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Sign-extended from `bits`: what a stream says beyond a field's range would break the bounds of golden.ops."""
    return values << (64 - bits) >> (64 - bits)


def decode_program(memory: FlatMemory, hardware: HardwareConfig, program: int, weights: list[int]) -> DecodedProgram:
    """Read header, instructions and weight stream; header problems are kept as `header_fault`."""
    empty = np.zeros((0, INSTRUCTION_WORDS), dtype=np.uint32)

    def refused(fault: Fault) -> DecodedProgram:
        return DecodedProgram(fault, _NO_HEADER, empty, np.zeros(0, dtype=np.uint8), hardware)

    try:
        header = decode_header(memory.view(program, INSTRUCTION_BYTES).view("<u4"), IDENTITY)
    except ValueError:
        return refused(Fault.BAD_PROGRAM_HEADER)
    if header.config_hash != hardware.hash():
        return refused(Fault.CONFIG_MISMATCH)
    if header.instructions == 0:
        return refused(Fault.BAD_PROGRAM_HEADER)
    body = memory.view(program + INSTRUCTION_BYTES, header.instructions * INSTRUCTION_BYTES)
    region = header.stream_lines * STREAM_LINE // hardware.ports
    regions = [memory.view(address, region) for address in weights[: hardware.ports]] if region else []
    stream = unstripe(regions) if region else np.zeros(0, dtype=np.uint8)
    words = body.view("<u4").reshape(-1, INSTRUCTION_WORDS).copy()
    return DecodedProgram(Fault.NONE, header, words, stream, hardware, _segment_starts(stream))


def _segment_starts(stream: Bytes) -> list[int]:
    """Byte offsets of the headers, as far as the stream is well formed."""
    starts, position = [], 0
    while position + STREAM_LINE <= stream.size:
        lines = int(stream[position + 4 : position + 8].view("<u4")[0])
        end = position + STREAM_LINE * (1 + lines)
        if end > stream.size:
            break
        starts.append(position)
        position = end
    return starts
