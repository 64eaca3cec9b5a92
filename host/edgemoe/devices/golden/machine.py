"""The golden machine: scratchpads, expert queues and one method per opcode, all integers.

Every buffer remembers how many rows, of how many features, the current run has written: reading anything else is a
fault, so nothing leaks from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden.program import DecodedProgram, MachineFaultError, low_bits
from edgemoe.devices.golden.scratchpads import Scratchpads
from edgemoe.devices.golden.stream_plan import StreamPlan
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, Buffer, Epilogue, Instruction, Opcode, decode
from edgemoe.spec.legality import element_bytes, normalised, reads, static_fault, writes
from edgemoe.spec.memory import Bytes, row_pitch
from edgemoe.spec.precision import WIDE_LIMIT
from edgemoe_golden.ops.attention import attention
from edgemoe_golden.ops.experts import Expert, QueueEntries, expert_queue, experts
from edgemoe_golden.ops.gate import gate
from edgemoe_golden.ops.head import head
from edgemoe_golden.ops.layernorm import layernorm, residual_copy
from edgemoe_golden.ops.linear import linear_activations, linear_gelu, linear_residual
from edgemoe_golden.ops.patch_embed import patch_embed

IntArray = NDArray[np.int64]


class QueuedRows(NamedTuple):
    """One past the last row that the queues' entries name, in NORM (at least 1) and in RESIDUAL."""

    source_end: int
    destination_end: int


class GoldenMachine:
    """One run of one program."""

    def __init__(
        self, program: DecodedProgram, hardware: HardwareConfig, memory: FlatMemory, input_base: int, output_base: int
    ) -> None:
        self.program = program
        self.hardware = hardware
        self.precision = hardware.numbers
        self.memory = memory
        self.input_base = input_base
        self.output_base = output_base
        self.scratchpads = Scratchpads(hardware)
        self.queues: list[list[QueueEntries]] = [[] for _ in range(hardware.max_experts)]
        self._queued = QueuedRows(1, 0)
        program.parts = []
        self.plan = StreamPlan(program.header.stream_lines, program.parts)
        self.program_counter = 0
        self.counters = {"experts_run": 0, "segments_dropped": 0}

    def run(self) -> Fault:
        """Execute until HALT or a fault; program_counter is left at the instruction that ended the run."""
        header = self.program.header
        for index, words in enumerate(self.program.words):
            self.program_counter = index
            fault = static_fault(words, self.hardware, header.input_bytes, header.output_bytes)
            if fault != Fault.NONE:
                return fault
            instruction = decode(words)
            if instruction.opcode == Opcode.HALT:
                return Fault.NONE
            try:
                self.execute(instruction)
            except MachineFaultError as error:
                return error.fault
        return Fault.STREAM_END

    def execute(self, instruction: Instruction) -> None:
        """Execute one legal instruction; raises MachineFaultError."""
        if instruction.opcode == Opcode.REPEAT:
            self.plan.add(instruction)
            return
        self.plan.take(instruction)
        self.scratchpads.check(reads(instruction), writes(instruction))
        _OPERATIONS[instruction.opcode](self, instruction)

    def _patch_embed(self, i: Instruction) -> None:
        pitch = row_pitch(i.in_features, 1)
        region = self.memory.view(self.input_base + i.address, i.rows * pitch).reshape(i.rows, pitch)
        patches = region[:, : i.in_features]
        position = self.program.position(i.segment, i.rows + 1, i.out_features)
        weights = self.program.linear(i.segment + 1, i.out_features, i.in_features, i.narrow_weights)
        self.scratchpads.write(Buffer.HIDDEN, 0, patches.astype(np.int64) - 128)
        embedded = patch_embed(patches, weights, position, self.precision)
        self.scratchpads.write(Buffer.RESIDUAL, i.destination_row, embedded)

    def _layernorm(self, i: Instruction) -> None:
        gain, offset = self.program.layernorm(i.segment, i.in_features)
        residual = self.scratchpads.read(Buffer.RESIDUAL, i.source_row, i.rows)
        gate_shift = i.output_shift if i.gate_copy and not i.residual_copy else None
        output, gate_copy = layernorm(residual, gain, offset, i.epsilon, i.shift, gate_shift, self.precision)
        self.scratchpads.write(Buffer.NORM, i.destination_row, output)
        if i.residual_copy:
            gate_copy = residual_copy(residual, self.precision)
        if gate_copy is not None:
            self.scratchpads.write(Buffer.GATE_INPUT, i.destination_row, gate_copy)

    def _linear(self, i: Instruction) -> None:
        values = self.scratchpads.read(i.source, i.source_row, i.rows)
        weights = self.program.linear(i.segment, i.out_features, i.in_features, i.narrow_weights)
        pads, row, precision = self.scratchpads, i.destination_row, self.precision
        if i.epilogue == Epilogue.QKV:
            joint = linear_activations(values, weights, bool(i.wide_source), bool(i.wide_result), precision)
            for buffer, part in zip((Buffer.QUERY, Buffer.KEY, Buffer.VALUE), np.split(joint, 3, axis=1), strict=True):
                pads.write(buffer, row, part, bool(i.wide_result))
        elif i.epilogue == Epilogue.GELU:
            grid = (i.output_multiplier, i.output_shift, i.output_zero)
            modes = bool(i.wide_source), bool(i.wide_result), i.activation
            hidden = linear_gelu(values, weights, *grid, precision, *modes)
            pads.write(i.destination, row, hidden, bool(i.wide_result))
        else:
            residual = pads.read(Buffer.RESIDUAL, row, i.rows)
            pads.write(i.destination, row, linear_residual(values, weights, residual, precision, bool(i.wide_source)))

    def _attention(self, i: Instruction) -> None:
        query, key, value = (self.scratchpads.read(each.buffer, each.first, each.rows) for each in reads(i))
        scales = (i.multiplier, i.shift, i.output_multiplier, i.output_shift)
        wide = bool(i.wide_source), bool(i.wide_result)
        output = attention(query, key, value, i.heads, *scales, self.precision, *wide)
        self.scratchpads.write(normalised(i.wide_result), i.source_row, output)

    def _gate(self, i: Instruction) -> None:
        if i.destination_row < self._queued.destination_end:
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        weight, bias = self.program.gate(i.segment, i.experts, i.in_features, i.biased)
        values = self.scratchpads.read(Buffer.GATE_INPUT, i.source_row, i.rows)
        chosen, scores = gate(values, weight, i.top_k, i.multiplier, i.shift, bias, bool(i.renormalise))
        self.scratchpads.write(Buffer.ROUTING, i.destination_row, chosen | scores << 16)
        for expert in range(i.experts):
            self.queues[expert].append(expert_queue(expert, chosen, scores, i.source_row, i.destination_row))
        source_end = max(self._queued.source_end, i.source_row + i.rows)
        self._queued = QueuedRows(source_end, i.destination_row + i.rows)

    def _experts(self, i: Instruction) -> None:
        queues = [_joined(parts) for parts in self.queues]
        self._require_queued(i, [len(queue.scores) for queue in queues])
        self.queues, self._queued = [[] for _ in self.queues], QueuedRows(1, 0)
        for expert, queue in enumerate(queues[: i.experts]):
            self.program.check_expert(i.segment + expert, i.in_features, i.hidden_features, i.narrow_weights)
            self.counters["experts_run" if len(queue.scores) else "segments_dropped"] += 1

        def weights_of(expert: int) -> Expert:
            return self.program.expert(i.segment + expert, i.in_features, i.hidden_features, i.narrow_weights)

        grid = (i.output_multiplier, i.output_shift, i.output_zero)
        tokens, residual = (
            self.scratchpads.read(buffer, 0, self.scratchpads.valid_rows(buffer, i.in_features))
            for buffer in (normalised(i.wide_source), Buffer.RESIDUAL)
        )
        modes = bool(i.wide_source), bool(i.wide_result), i.activation
        updated = experts(tokens, residual, queues[: i.experts], weights_of, *grid, self.precision, *modes)
        self.scratchpads.write(Buffer.RESIDUAL, 0, updated)
        self.scratchpads.invalidate(Buffer.HIDDEN)

    def _require_queued(self, i: Instruction, lengths: list[int]) -> None:
        """Raise MachineFaultError unless the queues fit this instruction and their rows are still valid."""
        if any(lengths[i.experts :]):
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        hidden = 2 * i.hidden_features if i.wide_result else i.hidden_features
        if self.hardware.room(max(lengths), hidden) > self.hardware.hidden_elements:
            raise MachineFaultError(Fault.BUFFER_RANGE)
        if self._queued.source_end > self.scratchpads.valid_rows(normalised(i.wide_source), i.in_features):
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        if max(1, self._queued.destination_end) > self.scratchpads.valid_rows(Buffer.RESIDUAL, i.in_features):
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)

    def _copy(self, i: Instruction) -> None:
        rows = self.scratchpads.read(Buffer.RESIDUAL, i.source_row, i.rows)
        self.scratchpads.write(Buffer.RESIDUAL, i.destination_row, rows)

    def _head(self, i: Instruction) -> None:
        values = self.scratchpads.read(normalised(i.wide_source), i.source_row, i.rows)
        weights = self.program.linear(i.segment, i.out_features, i.in_features, i.narrow_weights)
        self._to_memory(i.address, head(values, weights, self.precision, bool(i.wide_source)), 2)

    def _store(self, i: Instruction) -> None:
        rows = self.scratchpads.read(i.source, i.source_row, i.rows)
        self._to_memory(i.address, rows, element_bytes(i.source, self.hardware, i.wide_source), i.pitch)

    def _to_memory(self, address: int, values: IntArray, bytes_each: int, pitch: int = 0) -> None:
        """Rows in whole words, what their last one has beyond them zeros; pitch: words from row to row, 0: no gaps."""
        rows, features = values.shape
        padded = np.zeros((rows, row_pitch(features, bytes_each) // bytes_each), dtype=f"<i{bytes_each}")
        padded[:, :features] = values.astype(f"<i{bytes_each}")
        self._memory_rows(address, rows, padded.shape[1] * bytes_each, pitch)[:] = padded.view(np.uint8)

    def _memory_rows(self, address: int, rows: int, row_bytes: int, pitch: int) -> Bytes:
        """Rows of the output region [rows, row_bytes], to be read or written in place."""
        step = pitch * MEMORY_WORD or row_bytes
        span = self.memory.view(self.output_base + address, (rows - 1) * step + row_bytes)
        return as_strided(span, (rows, row_bytes), (step, 1))

    def _load(self, i: Instruction) -> None:
        wide = bool(i.wide_result)
        size = element_bytes(i.destination, self.hardware, wide)
        rows = self._memory_rows(i.address, i.rows, i.in_features * size, i.pitch)
        values = np.ascontiguousarray(rows).view(f"<i{size}").astype(np.int64)
        if i.destination == Buffer.RESIDUAL:
            values = low_bits(values, self.precision.residual_bits)
        elif wide or i.destination == Buffer.GATE_INPUT:
            values = np.clip(values, -WIDE_LIMIT, WIDE_LIMIT)
        self.scratchpads.write(i.destination, i.destination_row, values, wide)


# Here rather than in the machine, where bound methods would keep it and its scratchpads alive until the collector runs.
_OPERATIONS: dict[Opcode, Callable[[GoldenMachine, Instruction], None]] = {
    Opcode.PATCH_EMBED: GoldenMachine._patch_embed,
    Opcode.LAYERNORM: GoldenMachine._layernorm,
    Opcode.LINEAR: GoldenMachine._linear,
    Opcode.ATTENTION: GoldenMachine._attention,
    Opcode.GATE: GoldenMachine._gate,
    Opcode.EXPERTS: GoldenMachine._experts,
    Opcode.COPY: GoldenMachine._copy,
    Opcode.HEAD: GoldenMachine._head,
    Opcode.STORE: GoldenMachine._store,
    Opcode.LOAD: GoldenMachine._load,
}


def _joined(parts: list[QueueEntries]) -> QueueEntries:
    """All entries of one expert's queue."""
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        return QueueEntries(empty, empty, empty)
    return QueueEntries(
        np.concatenate([part.source_rows for part in parts]),
        np.concatenate([part.destination_rows for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
