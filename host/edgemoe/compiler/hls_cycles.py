"""Analytic cycles of the HLS schedule, per instruction: trip counts times intended initiation intervals.

The schedule is that of hls/machine: pipelined loops one after the other, each with its latency; all work of the array
is one loop per instruction, whose cycles `hls_array` counts. Weights are taken as prefetched. No synthesis report has
confirmed the latencies and intervals yet.
"""

from __future__ import annotations

from edgemoe.compiler.hls_array import array_cycles
from edgemoe.compiler.program import Program
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, Instruction, Opcode
from edgemoe.spec.legality import memory_row

LOOP_FILL = 30  # cycles to fill and empty a pipelined loop, taken for all
EPILOGUE_DEPTH = 80  # the same for what the drain does after that, divider included
NORM_ROWS = 4  # rows that LAYERNORM takes side by side


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
    queues = [(entries + n) // i.experts for n in range(i.experts)] if i.opcode == Opcode.EXPERTS else []
    array = sum(cycles + LOOP_FILL + EPILOGUE_DEPTH for cycles in array_cycles(i, hardware, queues))
    vectors = i.in_features // VECTOR
    match i.opcode:
        case Opcode.PATCH_EMBED:
            positions = (i.rows + 1) * (i.out_features // VECTOR) + LOOP_FILL
            return positions + i.rows * vectors + LOOP_FILL + array
        case Opcode.LAYERNORM:
            return _layernorm(i, hardware)
        case Opcode.GATE:
            return array + i.rows * hardware.max_top_k + LOOP_FILL + EPILOGUE_DEPTH
        case Opcode.COPY:
            return i.rows * vectors + LOOP_FILL
        case Opcode.STORE:
            return _words(i, hardware) + i.wide_source + LOOP_FILL
        case Opcode.LOAD:
            return _words(i, hardware) + LOOP_FILL
        case _:
            return array or 1


def _words(i: Instruction, hardware: HardwareConfig) -> int:
    """That STORE writes or LOAD reads."""
    return i.rows * memory_row(i, hardware) // MEMORY_WORD


def _layernorm(i: Instruction, hardware: HardwareConfig) -> int:
    """γ and β; sums; roots, with a long chain of multiplications; outputs."""
    rows = min(NORM_ROWS, hardware.token_par)
    groups = (i.source_row + i.rows - 1) // rows - i.source_row // rows + 1
    sweep = groups * (i.in_features // VECTOR) + LOOP_FILL
    affine = i.in_features * hardware.numbers.channel_bytes // 128 + LOOP_FILL
    return affine + sweep + groups + 2 * LOOP_FILL + sweep
