"""stream_plan: rule 7 for programs with REPEAT, against golden's plan; parts, ranges and where they end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.devices.golden.program import MachineFaultError, Part
from edgemoe.devices.golden.stream_plan import StreamPlan
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import STREAM_LINE, Instruction, Opcode
from edgemoe.spec.memory import MAX_PARTS
from sim.common.bench import Checker, Dut, checked, drive, reset
from sim.common.runs import Run

RUNS = [Run("streaming")]
PROGRAMS = 60
ANSWER = 12  # cycles from check until all must be said


class Bench:
    """One run of the unit beside golden's plan."""

    def __init__(self, dut: Dut, check: Checker, rng: np.random.Generator, lines: int) -> None:
        self.dut, self.check, self.rng, self.lines = dut, check, rng, lines
        self.plan = StreamPlan(lines, [])
        self.seen = SimpleNamespace(parts=[], begun=0)

    async def cycle(self, **inputs: int) -> None:
        """One cycle, and what leaves in it."""
        dut = self.dut
        await drive(dut)
        for name in ("begin_run", "check", "commit"):
            getattr(dut, name).value = inputs.get(name, 0)
        await ReadOnly()
        if int(dut.part_push.value):
            self.seen.parts.append((int(dut.part_end_line.value), int(dut.part_times.value)))
        if int(dut.begin_stream.value):
            self.seen.begun += 1
            self.range()

    def range(self) -> None:
        """The range that begins has the lines of golden's next part, or of what is behind all parts."""
        plan, seen = self.plan, int(self.dut.range_lines.value)
        ends = [0, *(part.end_line for part in plan.parts), self.lines]
        part = self.before if self.dut.begin_stream.value else plan._part
        self.check.equal(seen, ends[part + 1] - ends[part], f"lines of range {part} of {ends}")

    async def begin(self) -> None:
        """One cycle of begin_run."""
        await drive(self.dut)
        self.dut.stream_lines.value = self.lines
        await self.cycle(begin_run=1)

    async def take(self, i: Instruction) -> Fault:
        """A check, and a commit unless it has a fault."""
        dut, plan = self.dut, self.plan
        fault, self.before = Fault.NONE, plan._part
        place = (plan._part, plan._passes)
        try:
            plan.add(i) if i.opcode == Opcode.REPEAT else plan.take(i)
        except MachineFaultError as error:
            fault = error.fault
        await drive(dut)
        dut.repeats.value, dut.times.value = int(i.opcode == Opcode.REPEAT), i.rows
        dut.segment.value, dut.segments.value, dut.end_line.value = i.segment, i.segments, i.address // STREAM_LINE
        await self.cycle(check=1)
        for _ in range(ANSWER + int(self.rng.integers(4))):
            await self.cycle()
        self.check.equal(int(dut.fault.value), fault, f"{i} among {plan}")
        if fault == Fault.NONE:
            closes = (plan._part, plan._passes) != place
            self.check.equal(int(dut.closes.value), closes, f"closes a part: {i} among {plan}")
            if closes:
                self.check.equal(int(dut.last_segment.value), i.segment + i.segments - 1, "last segment")
            await self.cycle(commit=1)
            await self.cycle()
            self.check.equal(int(dut.range_begin.value), closes, "a range begins")
            if closes:
                self.range()
        self.check.equal(self.seen.parts, [(part.end_line, part.times) for part in plan.parts], "parts")
        self.check.equal(self.seen.begun, int(plan.started), "times the stream has begun")
        return fault


def parts_of(rng: np.random.Generator, count: int) -> tuple[list[Part], int]:
    """Some parts, and lines of the stream."""
    segments, lines = rng.integers(1, 5, count), rng.integers(1, 40, count)
    ends, end_lines = np.cumsum(segments).tolist(), np.cumsum(lines).tolist()
    parts = [Part(end - int(size), end, line, int(rng.integers(1, 4)))
             for end, size, line in zip(ends, segments, end_lines, strict=True)]  # fmt: skip
    return parts, (end_lines[-1] if count else 0) + int(rng.integers(3))


def repeat(part: Part) -> Instruction:
    """The REPEAT of a part."""
    return Instruction(Opcode.REPEAT, rows=part.times, segment=part.first, segments=part.end - part.first,
                       address=part.end_line * STREAM_LINE)  # fmt: skip


def wrong(rng: np.random.Generator, i: Instruction) -> Instruction:
    """With another segment, another number of them or another end."""
    changes: list[dict[str, Any]] = [
        {"segment": (i.segment + int(rng.integers(1, 3))) % (1 << 32)},
        {"segments": i.segments + int(rng.integers(1, 4))},
        {"segments": (1 << 32) - 1},
        {"segment": (1 << 32) - 1},
        {"address": i.address + STREAM_LINE * int(rng.integers(-20, 100))} if i.address else {"segments": 9},
    ]
    changed = replace(i, **changes[int(rng.integers(len(changes)))])
    return replace(changed, address=max(0, changed.address))


@cocotb.test()
@cocotb.parametrize(mistakes=[0.0, 0.05])
@checked
async def programs(dut: Dut, check: Checker, rng: np.random.Generator, mistakes: float) -> None:
    """Parts, then instructions through all their passes and what is behind them, or until the first fault."""
    await reset(dut, begin_run=0, check=0, commit=0)
    faults: set[Fault] = set()
    for _ in range(PROGRAMS if mistakes else PROGRAMS // 3):
        parts, lines = parts_of(rng, int(rng.integers(0, 5)))
        bench = Bench(dut, check, rng, lines)
        await bench.begin()
        script = [repeat(part) for part in parts]
        for part in [*parts, Part(parts[-1].end if parts else 0, 1 << 20, 0, 1)]:
            for _ in range(part.times):
                first = part.first
                while first < min(part.end, part.first + 6):
                    count = int(rng.integers(0, min(3, part.end - first), endpoint=True))
                    script.append(
                        Instruction(
                            Opcode.EXPERTS if count else Opcode.COPY, segment=first if count else 0, segments=count
                        )
                    )
                    first += count
        for i in script:
            if rng.random() < mistakes:
                i = wrong(rng, i) if rng.random() < 0.8 else repeat(Part(0, 1, 1, 1))
            fault = await bench.take(i)
            faults.add(fault)
            if fault != Fault.NONE:
                break
    wanted = {Fault.ILLEGAL_OPERAND, Fault.SEGMENT_MISMATCH, Fault.ADDRESS_RANGE} if mistakes else set()
    assert faults == {Fault.NONE, *wanted}, f"faults found: {faults}"


@cocotb.test()
@checked
async def as_many_parts_as_there_is_room_for(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Then the one too many is refused, and without it they pass one after the other."""
    await reset(dut, begin_run=0, check=0, commit=0)
    for more in (True, False):
        bench = Bench(dut, check, rng, MAX_PARTS + 5)
        await bench.begin()
        for number in range(MAX_PARTS):
            await bench.take(repeat(Part(number, number + 1, number + 1, 1)))
        if more:
            extra = repeat(Part(MAX_PARTS, MAX_PARTS + 1, MAX_PARTS + 1, 1))
            check.equal(await bench.take(extra), Fault.BUFFER_RANGE, "one more")
            continue
        for number in range(MAX_PARTS + 2):
            await bench.take(Instruction(Opcode.LAYERNORM, segment=number, segments=1))
