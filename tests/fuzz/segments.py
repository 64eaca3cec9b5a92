"""Weight segments that come into being while golden executes: what it asks for is made at random, in legal ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgemoe.devices.golden.program import DecodedProgram
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import INSTRUCTION_WORDS
from edgemoe.spec.memory import (
    Bytes,
    LayerNormWeights,
    LinearWeights,
    SegmentKind,
    pack_gate,
    pack_layernorm,
    pack_linear,
    pack_position,
    segment,
)
from edgemoe.spec.precision import GATE_BIAS_LIMIT, WIDE_LIMIT
from edgemoe.spec.program_header import ProgramHeader
from tests.fuzz.mutate import Rng, pick

INPUT_BYTES, OUTPUT_BYTES = 4096, 1 << 16
NARROW_BITS = 4


class InventedProgram(DecodedProgram):
    """A program whose segments come into being when golden asks for them."""

    def __init__(self, hardware: HardwareConfig, rng: Rng) -> None:
        header = ProgramHeader(hardware.hash(), 1, 0, INPUT_BYTES, OUTPUT_BYTES)
        nothing = np.zeros((0, INSTRUCTION_WORDS), dtype=np.uint32), np.zeros(0, dtype=np.uint8)
        super().__init__(Fault.NONE, header, *nothing, hardware)
        self.rng = rng
        self.payloads: list[tuple[SegmentKind, Bytes]] = []

    def keep(self, count: int) -> None:
        """Forget all segments but the first."""
        del self.payloads[count:]
        self.prepared = {key: value for key, value in self.prepared.items() if key[0] < count}

    def stream_bytes(self) -> Bytes:
        """All segments with their headers."""
        parts = [segment(number, *each) for number, each in enumerate(self.payloads)]
        return np.concatenate([np.zeros(0, dtype=np.uint8), *parts])

    def segment(self, number: int, expected_bytes: int) -> Bytes:
        """See DecodedProgram. A layout that is unknown here is made of any bytes."""
        self._offer(number, SegmentKind.LINEAR, np.zeros(0, dtype=np.uint8))
        kind, payload = self.payloads[number]
        if payload.size != expected_bytes:
            payload = np.frombuffer(self.rng.bytes(expected_bytes), dtype=np.uint8)
            self.payloads[number] = kind, payload
        return payload

    def position(self, number: int, rows: int, features: int) -> Any:
        """See DecodedProgram."""
        top = 1 << (self.hardware.numbers.residual_bits - 1)
        table = self._integers(top >> int(self.rng.integers(0, 8)), (rows, features))
        self._offer(number, SegmentKind.POSITION, pack_position(table, self.hardware))
        return super().position(number, rows, features)

    def layernorm(self, number: int, features: int) -> Any:
        """See DecodedProgram."""
        numbers = self.hardware.numbers
        gain = self._integers(1 << (numbers.gain_bits - 1), (features,))
        offset = self._integers(1 << int(self.rng.integers(8, numbers.offset_bits)), (features,))
        self._offer(number, SegmentKind.LAYERNORM, pack_layernorm(LayerNormWeights(gain, offset), self.hardware))
        return super().layernorm(number, features)

    def linear(self, number: int, outputs: int, inputs: int, narrow: int) -> Any:
        """See DecodedProgram."""
        self._offer(number, SegmentKind.LINEAR, self._layer(outputs, inputs, narrow))
        return super().linear(number, outputs, inputs, narrow)

    def gate(self, number: int, experts: int, features: int, biased: int) -> Any:
        """See DecodedProgram."""
        weight = self._integers(WIDE_LIMIT >> int(self.rng.integers(0, 12)), (experts, features))
        bias = self._integers(GATE_BIAS_LIMIT >> int(self.rng.integers(0, 24)), (experts,)) if biased else None
        self._offer(number, SegmentKind.GATE, pack_gate(weight, self.hardware, bias))
        return super().gate(number, experts, features, biased)

    def check_expert(self, number: int, features: int, hidden: int, narrow: int) -> None:
        """See DecodedProgram."""
        layers = np.concatenate([self._layer(hidden, features, narrow), self._layer(features, hidden, narrow)])
        self._offer(number, SegmentKind.EXPERT, layers)
        super().check_expert(number, features, hidden, narrow)

    def _offer(self, number: int, kind: SegmentKind, payload: Bytes) -> None:
        if number == len(self.payloads):
            self.payloads.append((kind, payload))

    def _layer(self, outputs: int, inputs: int, narrow: int) -> Bytes:
        """Weights of any size, biases within their range, shifts around those that fill the outputs' range."""
        rng, numbers = self.rng, self.hardware.numbers
        top = 1 << ((NARROW_BITS if narrow else numbers.weight_bits) - 1)
        middle = 12 + numbers.weight_bits + top.bit_length() - 2
        weight = self._integers(pick(rng, (top, top, max(top >> 3, 2), 2)), (outputs, inputs))
        bias = self._integers(1 << int(rng.integers(4, numbers.bias_bits + 1)), (outputs,))
        multiplier = rng.integers(pick(rng, (1 << 15, 1 << 15, 0)), 1 << 16, outputs)
        shift = np.clip(rng.integers(middle - 14, middle + 6, outputs), 0, 60)
        if rng.random() < 0.1:
            shift = rng.integers(0, 61, outputs)
        return pack_linear(LinearWeights(weight, bias, multiplier, shift, bool(narrow)), self.hardware)

    def _integers(self, top: int, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """−top … top − 1, sometimes nothing but the ends, and never −top where only |value| < top is legal."""
        values = self.rng.integers(-top + 1, top, shape)
        if self.rng.random() < 0.15:
            values = np.where(values < 0, -top + 1, top - 1)
        return values
