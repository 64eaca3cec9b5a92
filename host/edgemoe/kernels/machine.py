"""Operations as single instructions on a machine whose scratchpads are filled beforehand: what HLS and RTL share.

Widths that the instruction set does not have are padded with zeros, which change no sum, and cut off again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgemoe.devices.base import DeviceError
from edgemoe.kernels.mapped import KernelEngine
from edgemoe.kernels.operations import (
    Attention,
    Experts,
    Gate,
    Head,
    IntArray,
    LayerNorm,
    Linear,
    LinearGelu,
    LinearResidual,
    LinearWeighted,
    Matmul,
    PatchEmbed,
)
from edgemoe.spec.hardware import VECTOR, HardwareConfig
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
from edgemoe.spec.precision import PIXEL_OFFSET, Precision


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

        Raises DeviceError for anything but a good end.
        """

    @abstractmethod
    def products(self, left: IntArray, right: IntArray) -> IntArray:
        """left @ right through the gate's product, which takes 16-bit operands and rounds nothing."""

    def require_room(self, buffer: Buffer, values: IntArray) -> None:
        """Raises DeviceError where a scratchpad cannot hold these rows [rows, features]."""
        needed, there_is = self.hardware.room(*values.shape), self.hardware.capacity(buffer)
        if needed > there_is:
            rows, features = values.shape
            raise DeviceError(
                f"{rows} rows of {features} need {needed:,} values of scratchpad {buffer.name}, hardware "
                f"'{self.hardware.name}' has {there_is:,}; give fewer rows, or larger hardware"
            )

    def packed(self, weights: LinearWeights) -> Bytes:
        """The payload of a layer, its inputs widened."""
        return pack_linear(replace(weights, weight=widened(weights.weight)), self.hardware)


class MachineEngine(KernelEngine):
    """All operations that are instructions; subclasses have the machine, and linear_weighted in their own way."""

    @abstractmethod
    def _machine(self, precision: Precision) -> Machine: ...

    @abstractmethod
    def linear_weighted(self, op: LinearWeighted) -> list[IntArray]:
        """See Operation."""

    def matmul(self, op: Matmul) -> list[IntArray]:
        """See Operation."""
        machine = self._machine(op.precision)
        if op.left.ndim == op.right.ndim == 2:
            return [machine.products(op.left, op.right)]
        shape = np.broadcast_shapes(op.left.shape[:-2], op.right.shape[:-2])
        lefts = np.broadcast_to(op.left, (*shape, *op.left.shape[-2:])).reshape(-1, *op.left.shape[-2:])
        rights = np.broadcast_to(op.right, (*shape, *op.right.shape[-2:])).reshape(-1, *op.right.shape[-2:])
        parts = [machine.products(left, right) for left, right in zip(lefts, rights, strict=True)]
        return [np.stack(parts).reshape(*shape, *parts[0].shape)]

    def layernorm(self, op: LayerNorm) -> list[IntArray]:
        """See Operation."""
        machine, (rows, width) = self._machine(op.precision), op.residual.shape
        machine.poke(Buffer.RESIDUAL, op.residual)
        instruction = Instruction(
            Opcode.LAYERNORM,
            rows=rows,
            in_features=width,
            gate_copy=int(op.gate_shift is not None),
            shift=op.shift,
            output_shift=op.gate_shift or 0,
            epsilon=op.epsilon,
            segments=1,
        )
        machine.execute(instruction, [pack_layernorm(LayerNormWeights(op.gain, op.offset), machine.hardware)])
        written = [Buffer.NORM] if op.gate_shift is None else [Buffer.NORM, Buffer.GATE_INPUT]
        return [machine.peek(buffer, rows, width) for buffer in written]

    def attention(self, op: Attention) -> list[IntArray]:
        """See Operation."""
        machine, rows = self._machine(op.precision), len(op.query)
        width = op.query.shape[1] // op.heads

        def padded(tokens: IntArray) -> IntArray:
            split = tokens.reshape(rows, op.heads, width)
            return np.pad(split, ((0, 0), (0, 0), (0, -width % VECTOR))).reshape(rows, -1)

        for buffer, tokens in ((Buffer.QUERY, op.query), (Buffer.KEY, op.key), (Buffer.VALUE, op.value)):
            machine.poke(buffer, padded(tokens))
        features = op.heads * (width + -width % VECTOR)
        multiplier, shift, output_multiplier, output_shift = op.scales
        instruction = Instruction(
            Opcode.ATTENTION,
            rows=rows,
            in_features=features,
            heads=op.heads,
            multiplier=multiplier,
            shift=shift,
            output_multiplier=output_multiplier,
            output_shift=output_shift,
        )
        machine.execute(instruction)
        result = machine.peek(Buffer.NORM, rows, features).reshape(rows, op.heads, -1)
        return [result[:, :, :width].reshape(op.query.shape)]

    def linear(self, op: Linear) -> list[IntArray]:
        """See Operation."""
        if op.bits == op.precision.residual_bits:
            nothing = np.zeros((len(op.values), len(op.weights.bias)), dtype=np.int64)
            return self.linear_residual(LinearResidual(op.values, op.weights, nothing, op.precision))
        assert op.bits == op.precision.activation_bits, "no instruction saturates to so many bits"
        machine, whole = self._machine(op.precision), padded(op.weights, VECTOR)
        thirds = padded(whole, 3 * len(whole.bias))  # the first third of QKV; the others give 0
        _linear(machine, op.values, thirds, epilogue=Epilogue.QKV, destination=Buffer.QUERY)
        return [_outputs(machine, Buffer.QUERY, op)]

    def linear_gelu(self, op: LinearGelu) -> list[IntArray]:
        """See Operation."""
        machine, whole = self._machine(op.precision), padded(op.weights, VECTOR)
        fields = dict(zip(("output_multiplier", "output_shift", "output_zero"), op.grid, strict=True))
        _linear(machine, op.values, whole, epilogue=Epilogue.GELU, destination=Buffer.HIDDEN, **fields)
        return [_outputs(machine, Buffer.HIDDEN, op)]

    def linear_residual(self, op: LinearResidual) -> list[IntArray]:
        """See Operation."""
        machine, whole = self._machine(op.precision), padded(op.weights, VECTOR)
        machine.poke(Buffer.RESIDUAL, widened(op.residual))
        _linear(machine, op.values, whole, epilogue=Epilogue.RESIDUAL, destination=Buffer.RESIDUAL)
        return [_outputs(machine, Buffer.RESIDUAL, op)]

    def patch_embed(self, op: PatchEmbed) -> list[IntArray]:
        """See Operation."""
        machine, (rows, features), outputs = self._machine(op.precision), op.patches.shape, len(op.weights.bias)
        whole = padded(op.weights, VECTOR)
        pixels = np.full((rows, features + -features % VECTOR), PIXEL_OFFSET, dtype=np.uint8)
        pixels[:, :features] = op.patches
        instruction = Instruction(
            Opcode.PATCH_EMBED, rows=rows, in_features=pixels.shape[1], out_features=len(whole.bias), segments=2
        )
        payloads = [pack_position(widened(op.position), machine.hardware), machine.packed(whole)]
        machine.execute(instruction, payloads, frame=pixels.reshape(-1))
        return [machine.peek(Buffer.RESIDUAL, rows + 1, len(whole.bias))[:, :outputs]]

    def gate(self, op: Gate) -> list[IntArray]:
        """See Operation."""
        machine, rows, inputs = self._machine(op.precision), len(op.values), widened(op.values)
        machine.poke(Buffer.GATE_INPUT, inputs)
        machine.poke(Buffer.NORM, np.zeros_like(inputs))
        machine.poke(Buffer.RESIDUAL, np.zeros_like(inputs))
        instruction = Instruction(
            Opcode.GATE,
            rows=rows,
            in_features=inputs.shape[1],
            experts=len(op.weight),
            top_k=op.top_k,
            multiplier=op.multiplier,
            shift=op.shift,
            segments=1,
        )
        machine.execute(instruction, [pack_gate(widened(op.weight), machine.hardware)])
        routing = machine.peek(Buffer.ROUTING, rows, op.top_k)
        machine.empty_queues()
        return [routing & 0xFFFF, routing >> 16]

    def experts(self, op: Experts) -> list[IntArray]:
        """See Operation."""
        machine, residual = self._machine(op.precision), widened(op.residual)
        machine.poke(Buffer.NORM, widened(op.normalised))
        machine.poke(Buffer.RESIDUAL, residual)
        for expert, queue in enumerate(op.queues):
            for entry in zip(queue.source_rows, queue.destination_rows, queue.scores, strict=True):
                machine.enqueue(expert, *(int(value) for value in entry))
        pairs = [(padded(up, VECTOR), padded(down, VECTOR)) for up, down in op.layers]
        multiplier, shift, zero = op.grid
        instruction = Instruction(
            Opcode.EXPERTS,
            in_features=residual.shape[1],
            hidden_features=len(pairs[0][0].bias),
            experts=len(op.queues),
            output_multiplier=multiplier,
            output_shift=shift,
            output_zero=zero,
            segments=len(op.queues),
        )
        machine.execute(instruction, [np.concatenate([machine.packed(layer) for layer in pair]) for pair in pairs])
        return [machine.peek(Buffer.RESIDUAL, *residual.shape)[:, : op.residual.shape[1]]]

    def head(self, op: Head) -> list[IntArray]:
        """See Operation."""
        machine, inputs, outputs = self._machine(op.precision), widened(op.values), len(op.weights.bias)
        machine.poke(Buffer.NORM, inputs)
        memory = np.full(len(op.values) * row_pitch(outputs, 2), 0x5C, dtype=np.uint8)
        instruction = Instruction(
            Opcode.HEAD, rows=len(op.values), in_features=inputs.shape[1], out_features=outputs, segments=1
        )
        machine.execute(instruction, [machine.packed(op.weights)], output=memory)
        rows = memory.view("<i2").reshape(len(op.values), -1)
        assert not rows[:, outputs:].any(), "the bytes between rows are not zero"
        return [rows[:, :outputs].astype(np.int64)]


def _outputs(machine: Machine, buffer: Buffer, op: Linear | LinearGelu | LinearResidual) -> IntArray:
    """What a layer wrote, without the channels that were padded."""
    outputs = len(op.weights.bias)
    return machine.peek(buffer, len(op.values), outputs + -outputs % VECTOR)[:, :outputs]


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


def widened(values: IntArray, unit: int = VECTOR) -> IntArray:
    """Columns of zeros up to a multiple of `unit`."""
    return np.pad(values, ((0, 0), (0, -values.shape[1] % unit)))


def padded(weights: LinearWeights, unit: int) -> LinearWeights:
    """Outputs padded with channels that give 0."""
    more = -len(weights.bias) % unit
    bias, multiplier, shift = (np.pad(part, (0, more)) for part in (weights.bias, weights.multiplier, weights.shift))
    weight = np.pad(weights.weight, ((0, more), (0, 0)))
    return replace(weights, weight=weight, bias=bias, multiplier=multiplier, shift=shift)
