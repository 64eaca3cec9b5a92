"""The HLS engine under the operation tests: one instruction at a time on a machine whose scratchpads are put in place.

Widths that the instruction set does not have are padded with zeros, which change no sum, and cut off again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from engines import EngineNotBuiltError, Grid, IntArray
from numpy.typing import NDArray

from edgemoe.devices.base import DeviceError
from edgemoe.devices.csim_build import load_library
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode, encode
from edgemoe.spec.memory import (
    LayerNormWeights,
    LinearWeights,
    SegmentKind,
    pack_gate,
    pack_layernorm,
    pack_linear,
    pack_position,
    segment,
)
from edgemoe.spec.precision import Precision
from golden.ops.experts import QueueEntries


@cache
def wide_hardware(precision: str) -> HardwareConfig:
    """The small array with room for every case of the operation tests."""
    base = load_hardware_config("micro" if precision == "w8a8" else "micro_w16a16")
    rows, width = 2048, 1024
    return replace(
        base,
        name=f"operations_{precision}",
        max_rows=rows,
        max_tokens=2048,
        max_width=width,
        max_experts=64,
        max_top_k=16,
        row_elements=rows * width,
        hidden_elements=rows * width,
    )


class CsimEngine:
    """One library per precision, built on first use with the flags given."""

    name = "csim"

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}

    def _machine(self, precision: Precision) -> _Machine:
        if precision.name not in self._machines:
            try:
                self._machines[precision.name] = _Machine(wide_hardware(precision.name))
            except DeviceError as error:
                raise EngineNotBuiltError(str(error)) from error
        return self._machines[precision.name]

    def requantise(self, values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int) -> IntArray:
        operands = np.broadcast_arrays(values, np.asarray(multiplier), np.asarray(shift))
        return self._any().map("edgemoe_requantise", *operands, bits)

    def _any(self) -> _Machine:
        return self._machine(load_hardware_config("micro").numbers)

    def matmul(self, left: IntArray, right: IntArray, limit: int, precision: Precision) -> IntArray:
        if left.ndim > 2 or right.ndim > 2:
            shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
            lefts = np.broadcast_to(left, (*shape, *left.shape[-2:])).reshape(-1, *left.shape[-2:])
            rights = np.broadcast_to(right, (*shape, *right.shape[-2:])).reshape(-1, *right.shape[-2:])
            parts = [self.matmul(a, b, limit, precision) for a, b in zip(lefts, rights, strict=True)]
            return np.stack(parts).reshape(*shape, *parts[0].shape)
        return self._machine(precision).products(left, right)

    def layernorm(
        self,
        residual: IntArray,
        gain: IntArray,
        offset: IntArray,
        epsilon: int,
        shift: int,
        gate_shift: int | None,
        precision: Precision,
    ) -> tuple[IntArray, IntArray | None]:
        machine, (rows, width) = self._machine(precision), residual.shape
        machine.poke(Buffer.RESIDUAL, residual)
        instruction = Instruction(
            Opcode.LAYERNORM,
            rows=rows,
            in_features=width,
            gate_copy=int(gate_shift is not None),
            shift=shift,
            output_shift=gate_shift or 0,
            epsilon=epsilon,
            segments=1,
        )
        payload = pack_layernorm(LayerNormWeights(gain, offset), machine.hardware)
        machine.execute(instruction, [payload])
        copy = None if gate_shift is None else machine.peek(Buffer.GATE_INPUT, rows, width)
        return machine.peek(Buffer.NORM, rows, width), copy

    def exponential(self, scores: IntArray, precision: Precision) -> IntArray:
        flat = scores.reshape(-1, scores.shape[-1])
        rows = [self._machine(precision).map("edgemoe_exponential", row) for row in flat]
        return np.stack(rows).reshape(scores.shape)

    def reciprocal(self, total: IntArray, precision: Precision) -> tuple[IntArray, IntArray]:
        return self._machine(precision).pairs("edgemoe_reciprocal", total)

    def attention(
        self,
        query: IntArray,
        key: IntArray,
        value: IntArray,
        heads: int,
        scales: tuple[int, int, int, int],
        precision: Precision,
    ) -> IntArray:
        machine, rows = self._machine(precision), len(query)
        width = query.shape[1] // heads

        def padded(tokens: IntArray) -> IntArray:
            split = tokens.reshape(rows, heads, width)
            return np.pad(split, ((0, 0), (0, 0), (0, -width % 16))).reshape(rows, -1)

        for buffer, tokens in ((Buffer.QUERY, query), (Buffer.KEY, key), (Buffer.VALUE, value)):
            machine.poke(buffer, padded(tokens))
        features = heads * (width + -width % 16)
        multiplier, shift, output_multiplier, output_shift = scales
        instruction = Instruction(
            Opcode.ATTENTION,
            rows=rows,
            in_features=features,
            heads=heads,
            multiplier=multiplier,
            shift=shift,
            output_multiplier=output_multiplier,
            output_shift=output_shift,
        )
        machine.execute(instruction, [])
        result = machine.peek(Buffer.NORM, rows, features).reshape(rows, heads, -1)
        return result[:, :, :width].reshape(query.shape)

    def gelu_requantise(self, values: IntArray, grid: Grid, precision: Precision) -> IntArray:
        return self._machine(precision).map("edgemoe_gelu", values, *grid)

    def linear(self, values: IntArray, weights: LinearWeights, bits: int, precision: Precision) -> IntArray:
        if bits == precision.residual_bits:
            nothing = np.zeros((len(values), len(weights.bias)), dtype=np.int64)
            return self.linear_residual(values, weights, nothing, precision)
        assert bits == precision.activation_bits, "no instruction saturates to so many bits"
        machine, outputs = self._machine(precision), len(weights.bias)
        whole = _padded(weights, 16)
        machine.linear(values, _thirds(whole), epilogue=Epilogue.QKV, destination=Buffer.QUERY)
        return machine.peek(Buffer.QUERY, len(values), len(whole.bias))[:, :outputs]

    def linear_gelu(self, values: IntArray, weights: LinearWeights, grid: Grid, precision: Precision) -> IntArray:
        machine, outputs, whole = self._machine(precision), len(weights.bias), _padded(weights, 16)
        names = ("output_multiplier", "output_shift", "output_zero")
        fields = dict(zip(names, grid, strict=True))
        machine.linear(values, whole, epilogue=Epilogue.GELU, destination=Buffer.HIDDEN, **fields)
        return machine.peek(Buffer.HIDDEN, len(values), len(whole.bias))[:, :outputs]

    def linear_residual(
        self, values: IntArray, weights: LinearWeights, residual: IntArray, precision: Precision
    ) -> IntArray:
        machine, outputs, whole = self._machine(precision), len(weights.bias), _padded(weights, 16)
        machine.poke(Buffer.RESIDUAL, _widened(residual, 16))
        machine.linear(values, whole, epilogue=Epilogue.RESIDUAL, destination=Buffer.RESIDUAL)
        return machine.peek(Buffer.RESIDUAL, len(values), len(whole.bias))[:, :outputs]

    def linear_weighted(
        self,
        values: IntArray,
        weights: LinearWeights,
        score: IntArray,
        residual: IntArray,
        precision: Precision,
    ) -> IntArray:
        machine, outputs, whole = self._machine(precision), len(weights.bias), _padded(weights, 16)
        inputs = _widened(values, 16)
        machine.poke(Buffer.HIDDEN, inputs)
        machine.poke(Buffer.RESIDUAL, _widened(residual, 16))
        for row, weight in enumerate(score.tolist()):
            machine.enqueue(0, row, row, weight)
        machine.weighted(
            Instruction(Opcode.EXPERTS, in_features=len(whole.bias), hidden_features=inputs.shape[1], experts=1), whole
        )
        return machine.peek(Buffer.RESIDUAL, len(values), len(whole.bias))[:, :outputs]

    def patch_embed(
        self, patches: NDArray[np.uint8], weights: LinearWeights, position: IntArray, precision: Precision
    ) -> IntArray:
        machine, (rows, features), outputs = self._machine(precision), patches.shape, len(weights.bias)
        whole = _padded(weights, 16)
        pixels = np.full((rows, features + -features % 16), 128, dtype=np.uint8)
        pixels[:, :features] = patches
        instruction = Instruction(
            Opcode.PATCH_EMBED, rows=rows, in_features=pixels.shape[1], out_features=len(whole.bias), segments=2
        )
        payloads = [pack_position(_widened(position, 16), machine.hardware), machine.packed(whole)]
        machine.execute(instruction, payloads, frame=pixels.reshape(-1))
        return machine.peek(Buffer.RESIDUAL, rows + 1, len(whole.bias))[:, :outputs]

    def gate(
        self,
        values: IntArray,
        weight: IntArray,
        top_k: int,
        multiplier: int,
        shift: int,
        precision: Precision,
    ) -> tuple[IntArray, IntArray]:
        machine, rows = self._machine(precision), len(values)
        inputs = machine.gate_input(values)
        machine.poke(Buffer.NORM, np.zeros_like(inputs))
        machine.poke(Buffer.RESIDUAL, np.zeros_like(inputs))
        instruction = Instruction(
            Opcode.GATE,
            rows=rows,
            in_features=inputs.shape[1],
            experts=len(weight),
            top_k=top_k,
            multiplier=multiplier,
            shift=shift,
            segments=1,
        )
        machine.execute(instruction, [pack_gate(_widened(weight, 16), machine.hardware)])
        routing = machine.peek(Buffer.ROUTING, rows, top_k)
        machine.renew()
        return routing & 0xFFFF, routing >> 16

    def experts(
        self,
        normalised: IntArray,
        residual: IntArray,
        queues: list[QueueEntries],
        layers: Sequence[tuple[LinearWeights, LinearWeights]],
        grid: Grid,
        precision: Precision,
    ) -> IntArray:
        machine = self._machine(precision)
        machine.poke(Buffer.NORM, _widened(normalised, 16))
        machine.poke(Buffer.RESIDUAL, _widened(residual, 16))
        for expert, queue in enumerate(queues):
            for entry in zip(queue.source_rows, queue.destination_rows, queue.scores, strict=True):
                machine.enqueue(expert, *(int(value) for value in entry))
        pairs = [(_padded(up, 16), _padded(down, 16)) for up, down in layers]
        multiplier, shift, zero = grid
        instruction = Instruction(
            Opcode.EXPERTS,
            in_features=residual.shape[1] + -residual.shape[1] % 16,
            hidden_features=len(pairs[0][0].bias),
            experts=len(queues),
            output_multiplier=multiplier,
            output_shift=shift,
            output_zero=zero,
            segments=len(queues),
        )
        machine.execute(instruction, [np.concatenate([machine.packed(layer) for layer in pair]) for pair in pairs])
        return machine.peek(Buffer.RESIDUAL, *_widened(residual, 16).shape)[:, : residual.shape[1]]

    def head(self, values: IntArray, weights: LinearWeights, precision: Precision) -> IntArray:
        machine, outputs = self._machine(precision), len(weights.bias)
        return machine.head(values, weights, outputs)


class _Machine:
    """One machine of the library."""

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        self._library = load_library(hardware)
        self._library.edgemoe_machine.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._library.edgemoe_machine())

    def renew(self) -> None:
        """A fresh machine, poisoned, with empty queues."""
        self._library.edgemoe_free(self._handle)
        self._handle = ctypes.c_void_p(self._library.edgemoe_machine())

    def map(self, function: str, *arguments: Any) -> IntArray:
        """Element by element: arrays first, then scalars."""
        arrays = [np.ascontiguousarray(a, dtype=np.int64) for a in arguments if isinstance(a, np.ndarray)]
        scalars = [ctypes.c_int(int(a)) for a in arguments if not isinstance(a, np.ndarray)]
        result = np.zeros(arrays[0].shape, dtype=np.int64)
        call = getattr(self._library, function)
        call(ctypes.c_int64(result.size), *map(_pointer, arrays), *scalars, _pointer(result))
        return result

    def pairs(self, function: str, values: IntArray) -> tuple[IntArray, IntArray]:
        """Two results per element."""
        values = np.ascontiguousarray(values, dtype=np.int64)
        first, second = np.zeros_like(values), np.zeros_like(values)
        call = getattr(self._library, function)
        call(ctypes.c_int64(values.size), _pointer(values), _pointer(first), _pointer(second))
        return first, second

    def poke(self, buffer: Buffer, values: IntArray) -> None:
        values = np.ascontiguousarray(values, dtype=np.int64)
        assert self.hardware.room(*values.shape) <= self.hardware.capacity(buffer), "more than this build holds"
        self._library.edgemoe_poke(self._handle, int(buffer), *values.shape, _pointer(values))

    def peek(self, buffer: Buffer, rows: int, features: int) -> IntArray:
        values = np.zeros((rows, features), dtype=np.int64)
        self._library.edgemoe_peek(self._handle, int(buffer), rows, features, _pointer(values))
        return values

    def enqueue(self, expert: int, source: int, destination: int, score: int) -> None:
        self._library.edgemoe_enqueue(self._handle, expert, source, destination, score)

    def execute(
        self, instruction: Instruction, payloads: list[NDArray[np.uint8]], frame: Any = None, output: Any = None
    ) -> None:
        """One instruction with its segments; anything but a good end is an error of the test or the engine."""
        pieces = [segment(n, SegmentKind.LINEAR, payload) for n, payload in enumerate(payloads)]
        stream = np.concatenate([np.zeros(0, dtype=np.uint8), *pieces])
        words = encode(instruction)
        lines = ctypes.c_int64(stream.size // 64)
        memory = [None if part is None else _pointer(part) for part in (frame, output)]
        fault = self._library.edgemoe_execute(self._handle, _pointer(words), _pointer(stream), lines, *memory)
        assert fault == 0, f"fault {fault} (100: lines left over)"

    def packed(self, weights: LinearWeights) -> NDArray[np.uint8]:
        return pack_linear(_squared(weights, 16), self.hardware)

    def linear(self, values: IntArray, weights: LinearWeights, **fields: Any) -> None:
        inputs = _widened(values, 16)
        source = Buffer.HIDDEN if fields["epilogue"] == Epilogue.RESIDUAL else Buffer.NORM
        self.poke(source, inputs)
        instruction = Instruction(
            Opcode.LINEAR,
            source=source,
            rows=len(values),
            in_features=inputs.shape[1],
            out_features=len(weights.bias),
            segments=1,
            **fields,
        )
        self.execute(instruction, [self.packed(weights)])

    def head(self, values: IntArray, weights: LinearWeights, outputs: int) -> IntArray:
        inputs = _widened(values, 16)
        self.poke(Buffer.NORM, inputs)
        pitch = -(-2 * outputs // 16) * 16
        memory = np.full(len(values) * pitch, 0x5C, dtype=np.uint8)
        instruction = Instruction(
            Opcode.HEAD, rows=len(values), in_features=inputs.shape[1], out_features=outputs, segments=1
        )
        self.execute(instruction, [self.packed(weights)], output=memory)
        rows = memory.view("<i2").reshape(len(values), -1)
        assert not rows[:, outputs:].any(), "the bytes between rows are not zero"
        return rows[:, :outputs].astype(np.int64)

    def gate_input(self, values: IntArray) -> IntArray:
        inputs = _widened(values, 16)
        self.poke(Buffer.GATE_INPUT, inputs)
        return inputs

    def weighted(self, instruction: Instruction, weights: LinearWeights) -> None:
        payload, words = self.packed(weights), encode(instruction)
        lines = ctypes.c_int64(payload.size // 64)
        self._library.edgemoe_weighted(self._handle, _pointer(words), _pointer(payload), lines)

    def products(self, left: IntArray, right: IntArray) -> IntArray:
        """left @ right through the gate's product, which takes 16-bit operands."""
        rows, experts, most = len(left), right.shape[1], self.hardware.max_experts
        inputs = self.gate_input(left)
        parts = []
        for first in range(0, experts, most):
            weight = _widened(right.T[first : first + most], 16)
            instruction = Instruction(
                Opcode.GATE, rows=rows, in_features=inputs.shape[1], experts=len(weight), top_k=1, segments=1
            )
            payload, logits = pack_gate(weight, self.hardware), np.zeros((rows, len(weight)), dtype=np.int64)
            lines = ctypes.c_int64(payload.size // 64)
            words = encode(instruction)
            self._library.edgemoe_logits(self._handle, _pointer(words), _pointer(payload), lines, _pointer(logits))
            parts.append(logits)
        return np.concatenate(parts, axis=1)


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _widened(values: IntArray, unit: int) -> IntArray:
    """Columns of zeros up to a multiple of `unit`."""
    return np.pad(values, ((0, 0), (0, -values.shape[1] % unit)))


def _squared(weights: LinearWeights, unit: int) -> LinearWeights:
    """Inputs padded with zero weights."""
    return replace(weights, weight=_widened(weights.weight, unit))


def _padded(weights: LinearWeights, unit: int) -> LinearWeights:
    """Outputs padded with channels that give 0."""
    more = -len(weights.bias) % unit
    return LinearWeights(
        np.pad(weights.weight, ((0, more), (0, 0))),
        *(np.pad(part, (0, more)) for part in (weights.bias, weights.multiplier, weights.shift)),
    )


def _thirds(weights: LinearWeights) -> LinearWeights:
    """The same layer as the first third of QKV; the others give 0."""
    return _padded(weights, 3 * len(weights.bias))
