"""Cycles of the HLS engine's loop ARRAY (hls/machine/compute.hpp): what its counters and conditions make of the passes.

Exact for II 1: tests/hls/test_schedule.py holds it to the loop's own count. Weights are taken as prefetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.hls_schedule import ACCUMULATE_DISTANCE, HLS_CONTEXT_MEMBERS, HLS_QUERY_TILES
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Instruction, Opcode

WRITE_DISTANCE = 96  # cycles after which what the drain or the gather writes may be read
TABLE_PASSES = 32  # passes between which the array need not run empty


@dataclass(frozen=True)
class Pass:
    """One product on the array. Sizes in tiles; turns: of the drain, per group; parts: cycles to load a tile.

    digits: right tiles per input tile; halves: steps per token tile. waits: 0 nothing, 1 all that the pass before
    writes, 2 all but that. gather: vectors laid side by side before it.
    dropped: lines of an expert without tokens, which is no pass of the array.
    """

    token_tiles: int
    input_tiles: int
    output_tiles: int
    turns: int
    parts: int
    members: int = 1
    digits: int = 1
    halves: int = 1
    channels: int = 0
    header: int = 0
    waits: int = 0
    gather: int = 0
    dropped: int = 0


def array_cycles(i: Instruction, hardware: HardwareConfig, queues: Sequence[int] = ()) -> list[int]:
    """Cycles of each run of the loop for one instruction; queues: tokens of each expert."""
    return [Array(hardware.token_par).run(table) for table in tables(i, hardware, queues)]


def tables(i: Instruction, hardware: HardwareConfig, queues: Sequence[int] = ()) -> list[list[Pass]]:
    """The passes of each run of the loop for one instruction."""
    passes = list(_passes(i, hardware, queues))
    parts = (passes[first : first + TABLE_PASSES] for first in range(0, len(passes), TABLE_PASSES))
    return [[each for each in part if each is not None] for part in parts]


class Group(NamedTuple):
    """When a group of a pass was at work, in iterations. starts: its tiles begin, their steps one later; begin, end: of
    its drain, whose turns are those between."""

    of: Pass
    starts: tuple[int, ...]
    begin: int
    end: int


class Array:
    """Times are numbers of iterations; what happens in one is seen by what stands behind it in the loop's body."""

    def __init__(self, token_par: int) -> None:
        self.groups: list[Group] = []
        self.gathered: list[int] = []  # when the tokens of each pass over gathered ones may be read
        self._wait = token_par + ACCUMULATE_DISTANCE + 1
        self._taken: list[int] = []  # when the drain took each pass
        self._begun: list[int] = []  # when each pass over gathered tokens began

    def run(self, table: Sequence[Pass]) -> int:
        """Cycles until all passes are drained."""
        gathers = [each.gather for each in table if each.gather]
        loaded_from, free = 0, 0  # first cycle in which the next tile may be loaded; in which the array is free
        for each in table:
            if each.dropped:
                loaded_from += each.header + _ceil(each.dropped, 2)
                continue
            for group in range(_ceil(each.output_tiles, each.members)):
                members = min(each.members, each.output_tiles - group * each.members)
                header = each.header if group == 0 else 0
                start = max(loaded_from + header + each.channels + each.parts - 1, free)
                if group == 0:
                    start = max(start, self._pass_may_begin(each, gathers))
                starts = self._starts(each, members, start)
                free = starts[-1] + apart(each)
                loaded_from = starts[-1] + 1
                self._drain(each, starts, free, group == 0)
        return max([self._drained, loaded_from - 1]) + 1

    @property
    def _drained(self) -> int:
        """When the last group was."""
        return self.groups[-1].end if self.groups else 0

    def _pass_may_begin(self, each: Pass, gathers: Sequence[int]) -> int:
        """The first cycle in which its first tile may go to work."""
        may = max([0, *self._taken[-1:]])
        if each.waits == 1 and self.groups:
            may = max(may, self._drained + WRITE_DISTANCE - 1)
        if each.waits == 2 and self._taken:
            may = max(may, self._taken[-1] + WRITE_DISTANCE - 1)
        if each.gather:
            may = max(may, self._gather(len(self._begun), gathers))
        return may

    def _gather(self, job: int, gathers: Sequence[int]) -> int:
        while len(self.gathered) <= job:
            number = len(self.gathered)
            start = self.gathered[-1] + 1 if self.gathered else 0
            if number > 1:
                start = max(start, self._begun[number - 1] + 1)
            self.gathered.append(start + gathers[number] - 1 + WRITE_DISTANCE)
        return self.gathered[job]

    def _starts(self, each: Pass, members: int, start: int) -> tuple[int, ...]:
        """When its tiles begin, one after the other."""
        per_input, spacing = members * each.digits, max(apart(each), each.parts)
        room = self.groups[-2].end if len(self.groups) > 1 else 0  # the last sums go where this group's were
        found: list[int] = []
        for tile in range(each.input_tiles * per_input):
            at = found[-1] + spacing if found else start
            found.append(max(at, room) if tile == (each.input_tiles - 1) * per_input else at)
        return tuple(found)

    def _drain(self, each: Pass, starts: tuple[int, ...], ended: int, first: bool) -> None:
        """The group that ended; first: of its pass."""
        idle = self.groups[-1].end + 1 if self.groups else 0
        if first:
            self._taken.append(max(starts[0] + 1, idle))
            if each.gather:
                self._begun.append(starts[0])
        begin = max(ended + self._wait + 1, idle, self._taken[-1])
        self.groups.append(Group(each, starts, begin, begin + each.turns - 1))


def apart(each: Pass) -> int:
    """Steps of a tile at least: the sums of a gate's middle digits come round one step earlier than the others."""
    return max(each.token_tiles * each.halves, ACCUMULATE_DISTANCE + each.digits - 1)


def _passes(i: Instruction, hardware: HardwareConfig, queues: Sequence[int]) -> Iterator[Pass | None]:
    """In the order of hls/machine/pass_table.hpp; None: the place of a pass that is left out."""
    match i.opcode:
        case Opcode.PATCH_EMBED | Opcode.LINEAR | Opcode.HEAD | Opcode.GATE:
            yield _linear(i, hardware)
        case Opcode.ATTENTION:
            yield from _attention(i, hardware)
        case Opcode.EXPERTS:
            yield from _experts(i, hardware, queues)
        case _:
            return


def _linear(i: Instruction, hardware: HardwareConfig) -> Pass:
    gate, head = i.opcode == Opcode.GATE, i.opcode == Opcode.HEAD
    digits = hardware.numbers.gate_digits if gate else 1
    first = 0 if i.opcode == Opcode.PATCH_EMBED else i.source_row
    outputs = i.experts if gate else i.out_features
    joined = int(not gate and i.wide_source)
    written = 2 if i.wide_result else 1  # of 16 bits: one digit after the other
    turns = 2 * digits - 1 if gate else joined + (hardware.out_par * 2 // MEMORY_WORD if head else written)
    return _product(
        hardware, first, i.rows, i.in_features, outputs, turns, 1 if head else 2, digits, digits + joined,
        not gate or bool(i.biased), i.narrow_weights,
    )  # fmt: skip


def _product(
    hardware: HardwareConfig,
    first_row: int,
    rows: int,
    inputs: int,
    outputs: int,
    turns: int = 1,
    together: int = 2,
    digits: int = 1,
    halves: int = 1,
    records: bool = True,
    narrow: int = 0,
    **more: int,
) -> Pass:
    """A pass with weights from the stream; turns: of the drain, per row."""
    size = hardware.numbers.activation_bits // 8
    lines = hardware.in_par * hardware.out_par * size // STREAM_LINE
    per_part = min(2, lines)
    channels = hardware.out_par * hardware.numbers.channel_bytes // STREAM_LINE // per_part if records else 0
    if narrow:
        lines = max(1, lines // 2)  # a line that holds two tiles takes a cycle for each
        per_part = min(2, lines)
    token_tiles = _token_tiles(first_row, rows, hardware)
    return Pass(
        token_tiles,
        _ceil(inputs, hardware.in_par),
        _ceil(outputs, hardware.out_par),
        token_tiles * hardware.token_par // together * turns,
        lines // per_part,
        digits=digits,
        halves=halves,
        channels=channels,
        **more,
    )


def _token_tiles(first: int, rows: int, hardware: HardwareConfig) -> int:
    return (first + rows - 1) // hardware.token_par - first // hardware.token_par + 1


def _attention(i: Instruction, hardware: HardwareConfig) -> Iterator[Pass]:
    width, par = i.in_features // i.heads, hardware.token_par
    tiles = _token_tiles(i.source_row, i.rows, hardware)
    blocks = [min(HLS_QUERY_TILES, tiles - first) for first in range(0, tiles, HLS_QUERY_TILES)] * i.heads
    digits = 1 + i.wide_source
    members = min(HLS_CONTEXT_MEMBERS // digits, _ceil(width, hardware.out_par))

    def scores(block: int) -> Pass:
        turns = block * par // 2 * (2 * digits - 1)
        sizes = _ceil(width, hardware.in_par), _ceil(i.keys or i.rows, hardware.out_par)
        return Pass(block, *sizes, turns, hardware.out_par // par, digits=digits, halves=digits)

    def values(block: int, waits: int) -> Pass:
        turns = block * par // 2 * members * digits
        sizes = _ceil(i.keys or i.rows, hardware.in_par), _ceil(width, hardware.out_par)
        return Pass(block, *sizes, turns, hardware.in_par // par, members, digits, waits=waits)

    yield scores(blocks[0])
    for before, block in pairwise(blocks):
        yield scores(block)
        yield values(before, 2)
    yield values(blocks[-1], 1)


def _experts(i: Instruction, hardware: HardwareConfig, queues: Sequence[int]) -> Iterator[Pass | None]:
    narrow = i.narrow_weights
    for rows in queues:
        if rows == 0:
            layers = ((i.in_features, i.hidden_features), (i.hidden_features, i.in_features))
            lines = sum(_lines(*layer, hardware, narrow) for layer in layers)
            yield Pass(0, 0, 0, 0, 0, header=1, dropped=lines)
            yield None
            continue
        gather = rows * (i.in_features // VECTOR)
        halves, inner = 1 + i.wide_source, 1 + i.wide_result
        up, down = (rows, i.in_features, i.hidden_features), (rows, i.hidden_features, i.in_features)
        turns = halves + i.wide_result
        yield _product(hardware, 0, *up, turns, halves=halves, narrow=narrow, header=1, gather=gather)
        yield _product(hardware, 0, *down, inner, together=1, halves=inner, narrow=narrow, waits=1)


def _lines(inputs: int, outputs: int, hardware: HardwareConfig, narrow: int) -> int:
    size = hardware.numbers.activation_bits // 8
    tile = hardware.in_par * hardware.out_par * size // STREAM_LINE
    channels = hardware.out_par * hardware.numbers.channel_bytes // STREAM_LINE
    weights = _ceil(inputs, hardware.in_par) * tile
    return _ceil(outputs, hardware.out_par) * (channels + (_ceil(weights, 2) if narrow else weights))


def _ceil(size: int, unit: int) -> int:
    return -(-size // unit)
