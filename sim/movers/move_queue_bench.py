"""move_queue: one move after the other with its own fields, and what is held back meanwhile, against a list of moves.

The bench is the sequencer, which checks an instruction and pushes it or waits, the unit that a move starts, and memory.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.isa import Buffer
from edgemoe.spec.legality import Rows
from edgemoe.spec.machine import MOVE_QUEUE
from sim.common.bench import Checker, Dut, checked, drive, idle_rate, reset
from sim.common.runs import Run

RUNS = [Run("streaming", icarus=True)]
INSTRUCTIONS = 150
ACCESSES = 6  # accesses of an instruction, a cycle each
PATIENCE = 400  # cycles that an instruction may be held back
APART = (Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.ROUTING)  # from what the queues of EXPERTS name
FIRST_END = 5  # cycles from a start to the first in which a move may be done
LONGEST_WAIT = 6  # cycles from the end of a move, or from a push, to the next start, when nothing is in the way


@dataclass
class Move:
    """A LOAD or STORE that is not done, and whether it disturbs the instruction that was checked last."""

    loads: bool
    rows: Rows
    address: int
    pitch: int
    conflict: bool = False

    def meets(self, access: Rows, writes: bool) -> bool:
        """One port of the scratchpad for both, or the same rows."""
        return access.buffer == self.rows.buffer and (writes == self.loads or access.overlaps(self.rows))


class Environment:
    """Sequencer, unit and memory; `cycle` compares what the queue says in every cycle."""

    def __init__(self, dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
        self.dut, self.check, self.rng = dut, check, rng
        self.slow = 40 if idle_rate(stalls) else 4
        self.moves: deque[Move] = deque()
        self.now = 0
        self.started = -1  # when the oldest one was, or −1
        self.busy = range(0)
        self.free = 0  # since when the oldest one could start
        self.history = [False, False]  # whether something conflicts, in the cycles before
        self.settled = False  # all accesses have been seen

    async def cycle(self, **inputs: int) -> None:
        """One cycle with these inputs of the sequencer."""
        dut, rng = self.dut, self.rng
        await drive(dut)
        for name in ("push", "check", "access"):
            getattr(dut, name).value = inputs.pop(name, 0)
        for name, value in inputs.items():
            getattr(dut, name).value = value
        written = rng.random() < 0.5
        dut.written.value, dut.busy.value = int(written), int(self.now in self.busy)
        await ReadOnly()
        if self.settled:
            self.check.equal(int(dut.blocked.value), int(self.history[-1]), f"blocked in cycle {self.now}")
        starts = int(dut.start_load.value), int(dut.start_store.value)
        if any(starts):
            self._start(starts, written)
        elif self.moves and self.started < 0 and written:
            assert self.now <= self.free + LONGEST_WAIT + 40, "a move that nothing hinders does not start"
        self.history.append(any(move.conflict for move in self.moves))
        if self.started >= 0 and self.now >= self.started + FIRST_END and self.now not in self.busy:
            self.moves.popleft()
            self.started, self.free = -1, self.now
        self.now += 1

    def _start(self, starts: tuple[int, int], written: bool) -> None:
        dut = self.dut
        assert self.moves, "a start without a move"
        assert self.started < 0, "a start before the move before is done"
        oldest = self.moves[0]
        self.check.equal(starts, (int(oldest.loads), int(not oldest.loads)), "start_load, start_store")
        assert written or not oldest.loads, "LOAD starts before memory has answered"
        fields = ("scratchpad", "rows", "first_row", "features", "address", "pitch")
        rows = oldest.rows
        expected = [int(rows.buffer), rows.rows, rows.first, rows.features, oldest.address, oldest.pitch]
        found = [int(getattr(dut, f"move_{name}").value) for name in fields]
        self.check.equal(np.array(found, object), np.array(expected, object), ", ".join(fields))
        self.check.equal(int(dut.storing.value), int(not oldest.loads), "storing")
        begin = self.now + 1 + int(self.rng.integers(4))
        self.started, self.busy = self.now, range(begin, begin + 4 + int(self.rng.integers(self.slow)))

    def rows(self) -> Rows:
        """Some rows of some buffer, few of both, so that they meet."""
        buffer = Buffer(int(self.rng.integers(Buffer.RESIDUAL, Buffer.ROUTING, endpoint=True)))
        first, count = (int(self.rng.integers(1, 6)) for _ in range(2))
        return Rows(buffer, first, count, 16 * int(self.rng.integers(1, 3)))

    async def instruction(self) -> None:
        """Checked, then held back until nothing is in its way, or pushed."""
        rng = self.rng
        exclusive, of_experts = (int(rng.random() < 0.1) for _ in range(2))
        self.settled = False
        await self.cycle(check=1, exclusive=exclusive, of_experts=of_experts)
        for move in self.moves:
            move.conflict = bool(exclusive or (of_experts and move.rows.buffer not in APART))
        for slot in range(ACCESSES):
            rows, present = self.rows(), rng.random() < 0.3
            await self.cycle(
                access=int(present), access_writes=int(slot >= ACCESSES // 2), access_scratchpad=int(rows.buffer),
                access_first=rows.first, access_end=rows.first + rows.rows, access_features=rows.features,
            )  # fmt: skip
            for move in self.moves:
                move.conflict = move.conflict or (present and move.meets(rows, slot >= ACCESSES // 2))
        await self.cycle()
        await self.cycle()
        self.settled = True
        for _ in range(PATIENCE):
            if not any(move.conflict for move in self.moves) and rng.random() < 0.5:
                break
            await self.cycle()
        else:
            raise AssertionError("an instruction is held back for ever")
        self.settled = False
        if rng.random() < 0.7:
            await self._push()

    async def _push(self) -> None:
        dut, rng = self.dut, self.rng
        while True:
            await self.cycle()
            if int(dut.room.value):
                break
        move = Move(bool(rng.integers(2)), self.rows(), int(rng.integers(1 << 62)), int(rng.integers(1 << 16)))
        rows = move.rows
        assert len(self.moves) < MOVE_QUEUE, "room for one more than there is"
        await self.cycle(
            push=1, loads=int(move.loads), scratchpad=int(rows.buffer), rows=rows.rows, first_row=rows.first,
            features=rows.features, address=move.address, pitch=move.pitch,
        )  # fmt: skip
        if not self.moves:
            self.free = self.now
        self.moves.append(move)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def moves(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Instructions that meet moves or do not; at the end every move has been done."""
    names = ("push", "check", "access", "written", "busy", "exclusive", "of_experts")
    await reset(dut, **dict.fromkeys(names, 0))
    environment = Environment(dut, check, rng, stalls)
    for _ in range(INSTRUCTIONS):
        await environment.instruction()
    for _ in range(PATIENCE):
        await environment.cycle()
    check.equal([len(environment.moves), int(dut.idle.value)], [0, 1], "moves that are left, idle")
