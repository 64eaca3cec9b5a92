"""Cycles of LOAD and STORE where they are done beside what follows them: the RTL's move_queue, as a list of moves.

One move at a time, in order; a LOAD begins when memory has answered for all writes. An instruction is held back until
those that it would disturb are done.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.compiler.prefetch import Prefetch
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, Buffer, Instruction, Opcode
from edgemoe.spec.legality import Rows, memory_row, reads, writes
from edgemoe.spec.machine import DATA_QUEUE, MOVE_QUEUE

QUEUED = (Opcode.LOAD, Opcode.STORE)
_START = 8  # from its place in the queue, or the end of the move before, to the first command or read
_END = 8  # from the last word to the end of a move
_HELD = 2  # from the end of a move to what it held back
_BURST = 16  # words
_COMMAND, _REQUEST = 1, 4  # data_reader: cycles of a row, and of each of its bursts
_READ_WORDS, _BURSTS = DATA_QUEUE - 8, 16  # on their way at most: words, as 16 are asked for at a time; bursts
_ANSWER = 10  # data_reader and data_writer: cycles of a burst's way, beside the first beat's latency
_CLOSE = 40  # data_writer: from the last word to the end of its burst, which waits for more
_ALONE = (Opcode.PATCH_EMBED, Opcode.HEAD, Opcode.HALT)
_APART = (Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.ROUTING)  # from what the queues of EXPERTS name


@dataclass(frozen=True)
class _Move:
    start: float
    end: float
    loads: bool
    rows: Rows


class Moves:
    """LOAD and STORE of one program, instruction by instruction."""

    def __init__(self, hardware: HardwareConfig, memory: Prefetch) -> None:
        self._hardware, self._memory = hardware, memory
        self._moves: list[_Move] = []
        self._written = 0.0
        self._latency = hardware.first_beat_cycles + _ANSWER

    def clear(self, i: Instruction, begin: float) -> float:
        """Cycle, `begin` at the earliest, at which nothing that is on its way is in the way of an instruction."""
        ends = [move.end + _HELD for move in self._moves if move.end > begin and _disturbs(move, i)]
        return max([begin, *ends])

    def fetch_waits(self, cycle: float) -> float:
        """Cycles that a fetch of an instruction waits for words of a LOAD that has the reader then."""
        reads = any(move.loads and move.start <= cycle < move.end for move in self._moves)
        return self._latency + _READ_WORDS if reads else 0.0

    def add(self, i: Instruction, begin: float) -> float:
        """Queue a LOAD or STORE; returns the cycle at which it has its place."""
        placed = begin
        if len(self._moves) >= MOVE_QUEUE:
            placed = max(placed, self._moves[-MOVE_QUEUE].end + _HELD)
        start = max(placed, self._moves[-1].end if self._moves else 0.0) + _START
        words = memory_row(i, self._hardware) // MEMORY_WORD
        if i.opcode == Opcode.LOAD:
            start = max(start, self._written)
            row = self._row_loaded(i, words)
            end = start + self._latency + i.rows * row + _END
            end += self._memory.delay(words * i.rows, start, row / words)
            self._moves.append(_Move(start, end, True, writes(i)[0]))
        else:
            bursts = i.rows * _bursts_of_row(i, words) if i.pitch else i.rows * words / _BURST
            sent = max(words * i.rows + bursts, bursts * self._latency / _BURSTS)
            end = start + sent + self._memory.delay(words * i.rows, start, sent / (words * i.rows)) + _END
            self._written = end + _CLOSE + self._latency
            self._moves.append(_Move(start, end, False, reads(i)[0]))
        del self._moves[:-MOVE_QUEUE]
        return placed

    def _row_loaded(self, i: Instruction, words: int) -> float:
        """Cycles of a row: its words, the requests of its bursts, or their way, whichever is longest."""
        bursts = _bursts_of_row(i, words)
        arriving = max(1.0, self._latency / _READ_WORDS) * words
        return max(arriving, _COMMAND + _REQUEST * bursts, bursts * self._latency / _BURSTS)


def _bursts_of_row(i: Instruction, words: int) -> float:
    """On average: a burst ends where 16 words of memory do."""
    begins = [(i.address // MEMORY_WORD + n * (i.pitch or words)) % _BURST for n in range(_BURST)]
    return sum((begin + words + _BURST - 1) // _BURST for begin in begins) / _BURST


def _disturbs(move: _Move, i: Instruction) -> bool:
    """Whether what a move does and what an instruction does meet: rtl/movers/move_queue.v."""
    if i.opcode in _ALONE:
        return True
    if i.opcode == Opcode.EXPERTS:
        return move.rows.buffer not in _APART
    if i.opcode in QUEUED:
        return False
    both = ((rows, False) for rows in reads(i)), ((rows, True) for rows in writes(i))
    return any(
        rows.buffer == move.rows.buffer and (written == move.loads or rows.overlaps(move.rows))
        for each in both for rows, written in each
    )  # fmt: skip
