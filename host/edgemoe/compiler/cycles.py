"""Predicted cycles per instruction of one program: an estimate from shapes, before any engine has counted.

Per instruction: the array's steps, the post lanes' and LayerNorm's work, and the wait for weights under a fluid model
of memory (`bytes_per_cycle`, at most `prefetch_bytes` ahead of use). Tokens are taken as spread evenly over experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgemoe.compiler.program import Program
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Instruction, Opcode
from edgemoe.spec.legality import element_bytes
from edgemoe.spec.memory import (
    gate_bytes,
    layernorm_bytes,
    linear_bytes,
    position_bytes,
    round_up,
    row_pitch,
)

_FILL = 40  # cycles from an instruction's issue to its first accumulation, and from its last to its last write
_GATE_PASSES = 4  # 16-bit operands as two 8-bit digits each


@dataclass(frozen=True)
class PredictedCycles:
    """One instruction. mac: steps of the array; post: cycles of the lanes behind it, LayerNorm or memory; wait: for
    weights; cycles: all of it, with fill and drain. stream_bytes: weights, headers included.
    """

    mac: int
    post: int
    wait: int
    cycles: int
    stream_bytes: int


def predicted_cycles(program: Program) -> list[PredictedCycles]:
    """One estimate per instruction, in program order."""
    hardware = program.manifest.hardware
    prefetch = _Prefetch(hardware, program.stream.size)
    queued = 0
    found = []
    for instruction in program.instructions:
        if instruction.opcode == Opcode.GATE:
            queued += instruction.rows * instruction.top_k
        entries = queued if instruction.opcode == Opcode.EXPERTS else 0
        mac, post = array_steps(instruction, hardware, entries), _post_cycles(instruction, hardware, entries)
        size = sum(_segment_bytes(instruction, hardware))
        fill = 0 if instruction.opcode == Opcode.HALT else _FILL
        wait = prefetch.consume(size, max(mac, post) + fill)
        found.append(PredictedCycles(mac, post, wait, max(mac, post) + fill + wait, size))
        queued = 0 if instruction.opcode == Opcode.EXPERTS else queued
    return found


def array_steps(i: Instruction, hardware: HardwareConfig, entries: int = 0) -> int:
    """Steps of the array, one tile of token_par × in_par × out_par each; `entries`: rows over all experts' queues."""
    match i.opcode:
        case Opcode.PATCH_EMBED | Opcode.LINEAR | Opcode.HEAD:
            return _tiles(i.rows, i.in_features, i.out_features, hardware)
        case Opcode.GATE:
            passes = 1 if hardware.numbers.activation_bytes == 2 else _GATE_PASSES
            return passes * _tiles(i.rows, i.in_features, i.experts, hardware)
        case Opcode.ATTENTION:
            width = i.in_features // i.heads
            return i.heads * (_tiles(i.rows, width, i.rows, hardware) + _tiles(i.rows, i.rows, width, hardware))
        case Opcode.EXPERTS:
            rows = -(-entries // i.experts)
            return i.experts * 2 * _tiles(rows, i.in_features, i.hidden_features, hardware)
        case _:
            return 0


def _tiles(rows: int, inputs: int, outputs: int, hardware: HardwareConfig) -> int:
    sizes = ((rows, hardware.token_par), (inputs, hardware.in_par), (outputs, hardware.out_par))
    steps = 1
    for size, parallel in sizes:
        steps *= -(-size // parallel)
    return steps


def _post_cycles(i: Instruction, hardware: HardwareConfig, entries: int) -> int:
    """Cycles of what follows the array: values per lane; LayerNorm: its own lanes; copies and stores: memory words."""
    match i.opcode:
        case Opcode.PATCH_EMBED | Opcode.LINEAR | Opcode.HEAD:
            return -(-i.rows * i.out_features // hardware.post_lanes)
        case Opcode.GATE:
            return -(-i.rows * i.experts // hardware.post_lanes)
        case Opcode.ATTENTION:
            return -(-i.rows * (i.heads * i.rows + i.in_features) // hardware.post_lanes)
        case Opcode.EXPERTS:
            return -(-entries * (i.hidden_features + i.in_features) // hardware.post_lanes)
        case Opcode.LAYERNORM:
            return -(-i.rows * i.in_features // hardware.layernorm_lanes)
        case Opcode.COPY:
            return -(-i.rows * i.in_features // hardware.post_lanes)
        case Opcode.STORE:
            return i.rows * row_pitch(i.in_features, element_bytes(i.source, hardware)) // MEMORY_WORD
        case _:
            return 0


def _segment_bytes(i: Instruction, hardware: HardwareConfig) -> Sequence[int]:
    """Bytes of each segment that an instruction consumes, header included."""
    match i.opcode:
        case Opcode.PATCH_EMBED:
            position = position_bytes(i.rows + 1, i.out_features, hardware)
            payloads = [position, linear_bytes(i.out_features, i.in_features, hardware)]
        case Opcode.LINEAR | Opcode.HEAD:
            payloads = [linear_bytes(i.out_features, i.in_features, hardware)]
        case Opcode.LAYERNORM:
            payloads = [layernorm_bytes(i.in_features, hardware)]
        case Opcode.GATE:
            payloads = [gate_bytes(i.experts, i.in_features, hardware)]
        case Opcode.EXPERTS:
            up = linear_bytes(i.hidden_features, i.in_features, hardware)
            payloads = [up + linear_bytes(i.in_features, i.hidden_features, hardware)] * i.experts
        case _:
            payloads = []
    return [STREAM_LINE + round_up(size, STREAM_LINE) for size in payloads]


class _Prefetch:
    """Fluid model: bytes arrive at the memory's rate as long as fewer than `prefetch_bytes` wait to be used."""

    def __init__(self, hardware: HardwareConfig, stream_bytes: int) -> None:
        self._rate = hardware.bytes_per_cycle
        self._capacity = float(hardware.prefetch_bytes)
        self._left = float(stream_bytes)
        self._level = 0.0
        self._latency = float(hardware.first_beat_cycles)

    def consume(self, size: int, busy: int) -> int:
        """Use `size` bytes evenly over `busy` cycles; returns the cycles by which memory makes it longer."""
        usable = busy - self._latency
        self._latency = max(0.0, self._latency - busy)
        arriving = min(self._left, self._rate * max(0.0, usable))
        if self._level + arriving >= size:
            taken = min(arriving, self._capacity - self._level + size)
            self._level += taken - size
            self._left -= taken
            return 0
        missing = size - self._level - arriving
        self._left -= arriving + missing
        self._level = 0.0
        wait = missing / self._rate + max(0.0, -usable)
        return round(wait)
