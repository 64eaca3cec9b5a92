"""The least distances, in iterations of the loop ARRAY, between a write and the read of it that one instruction has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from edgemoe.compiler.hls_array import WRITE_DISTANCE, Array, Group, apart, tables
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Instruction, Opcode

Distance = tuple[str, int]


def least_distances(i: Instruction, hardware: HardwareConfig, queues: Sequence[int] = ()) -> dict[str, int]:
    """Memory, as the pragmas name it, → distance. queues: tokens of each expert."""
    least: dict[str, int] = {}
    earlier = 0  # scores without values in the loops before, all of them written
    for table in tables(i, hardware, queues):
        array = Array(hardware.token_par)
        array.run(table)
        passes = [list(groups) for _, groups in groupby(array.groups, key=lambda group: id(group.of))]
        found = [each for group in array.groups for each in _of_group(group, hardware)]
        if i.opcode == Opcode.ATTENTION:
            found += _of_attention(passes, earlier)
            earlier += sum(-1 if each.waits else 1 for each in table)
        found += _of_experts(passes, array.gathered) if i.opcode == Opcode.EXPERTS else []
        for name, distance in found:
            least[name] = min(distance, least.get(name, distance))
    return least


def _of_group(group: Group, hardware: HardwareConfig) -> Iterator[Distance]:
    """Sums that come round with the next input tile; sums and channel records that wait for the drain."""
    starts, digits = group.starts, group.of.digits
    members = len(starts) // (group.of.input_tiles * digits)
    for before, after in zip(starts, starts[members:], strict=False):
        # The middle one of a gate's sums is the last of its row's in one tile and the first in the next.
        yield "running", after - before - (digits - 1)
    written = starts[-1] + apart(group.of) + hardware.token_par - 1  # at the latest
    yield "finished", group.begin - written
    yield "channels.part", group.begin - starts[0]


def _of_attention(passes: list[list[Group]], earlier: int) -> Iterator[Distance]:
    """Each pass over values is the one of the oldest scores that have none yet."""
    scores: list[list[Group] | None] = [None] * earlier
    for groups in passes:
        if not groups[0].of.waits:
            scores.append(groups)
            for one, other in pairwise(groups):
                yield "attention.running_maximum", other.begin - one.begin
            continue
        for group in groups:
            members = len(group.starts) // group.of.input_tiles
            for before, after in zip(group.starts[::members], group.starts[members::members], strict=False):
                yield "attention.running_total", after - before
            for before, after in list(pairwise(group.starts))[: members - 1]:
                yield "attention.exponentials", after - before
            yield "attention.total", group.begin - group.starts[-1]
        own = scores.pop(0)
        if own is not None:
            yield "attention.score", groups[0].starts[0] + 1 - own[-1].end
            yield "attention.maximum", groups[0].starts[0] + 1 - own[-1].end


def _of_experts(passes: list[list[Group]], gathered: list[int]) -> Iterator[Distance]:
    ups, downs = passes[::2], passes[1::2]
    for up, down, ready in zip(ups, downs, gathered, strict=True):
        yield "pads.gathered", up[0].starts[0] + 1 - (ready - WRITE_DISTANCE)
        yield "pads.hidden", down[0].starts[0] + 1 - up[-1].end
    for one, other in pairwise(downs):
        for before, after in zip(one, other, strict=True):
            yield "pads.residual", after.begin - before.end
