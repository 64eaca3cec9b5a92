"""Operations as single instructions on a machine whose scratchpads are filled beforehand: what HLS and RTL share.

Widths that the instruction set does not have are padded with zeros, which change no sum, and cut off again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from engines import Grid, IntArray
from kernels import KernelEngine
from numpy.typing import NDArray

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.memory import (
    Bytes,
    LayerNormWeights,
    LinearWeights,
    pack_gate,
    pack_layernorm,
    pack_linear,
    pack_position,
    row_pitch,
)
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.experts import QueueEntries

UNIT = 16  # features of a vector


class Machine(ABC):
    """One machine of an engine, between instructions."""

    hardware: HardwareConfig

    @abstractmethod
    def poke(self, buffer: Buffer, values: IntArray) -> None:
        """Put rows [rows, features] into a scratchpad and declare them valid."""

    @abstractmethod
    def peek(self, buffer: Buffer, rows: int, features: int) -> IntArray:
        """What stands in the first rows of a scratchpad."""

    @abstractmethod
    def enqueue(self, expert: int, source: int, destination: int, score: int) -> None:
        """Append to an expert's queue."""

    @abstractmethod
    def empty_queues(self) -> None:
        """Forget all entries."""

    @abstractmethod
    def execute(
        self,
        instruction: Instruction,
        payloads: Sequence[Bytes] = (),
        frame: Bytes | None = None,
        output: Bytes | None = None,
    ) -> None:
        """One instruction with its segments, the input region and the output region, which is written.

        Anything but a good end is an AssertionError.
        """

    @abstractmethod
    def products(self, left: IntArray, right: IntArray) -> IntArray:
        """left @ right through the gate's product, which takes 16-bit operands and rounds nothing."""

    def packed(self, weights: LinearWeights) -> Bytes:
        """The payload of a layer, its inputs widened."""
        return pack_linear(replace(weights, weight=widened(weights.weight)), self.hardware)


class MachineEngine(KernelEngine):
    """All operations that are instructions; subclasses have the machine, and linear_weighted in their own way."""

    @abstractmethod
    def _machine(self, precision: Precision) -> Machine: ...

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
        machine.execute(instruction, [pack_layernorm(LayerNormWeights(gain, offset), machine.hardware)])
        copy = None if gate_shift is None else machine.peek(Buffer.GATE_INPUT, rows, width)
        return machine.peek(Buffer.NORM, rows, width), copy

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
            return np.pad(split, ((0, 0), (0, 0), (0, -width % UNIT))).reshape(rows, -1)

        for buffer, tokens in ((Buffer.QUERY, query), (Buffer.KEY, key), (Buffer.VALUE, value)):
            machine.poke(buffer, padded(tokens))
        features = heads * (width + -width % UNIT)
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
        machine.execute(instruction)
        result = machine.peek(Buffer.NORM, rows, features).reshape(rows, heads, -1)
        return result[:, :, :width].reshape(query.shape)

    def linear(self, values: IntArray, weights: LinearWeights, bits: int, precision: Precision) -> IntArray:
        if bits == precision.residual_bits:
            nothing = np.zeros((len(values), len(weights.bias)), dtype=np.int64)
            return self.linear_residual(values, weights, nothing, precision)
        assert bits == precision.activation_bits, "no instruction saturates to so many bits"
        machine, outputs = self._machine(precision), len(weights.bias)
        whole = padded(weights, UNIT)
        thirds = padded(whole, 3 * len(whole.bias))  # the first third of QKV; the others give 0
        _linear(machine, values, thirds, epilogue=Epilogue.QKV, destination=Buffer.QUERY)
        return machine.peek(Buffer.QUERY, len(values), len(whole.bias))[:, :outputs]

    def linear_gelu(self, values: IntArray, weights: LinearWeights, grid: Grid, precision: Precision) -> IntArray:
        machine, outputs, whole = self._machine(precision), len(weights.bias), padded(weights, UNIT)
        fields = dict(zip(("output_multiplier", "output_shift", "output_zero"), grid, strict=True))
        _linear(machine, values, whole, epilogue=Epilogue.GELU, destination=Buffer.HIDDEN, **fields)
        return machine.peek(Buffer.HIDDEN, len(values), len(whole.bias))[:, :outputs]

    def linear_residual(
        self, values: IntArray, weights: LinearWeights, residual: IntArray, precision: Precision
    ) -> IntArray:
        machine, outputs, whole = self._machine(precision), len(weights.bias), padded(weights, UNIT)
        machine.poke(Buffer.RESIDUAL, widened(residual))
        _linear(machine, values, whole, epilogue=Epilogue.RESIDUAL, destination=Buffer.RESIDUAL)
        return machine.peek(Buffer.RESIDUAL, len(values), len(whole.bias))[:, :outputs]

    def patch_embed(
        self, patches: NDArray[np.uint8], weights: LinearWeights, position: IntArray, precision: Precision
    ) -> IntArray:
        machine, (rows, features), outputs = self._machine(precision), patches.shape, len(weights.bias)
        whole = padded(weights, UNIT)
        pixels = np.full((rows, features + -features % UNIT), 128, dtype=np.uint8)
        pixels[:, :features] = patches
        instruction = Instruction(
            Opcode.PATCH_EMBED, rows=rows, in_features=pixels.shape[1], out_features=len(whole.bias), segments=2
        )
        payloads = [pack_position(widened(position), machine.hardware), machine.packed(whole)]
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
        machine, rows, inputs = self._machine(precision), len(values), widened(values)
        machine.poke(Buffer.GATE_INPUT, inputs)
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
        machine.execute(instruction, [pack_gate(widened(weight), machine.hardware)])
        routing = machine.peek(Buffer.ROUTING, rows, top_k)
        machine.empty_queues()
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
        machine.poke(Buffer.NORM, widened(normalised))
        machine.poke(Buffer.RESIDUAL, widened(residual))
        for expert, queue in enumerate(queues):
            for entry in zip(queue.source_rows, queue.destination_rows, queue.scores, strict=True):
                machine.enqueue(expert, *(int(value) for value in entry))
        pairs = [(padded(up, UNIT), padded(down, UNIT)) for up, down in layers]
        multiplier, shift, zero = grid
        instruction = Instruction(
            Opcode.EXPERTS,
            in_features=widened(residual).shape[1],
            hidden_features=len(pairs[0][0].bias),
            experts=len(queues),
            output_multiplier=multiplier,
            output_shift=shift,
            output_zero=zero,
            segments=len(queues),
        )
        machine.execute(instruction, [np.concatenate([machine.packed(layer) for layer in pair]) for pair in pairs])
        return machine.peek(Buffer.RESIDUAL, *widened(residual).shape)[:, : residual.shape[1]]

    def head(self, values: IntArray, weights: LinearWeights, precision: Precision) -> IntArray:
        machine, inputs, outputs = self._machine(precision), widened(values), len(weights.bias)
        machine.poke(Buffer.NORM, inputs)
        memory = np.full(len(values) * row_pitch(outputs, 2), 0x5C, dtype=np.uint8)
        instruction = Instruction(
            Opcode.HEAD, rows=len(values), in_features=inputs.shape[1], out_features=outputs, segments=1
        )
        machine.execute(instruction, [machine.packed(weights)], output=memory)
        rows = memory.view("<i2").reshape(len(values), -1)
        assert not rows[:, outputs:].any(), "the bytes between rows are not zero"
        return rows[:, :outputs].astype(np.int64)


def _linear(machine: Machine, values: IntArray, weights: LinearWeights, **fields: Any) -> None:
    inputs = widened(values)
    source = Buffer.HIDDEN if fields["epilogue"] == Epilogue.RESIDUAL else Buffer.NORM
    machine.poke(source, inputs)
    instruction = Instruction(
        Opcode.LINEAR,
        source=source,
        rows=len(values),
        in_features=inputs.shape[1],
        out_features=len(weights.bias),
        segments=1,
        **fields,
    )
    machine.execute(instruction, [machine.packed(weights)])


def widened(values: IntArray, unit: int = UNIT) -> IntArray:
    """Columns of zeros up to a multiple of `unit`."""
    return np.pad(values, ((0, 0), (0, -values.shape[1] % unit)))


def padded(weights: LinearWeights, unit: int) -> LinearWeights:
    """Outputs padded with channels that give 0."""
    more = -len(weights.bias) % unit
    return LinearWeights(
        np.pad(weights.weight, ((0, more), (0, 0))),
        *(np.pad(part, (0, more)) for part in (weights.bias, weights.multiplier, weights.shift)),
    )
