"""Predicted cycles per instruction of one program on the RTL engine: from shapes alone, before any engine has counted.

Every instruction goes through a model of the machine (`timeline`), with weights under a fluid model of memory
(`prefetch`). Tokens are taken as spread evenly over the experts, unless it is said how many each one gets. Against the
RTL's counts, with its routing: tests/system/test_cycles.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgemoe.compiler.array_clock import whole
from edgemoe.compiler.moves import QUEUED, Moves
from edgemoe.compiler.prefetch import Prefetch
from edgemoe.compiler.program import Program
from edgemoe.compiler.timeline import RULES, Timeline
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import STREAM_LINE, Instruction, Opcode
from edgemoe.spec.machine import Sizes
from edgemoe.spec.memory import gate_bytes, layernorm_bytes, linear_bytes, position_bytes, round_up

_START = 8  # cycles from a start to the command for the header, and from the header to the first instruction's
_END = 13  # from HALT to done, beside the first beat's latency: what was written is answered
_QUIET = 4  # from LAYERNORM's last write to the command that waits for it
_FETCH = 28  # of an instruction, beside the first beat's latency: its words and rules 1 … 6


@dataclass(frozen=True)
class PredictedCycles:
    """One instruction. mac: steps of the array; post: cycles of the lanes behind it, LayerNorm or memory; wait: for
    weights; cycles: all of it, from the end of the instruction before. stream_bytes: weights, headers included.
    """

    mac: int
    post: int
    wait: int
    cycles: int
    stream_bytes: int


def predicted_cycles(program: Program, routing: Sequence[Sequence[int]] | None = None) -> list[PredictedCycles]:
    """One estimate per instruction, in program order.

    routing: tokens of each expert, for every EXPERTS in turn; None: spread evenly, rounded up.
    """
    return cycles_of(program.instructions, program.manifest.hardware, routing)


def cycles_of(
    instructions: Sequence[Instruction], hardware: HardwareConfig, routing: Sequence[Sequence[int]] | None = None
) -> list[PredictedCycles]:
    """The same of instructions alone, whose weights nobody has packed."""
    stream_bytes = sum(consumed_bytes(i, hardware) for i in instructions)
    fetch = hardware.first_beat_cycles + _FETCH
    known = iter(routing) if routing is not None else None
    offered = 2.0 * fetch + _START  # when the first instruction has been fetched and checked
    memory = Prefetch(hardware, stream_bytes, offered - fetch + hardware.first_beat_cycles)
    queued, moves = 0, Moves(hardware, memory)
    machines, sizes = [], []
    accepted = [0.0]  # the first one counts from the start
    norm, build = None, Sizes(hardware)
    for i in instructions:
        queues: Sequence[int] = ()
        if i.opcode == Opcode.GATE:
            queued += i.rows * i.top_k
        if i.opcode == Opcode.EXPERTS:
            queues = next(known) if known else [whole(queued, i.experts)] * i.experts
            queued = 0
        begin, before = max(accepted[-1], offered), memory.taken
        # The next instruction is fetched beside this one, between the words of a LOAD, but a frame's patches have the
        # port to themselves.
        fetched = begin + fetch + moves.fetch_waits(begin)
        beside = norm is not None and norm.lets(i, consumed_bytes(i, hardware) // STREAM_LINE - 1, build)
        alone = 0.0 if norm is None or beside else norm.written + _QUIET
        held = moves.clear(i, max(begin + RULES, alone))
        if hardware.streaming and i.opcode in QUEUED:
            held = moves.add(i, held)
        machine = Timeline(hardware, memory, held, norm if beside else None)
        ready = machine.end(i, queues)
        norm = machine.norm or norm
        offered = ready + fetch if i.opcode == Opcode.PATCH_EMBED else fetched
        ended = held - RULES + hardware.first_beat_cycles + _END
        accepted.append(ended if i.opcode == Opcode.HALT else max(ready, offered))
        machines.append(machine)
        sizes.append(memory.taken - before)
    marks = [round(cycle) for cycle in accepted]
    return [
        PredictedCycles(machine.mac, machine.post, round(machine.waited), end - begin, size)
        for machine, (begin, end), size in zip(machines, pairwise(marks), sizes, strict=True)
    ]


def consumed_bytes(i: Instruction, hardware: HardwareConfig) -> int:
    """Bytes of the weight stream, headers included, of one instruction's segments."""
    narrow = i.narrow_weights
    match i.opcode:
        case Opcode.PATCH_EMBED:
            layer = linear_bytes(i.out_features, i.in_features, hardware, narrow)
            payloads = [position_bytes(i.rows + 1, i.out_features, hardware), layer]
        case Opcode.LAYERNORM:
            payloads = [layernorm_bytes(i.in_features, hardware)]
        case Opcode.LINEAR | Opcode.HEAD:
            payloads = [linear_bytes(i.out_features, i.in_features, hardware, narrow)]
        case Opcode.GATE:
            payloads = [gate_bytes(i.experts, i.in_features, hardware, i.biased)]
        case Opcode.EXPERTS:
            layers = ((i.hidden_features, i.in_features), (i.in_features, i.hidden_features))
            payloads = [sum(linear_bytes(*layer, hardware, narrow) for layer in layers)] * i.experts
        case _:
            payloads = []
    return sum(STREAM_LINE + round_up(payload, STREAM_LINE) for payload in payloads)
