"""Programs by hand for the machine tests: a small hardware, one program that uses every opcode, and a bench for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgemoe.devices.base import Device
from edgemoe.devices.registry import open_device
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import STREAM_LINE, Buffer, Epilogue, Instruction, Opcode, encode
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
    stripe,
)
from edgemoe.spec.program_header import ProgramHeader, encode_header
from edgemoe.spec.registers import AP_DONE, AP_START, CONTROL, IDENTITY, OFFSETS

WIDTH, HIDDEN, PATCH, EXPERTS, TOKENS, OUTPUTS = 32, 32, 48, 4, 4, 8
INPUT_BYTES, OUTPUT_BYTES = 3 * PATCH, 1024
ROUTING_AT, RESIDUAL_AT, HEAD_AT = 0, 128, 896
GUARD, SENTINEL = 4096, 0x5C


def small_hardware(precision: str) -> HardwareConfig:
    """16 rows, 8 tokens, 64 features under LayerNorm, 4 experts, top 2."""
    base = load_hardware_config("micro" if precision == "w8a8" else "micro_w16a16")
    return replace(
        base,
        name="small",
        max_rows=16,
        max_tokens=8,
        max_width=64,
        max_experts=EXPERTS,
        max_top_k=2,
        row_elements=16 * WIDTH,
        hidden_elements=16 * HIDDEN,
    )


def program() -> list[Instruction]:
    """A frame in miniature; instruction i consumes the segments that `segments` makes."""
    layernorm = Instruction(
        Opcode.LAYERNORM, gate_copy=1, rows=TOKENS, in_features=WIDTH, shift=20, output_shift=12, epsilon=1, segments=1
    )
    linear = Instruction(Opcode.LINEAR, rows=TOKENS, in_features=WIDTH, out_features=WIDTH, segments=1)
    gelu: dict[str, Any] = {"output_multiplier": 40000, "output_shift": 22, "output_zero": -100}
    residual: dict[str, Any] = {"epilogue": Epilogue.RESIDUAL, "destination": Buffer.RESIDUAL}
    store = Instruction(Opcode.STORE, rows=TOKENS)
    return [
        Instruction(Opcode.PATCH_EMBED, rows=3, in_features=PATCH, out_features=WIDTH, segment=0, segments=2),
        replace(layernorm, segment=2),
        replace(
            linear,
            epilogue=Epilogue.QKV,
            source=Buffer.NORM,
            destination=Buffer.QUERY,
            out_features=3 * WIDTH,
            segment=3,
        ),
        Instruction(
            Opcode.ATTENTION,
            rows=TOKENS,
            in_features=WIDTH,
            heads=2,
            multiplier=40000,
            shift=20,
            output_multiplier=40000,
            output_shift=15,
        ),
        replace(linear, **residual, source=Buffer.NORM, segment=4),
        replace(layernorm, segment=5),
        Instruction(
            Opcode.GATE,
            rows=TOKENS,
            in_features=WIDTH,
            experts=EXPERTS,
            top_k=2,
            multiplier=40000,
            shift=30,
            segment=6,
            segments=1,
        ),
        replace(store, source=Buffer.ROUTING, in_features=2, address=ROUTING_AT),
        Instruction(
            Opcode.EXPERTS,
            in_features=WIDTH,
            hidden_features=HIDDEN,
            experts=EXPERTS,
            segment=7,
            segments=EXPERTS,
            **gelu,
        ),
        Instruction(Opcode.COPY, rows=TOKENS, in_features=WIDTH, destination_row=TOKENS),
        replace(linear, epilogue=Epilogue.GELU, source=Buffer.NORM, destination=Buffer.HIDDEN, segment=11, **gelu),
        replace(linear, **residual, source=Buffer.HIDDEN, destination_row=TOKENS, segment=12),
        replace(store, source=Buffer.RESIDUAL, in_features=WIDTH, source_row=TOKENS, address=RESIDUAL_AT),
        Instruction(
            Opcode.HEAD,
            rows=TOKENS,
            in_features=WIDTH,
            out_features=OUTPUTS,
            segment=13,
            segments=1,
            address=HEAD_AT,
        ),
        Instruction(Opcode.HALT),
    ]


PATCH_EMBED, NORM1, QKV, ATTENTION, PROJECTION, NORM2, GATE, STORE_ROUTING = range(8)
EXPERTS_AT, COPY, UP, DOWN, STORE_RESIDUAL, HEAD, HALT = range(8, 15)


def segments(hardware: HardwareConfig) -> list[Bytes]:
    """The weight stream of `program`, random but always the same."""
    rng = np.random.default_rng(11)
    precision = hardware.numbers
    top = (1 << (precision.weight_bits - 1)) - 1

    def linear(outputs: int, inputs: int) -> Bytes:
        shift = 12 + 2 * (precision.weight_bits - 1)
        weights = LinearWeights(
            rng.integers(-top, top + 1, (outputs, inputs)),
            rng.integers(-1000, 1000, outputs),
            rng.integers(1 << 15, 1 << 16, outputs),
            np.full(outputs, shift),
        )
        return pack_linear(weights, hardware)

    def layernorm() -> Bytes:
        gain = rng.integers(1 << 12, 1 << 15, WIDTH)
        return pack_layernorm(LayerNormWeights(gain, rng.integers(-1000, 1000, WIDTH)), hardware)

    position = pack_position(rng.integers(-3000, 3000, (TOKENS, WIDTH)), hardware)
    gate = rng.integers(-32639, 32640, (EXPERTS, WIDTH))
    payloads = [
        (SegmentKind.POSITION, position),
        (SegmentKind.LINEAR, linear(WIDTH, PATCH)),
        (SegmentKind.LAYERNORM, layernorm()),
        (SegmentKind.LINEAR, linear(3 * WIDTH, WIDTH)),
        (SegmentKind.LINEAR, linear(WIDTH, WIDTH)),
        (SegmentKind.LAYERNORM, layernorm()),
        (SegmentKind.GATE, pack_gate(gate, hardware)),
    ]
    for _ in range(EXPERTS):
        payloads.append((SegmentKind.EXPERT, np.concatenate([linear(HIDDEN, WIDTH), linear(WIDTH, HIDDEN)])))
    payloads += [(SegmentKind.LINEAR, linear(rows, WIDTH)) for rows in (WIDTH, WIDTH, OUTPUTS)]
    return [segment(number, kind, payload) for number, (kind, payload) in enumerate(payloads)]


def image(hardware: HardwareConfig, words: np.ndarray, stream: Bytes, **changes: int) -> Bytes:
    """Header and instructions; `changes` replace header fields."""
    header = ProgramHeader(hardware.hash(), len(words), stream.size // STREAM_LINE, INPUT_BYTES, OUTPUT_BYTES)
    first = encode_header(replace(header, **changes), IDENTITY)
    return np.concatenate([first, words.reshape(-1)]).astype("<u4").view(np.uint8)


def encoded(instructions: list[Instruction]) -> np.ndarray:
    """uint32 [instructions, 16]."""
    return np.stack([encode(instruction) for instruction in instructions])


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and the output region."""

    fault: Fault
    program_counter: int
    output: Bytes


class Bench:
    """A device with guarded memory: sentinels around the output region; inputs must stay as they are.

    engine: a name, or a device of that hardware. frame: the input region; output_bytes: size of the other.
    """

    def __init__(
        self,
        hardware: HardwareConfig,
        engine: str | Device = "golden",
        frame: Bytes | None = None,
        output_bytes: int = OUTPUT_BYTES,
    ) -> None:
        self.hardware = hardware
        self._output_bytes = output_bytes
        self.device = open_device(engine, hardware) if isinstance(engine, str) else engine
        self.stream = np.concatenate(segments(hardware))
        self._output = self.device.allocate(2 * GUARD + output_bytes)
        usual = np.random.default_rng(12).integers(0, 256, INPUT_BYTES).astype(np.uint8)
        self._frame = usual if frame is None else frame
        self._frame_at = self.device.allocate(self._frame.size)
        self.device.write(self._frame_at, self._frame)
        self._inputs: dict[int, Bytes] = {}

    def load(self, program_image: Bytes, stream: Bytes | None = None) -> dict[str, int]:
        """Place program and weights, fill the output region with sentinels, set all pointers; addresses by name."""
        for address in self._inputs:
            self.device.free(address)
        self._inputs.clear()
        regions = {"program": program_image}
        for port, region in enumerate(stripe(self.stream if stream is None else stream, self.hardware.ports)):
            regions[f"weights_{port}"] = region if region.size else np.zeros(STREAM_LINE, dtype=np.uint8)
        addresses = {"input": self._frame_at, "output": self._output + GUARD}
        for name, data in regions.items():
            addresses[name] = self.device.allocate(data.size)
            self.device.write(addresses[name], data)
            self._inputs[addresses[name]] = data
        for name, address in addresses.items():
            self.device.write_register(OFFSETS[name], address & 0xFFFFFFFF)
            self.device.write_register(OFFSETS[name] + 4, address >> 32)
        self.device.write(self._output, np.full(2 * GUARD + self._output_bytes, SENTINEL, dtype=np.uint8))
        return addresses

    def outcome(self) -> Outcome:
        """Of the run that has been started; checks that it ends, and that nothing but the output region has changed."""
        assert self.device.read_register(CONTROL) & AP_DONE
        memory = self.device.read(self._output, 2 * GUARD + self._output_bytes)
        assert (memory[:GUARD] == SENTINEL).all(), "wrote below the output region"
        assert (memory[GUARD + self._output_bytes :] == SENTINEL).all(), "wrote beyond the output region"
        for address, data in (*self._inputs.items(), (self._frame_at, self._frame)):
            assert np.array_equal(self.device.read(address, data.size), data), "an input region was changed"
        fault = Fault(self.device.read_register(OFFSETS["error_code"]))
        counter = self.device.read_register(OFFSETS["program_counter"])
        return Outcome(fault, counter, memory[GUARD : GUARD + self._output_bytes])

    def run_image(self, program_image: Bytes, stream: Bytes | None = None) -> Outcome:
        """Load, start, and wait."""
        self.load(program_image, stream)
        self.device.write_register(CONTROL, AP_START)
        return self.outcome()

    def run(self, words: np.ndarray, stream: Bytes | None = None, **header: int) -> Outcome:
        """Run encoded instructions with this bench's weights, or others."""
        weights = self.stream if stream is None else stream
        regions = {"input_bytes": self._frame.size, "output_bytes": self._output_bytes}
        return self.run_image(image(self.hardware, words, weights, **{**regions, **header}), weights)


def changed(index: int, **fields: Any) -> list[Instruction]:
    """`program` with other fields in one instruction."""
    instructions = program()
    instructions[index] = replace(instructions[index], **fields)
    return instructions


def halts(bench: Bench, good: Outcome, outcome: Outcome, fault: Fault, index: int) -> None:
    """The fault and its place; what earlier instructions stored is whole, the rest untouched; the next run is good."""
    assert (outcome.fault, outcome.program_counter) == (fault, index)
    stores = ((STORE_ROUTING, 0, 64), (STORE_RESIDUAL, 128, 896), (HEAD, 896, 960))
    for at, first, last in stores:
        if index <= at:
            assert (outcome.output[first:last] == SENTINEL).all(), f"instruction {at} wrote after the fault"
    again = bench.run(encoded(program()))
    assert again.fault == Fault.NONE
    assert np.array_equal(again.output, good.output), "a faulty program left something behind"
