"""Analytic cycles of the HLS schedule, per instruction: trip counts times intended initiation intervals.

The schedule is that of hls/machine: pipelined loops one after the other, each with its latency; inside a group of
output tiles the next tile is loaded beside the work on this one. Weights are taken as prefetched. No synthesis report
has confirmed these numbers yet.
"""

from __future__ import annotations

from edgemoe.compiler.program import Program
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.hls_schedule import ACCUMULATE_DISTANCE, HLS_CONTEXT_MEMBERS, HLS_QUERY_TILES
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Instruction, Opcode
from edgemoe.spec.legality import element_bytes
from edgemoe.spec.memory import row_pitch

_LATENCY = 12  # cycles to fill and empty a pipelined loop
_DIVIDER = 80  # the same with a 64-bit divider in it


def predicted_hls_cycles(program: Program) -> list[int]:
    """One figure per instruction; tokens are taken as spread evenly over the experts."""
    hardware = program.manifest.hardware
    queued, found = 0, []
    for instruction in program.instructions:
        if instruction.opcode == Opcode.GATE:
            queued += instruction.rows * instruction.top_k
        entries = queued if instruction.opcode == Opcode.EXPERTS else 0
        found.append(_instruction(instruction, hardware, entries))
        queued = 0 if instruction.opcode == Opcode.EXPERTS else queued
    return found


def _instruction(i: Instruction, hardware: HardwareConfig, entries: int) -> int:
    vectors = i.rows * (i.in_features // VECTOR)
    match i.opcode:
        case Opcode.PATCH_EMBED:
            positions = (i.rows + 1) * (i.out_features // VECTOR) + _LATENCY
            return positions + vectors + _LATENCY + _product(i.rows, i.in_features, i.out_features, hardware)
        case Opcode.LINEAR | Opcode.HEAD:
            return _product(i.rows, i.in_features, i.out_features, hardware)
        case Opcode.LAYERNORM:
            affine = i.in_features * hardware.numbers.channel_bytes // STREAM_LINE + _LATENCY
            return affine + vectors + _LATENCY + i.rows + 3 * _LATENCY + vectors + _LATENCY
        case Opcode.ATTENTION:
            return _attention(i, hardware)
        case Opcode.GATE:
            digits = hardware.numbers.gate_digits
            routing = i.rows * hardware.max_top_k + _DIVIDER
            return _product(i.rows, i.in_features, i.experts, hardware, digits, records=False) + routing
        case Opcode.EXPERTS:
            rows = _ceil(entries, i.experts)
            gather = rows * (i.in_features // VECTOR) + _LATENCY
            up = _product(rows, i.in_features, i.hidden_features, hardware)
            return i.experts * (gather + up + _product(rows, i.hidden_features, i.in_features, hardware))
        case Opcode.COPY:
            return vectors + _LATENCY
        case Opcode.STORE:
            each = element_bytes(i.source, hardware)
            return i.rows * (row_pitch(i.in_features, each) // each) + _LATENCY + MEMORY_WORD
        case _:
            return 1


def _ceil(size: int, unit: int) -> int:
    return -(-size // unit)


def _product(
    rows: int, inputs: int, outputs: int, hardware: HardwareConfig, digits: int = 1, records: bool = True
) -> int:
    """One pass with weights from the stream: groups of one output tile."""
    channels = hardware.out_par * hardware.numbers.channel_bytes // STREAM_LINE + _LATENCY if records else 0
    token_tiles = _ceil(rows, hardware.token_par)
    tiles = _ceil(inputs, hardware.in_par) * digits
    drain = token_tiles * hardware.token_par + _LATENCY
    return _ceil(outputs, hardware.out_par) * (channels + _steps(tiles, token_tiles * digits, hardware) + drain)


def _steps(tiles: int, busy: int, hardware: HardwareConfig) -> int:
    """The loop STEPS: one tile's time to load the first, then all of them, then the lanes run empty."""
    return (1 + tiles) * max(busy, ACCUMULATE_DISTANCE) + hardware.token_par - 1 + _LATENCY


def _attention(i: Instruction, hardware: HardwareConfig) -> int:
    width = i.in_features // i.heads
    blocks = _ceil(_ceil(i.rows, hardware.token_par), HLS_QUERY_TILES)
    queries = HLS_QUERY_TILES * hardware.token_par
    key_tiles = _ceil(width, hardware.in_par)
    scores = _ceil(i.rows, hardware.out_par) * (_steps(key_tiles, HLS_QUERY_TILES, hardware) + queries + _LATENCY)
    output_tiles = _ceil(width, hardware.out_par)
    members = min(HLS_CONTEXT_MEMBERS, output_tiles)
    steps = _steps(_ceil(i.rows, hardware.in_par) * members, HLS_QUERY_TILES, hardware)
    values = _ceil(output_tiles, members) * (steps + queries + _DIVIDER + queries * members + _LATENCY)
    return i.heads * blocks * (scores + values)
