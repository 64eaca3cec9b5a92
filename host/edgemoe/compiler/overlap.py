"""Order of LOAD and STORE among the instructions that compute: rows move while the array works.

The machine does moves beside what follows them, one after the other (docs/concepts/streaming.md), and holds back what
they would disturb. So a LOAD goes in front of the layer before the one that needs it, as far as that layer leaves the
rows and the port alone, and a STORE behind what would wait for its port, or for room in the machine's queue. What
computes keeps its order, and so do instructions of which one writes what the other reads or writes: the serial meaning
of the program is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgemoe.compiler.step import Step
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Buffer, Opcode
from edgemoe.spec.legality import Rows, memory_span, reads
from edgemoe.spec.machine import MOVE_QUEUE

MOVES = (Opcode.LOAD, Opcode.STORE)
_ALONE = (Opcode.PATCH_EMBED, Opcode.HEAD, Opcode.REPEAT, Opcode.HALT)  # no move passes these
_LONG = (Opcode.LINEAR, Opcode.ATTENTION, Opcode.EXPERTS)  # one of them hides a LOAD
_OF_QUEUES = (Buffer.NORM, Buffer.GATE_INPUT, Buffer.RESIDUAL, Buffer.HIDDEN)


def overlapped(steps: Sequence[Step], hardware: HardwareConfig) -> list[Step]:
    """The same steps with moves in other places."""
    stored_late = _stores_behind_readers(steps)
    placed: list[Step] = []
    for step in stored_late:
        at = _earliest(placed, step, hardware) if step.instruction.opcode == Opcode.LOAD else len(placed)
        placed.insert(at, step)
    return _spread(placed)


def _spread(steps: Sequence[Step]) -> list[Step]:
    """Of more moves than the machine takes at a time, STOREs go behind the next instruction that leaves them alone."""
    placed: list[Step] = []
    ahead = list(reversed(steps))
    while ahead:
        step = ahead.pop()
        late: list[Step] = []
        while _moves_at_end(placed) > MOVE_QUEUE and _may_follow(placed[-1], step):
            late.append(placed.pop())
        placed.append(step)
        ahead += late
    return placed


def _moves_at_end(placed: Sequence[Step]) -> int:
    return next((n for n, step in enumerate(reversed(placed)) if step.instruction.opcode not in MOVES), len(placed))


def _may_follow(store: Step, step: Step) -> bool:
    """Whether a STORE in front of an instruction may as well stand behind it."""
    opcode, buffer = step.instruction.opcode, store.instruction.source
    if store.instruction.opcode != Opcode.STORE or opcode in MOVES or opcode in _ALONE:
        return False
    if opcode == Opcode.EXPERTS and buffer in _OF_QUEUES:
        return False
    return all(rows.buffer != buffer for rows in (*reads(step.instruction), *step.writes))


def _stores_behind_readers(steps: Sequence[Step]) -> list[Step]:
    """A STORE that stands in front of another reader of its scratchpad, which writes none of it, goes behind that."""
    placed = list(steps)
    for begin in reversed(range(len(placed))):
        at = begin
        while placed[at].instruction.opcode == Opcode.STORE and _waits(placed[at], placed[at + 1]):
            placed[at], placed[at + 1] = placed[at + 1], placed[at]
            at += 1
    return placed


def _waits(store: Step, following: Step) -> bool:
    """Whether `following` would wait for the port of `store`, and may as well go first."""
    buffer, opcode = store.instruction.source, following.instruction.opcode
    if opcode in MOVES or opcode in _ALONE or opcode == Opcode.EXPERTS:
        return False
    written = {rows.buffer for rows in following.writes}
    return buffer not in written and buffer in {rows.buffer for rows in reads(following.instruction)}


def _earliest(placed: Sequence[Step], load: Step, hardware: HardwareConfig) -> int:
    """Where in `placed` the LOAD that would follow it may stand: in front of one long instruction at most."""
    at = len(placed)
    best, passed = at, 0
    while at > 0 and _may_pass(placed[at - 1], load, hardware):
        at -= 1
        opcode = placed[at].instruction.opcode
        passed += opcode in _LONG
        if passed > 1:
            break
        if opcode not in MOVES or passed == 0:
            best = at
    return best


def _may_pass(earlier: Step, load: Step, hardware: HardwareConfig) -> bool:
    """Whether a LOAD may be done before or beside what stands in front of it."""
    i, opcode = load.instruction, earlier.instruction.opcode
    if opcode == Opcode.LOAD or opcode in _ALONE:
        return False
    loaded = Rows(i.destination, i.destination_row, i.rows, i.in_features, bool(i.wide_result))
    if opcode == Opcode.EXPERTS and loaded.buffer in _OF_QUEUES:
        return False
    if any(rows.buffer == loaded.buffer for rows in earlier.writes):
        return False
    if any(rows.overlaps(loaded) for rows in reads(earlier.instruction)):
        return False
    if opcode != Opcode.STORE:
        return True
    begin, end = i.address, i.address + memory_span(i, hardware)
    first = earlier.instruction.address
    return end <= first or first + memory_span(earlier.instruction, hardware) <= begin
