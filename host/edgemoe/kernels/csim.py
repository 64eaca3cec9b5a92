"""The HLS engine for single operations: machines and kernels of the C simulation, called one by one."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.csim.build import compiler, header_folder, load_library
from edgemoe.kernels.engines import MOST, EngineNotBuiltError, Shapes
from edgemoe.kernels.machine import Machine, MachineEngine, padded, widened
from edgemoe.kernels.mapped import pointer
from edgemoe.kernels.operations import IntArray, LinearWeighted
from edgemoe.spec.hardware import VECTOR, HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Buffer, Instruction, Opcode, encode
from edgemoe.spec.memory import Bytes, LinearWeights, SegmentKind, pack_gate, segment
from edgemoe.spec.precision import Precision


@cache
def wide_hardware(precision: str) -> HardwareConfig:
    """The small array with room for rows, tokens and experts as many as the instruction set has."""
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


class CsimEngine(MachineEngine):
    """One library per precision, built on first use for the hardware that `shapes` says."""

    name = "csim"
    limits = MOST

    def __init__(self, shapes: Shapes = wide_hardware) -> None:
        self._shapes = shapes
        self._machines: dict[str, CsimMachine] = {}
        try:
            compiler()
            header_folder()
        except MissingToolError as error:
            raise EngineNotBuiltError(str(error)) from error

    def _machine(self, precision: Precision) -> CsimMachine:
        if precision.name not in self._machines:
            self._machines[precision.name] = CsimMachine(self._shapes(precision.name))
        return self._machines[precision.name]

    def _kernels(self, precision: Precision) -> ctypes.CDLL:
        return self._machine(precision).library

    def linear_weighted(self, op: LinearWeighted) -> list[IntArray]:
        """See MachineEngine."""
        machine, inputs = self._machine(op.precision), widened(op.values)
        whole, outputs = padded(op.weights, VECTOR), len(op.weights.bias)
        machine.poke(Buffer.HIDDEN, inputs)
        machine.poke(Buffer.RESIDUAL, widened(op.residual))
        for row, weight in enumerate(op.score.tolist()):
            machine.enqueue(0, row, row, weight)
        machine.weighted(
            Instruction(Opcode.EXPERTS, in_features=len(whole.bias), hidden_features=inputs.shape[1], experts=1), whole
        )
        return [machine.peek(Buffer.RESIDUAL, len(op.values), len(whole.bias))[:, :outputs]]


class CsimMachine(Machine):
    """One machine of the library."""

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        self.library = load_library(hardware)
        self.library.edgemoe_machine.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self.library.edgemoe_machine())

    def empty_queues(self) -> None:
        """A fresh machine, poisoned."""
        self.library.edgemoe_free(self._handle)
        self._handle = ctypes.c_void_p(self.library.edgemoe_machine())

    def poke(self, buffer: Buffer, values: IntArray) -> None:
        """See Machine."""
        values = np.ascontiguousarray(values, dtype=np.int64)
        self.require_room(buffer, values)
        self.library.edgemoe_poke(self._handle, int(buffer), *values.shape, pointer(values))

    def peek(self, buffer: Buffer, rows: int, features: int) -> IntArray:
        """See Machine."""
        values = np.zeros((rows, features), dtype=np.int64)
        self.library.edgemoe_peek(self._handle, int(buffer), rows, features, pointer(values))
        return values

    def enqueue(self, expert: int, source: int, destination: int, score: int) -> None:
        """See Machine."""
        self.library.edgemoe_enqueue(self._handle, expert, source, destination, score)

    def execute(
        self,
        instruction: Instruction,
        payloads: Sequence[Bytes] = (),
        frame: Bytes | None = None,
        output: Bytes | None = None,
    ) -> None:
        """See Machine."""
        pieces = [segment(n, SegmentKind.LINEAR, payload) for n, payload in enumerate(payloads)]
        stream = np.concatenate([np.zeros(0, dtype=np.uint8), *pieces])
        words = encode(instruction)
        lines = ctypes.c_int64(stream.size // 64)
        memory = [None if part is None else pointer(part) for part in (frame, output)]
        fault = self.library.edgemoe_execute(self._handle, pointer(words), pointer(stream), lines, *memory)
        if fault:
            raise DeviceError(f"{instruction.opcode.name} ends with fault {fault} (100: lines left over)")

    def weighted(self, instruction: Instruction, weights: LinearWeights) -> None:
        """The second layer of expert 0 alone."""
        payload, words = self.packed(weights), encode(instruction)
        lines = ctypes.c_int64(payload.size // 64)
        self.library.edgemoe_weighted(self._handle, pointer(words), pointer(payload), lines)

    def products(self, left: IntArray, right: IntArray) -> IntArray:
        """See Machine."""
        rows, experts, most, inputs = len(left), right.shape[1], self.hardware.max_experts, widened(left)
        self.poke(Buffer.GATE_INPUT, inputs)
        parts = []
        for first in range(0, experts, most):
            weight = widened(right.T[first : first + most])
            instruction = Instruction(
                Opcode.GATE, rows=rows, in_features=inputs.shape[1], experts=len(weight), top_k=1, segments=1
            )
            payload, logits = pack_gate(weight, self.hardware), np.zeros((rows, len(weight)), dtype=np.int64)
            lines = ctypes.c_int64(payload.size // 64)
            words = encode(instruction)
            self.library.edgemoe_logits(self._handle, pointer(words), pointer(payload), lines, pointer(logits))
            parts.append(logits)
        return np.concatenate(parts, axis=1)
