"""sequencer: what each instruction asks of stream_reader, matmul and the units that move rows, in order and in time.

Here the bench is all of these, and whoever fetches and checks instructions; each takes a random time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode, encode, used_fields
from edgemoe.spec.machine import Fetch
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, idle_rate, pack, reset
from sim.common.instruction_steps import ROW_UNITS, STEPS, Step, Task, in_order, meaning
from sim.common.machine import CONFIG
from sim.common.normalising import Normalising, Passes
from sim.common.pipeline import noise
from sim.common.runs import Run
from sim.examples.machine import COPY, program

MOVED = (Instruction(Opcode.LOAD, destination=Buffer.KEY), Instruction(Opcode.REPEAT, segments=3))

RUNS = [
    Run("micro"),
    Run("wide", slow=True),
    Run("narrow", slow=True),
    Run("narrow_tiles", slow=True),
    Run("wide_tokens", slow=True),
    Run("wide_tokens_pairs", slow=True),
    Run("streaming"),
]
PROGRAMS = 3
LAYERS = (Opcode.LINEAR, Opcode.GATE, Opcode.HEAD)
LAYERNORM = next(i for i in program() if i.opcode == Opcode.LAYERNORM)
LONGEST = 4000  # cycles of an instruction
FETCHES = 0.1  # how often the fetch of an instruction begins
AFTER = 60  # cycles after a run's end in which nothing may happen
CARRIED = ("fetch", "pass")  # steps with a word
BUSY_AFTER = 5  # cycles from a start to busy, at most


class Environment:
    """All that surrounds the sequencer in one run of some tasks."""

    def __init__(self, dut: Dut, rng: np.random.Generator, stalls: str, tasks: list[Task]) -> None:
        self.dut, self.rng, self.tasks = dut, rng, tasks
        self.slow, self.backpressure, self.idle = (
            12 if idle_rate(stalls) else 3,
            backpressure_rate(stalls),
            idle_rate(stalls),
        )
        self.outputs = {name: getattr(dut, f"{name}_push" if name in CARRIED else name) for name in STEPS}
        self.now = 0
        self.accepted, self.executing = -1, False  # the instruction that is executed, or was last
        self.queues_of = -1  # the instruction whose queues the engine shows
        self.steps: list[list[Step]] = [[] for _ in tasks]
        self.gathered: list[list[int]] = [[] for _ in tasks]
        self.headers = 0
        self.check_due = self.header_due = -1
        self.rows: list[range] = []  # cycles in which units that move rows are busy, and the gate
        self.gate: list[range] = []
        self.layernorm, self.passes = Normalising(rng), Passes()
        self.moves: list[range] = []  # of LOAD and STORE that are done beside what follows
        self.blocked = range(0)  # what is checked now
        self.unissued: deque[int] = deque()  # when passes are issued
        self.written = -1  # when the last one has been written
        self.fetching = range(0)  # cycles of which the last fetch of an instruction takes some
        self.hold = self.held = False

    @property
    def task(self) -> Task:
        """What is executed."""
        return self.tasks[self.accepted]

    def later(self, least: int = 1) -> int:
        """Some cycle from now on."""
        return self.now + least + int(self.rng.integers(self.slow))

    def busy(self, units: list[range]) -> bool:
        """In this cycle."""
        return any(self.now in when for when in units)

    async def cycle(self) -> None:
        """Gives what is due, and notes what happens."""
        dut, rng = self.dut, self.rng
        await drive(dut)
        dut.fetch_room.value, dut.pass_room.value = (int(rng.random() >= self.backpressure) for _ in range(2))
        header_fault = self.task.header_fault if self.headers - 1 == self.task.header else Fault.NONE
        for name, due, fault in (
            ("check", self.check_due, self.task.rule_fault),
            ("header", self.header_due, header_fault),
        ):
            getattr(dut, f"{name}_done").value = int(due == self.now)
            getattr(dut, f"{name}_fault").value = int(fault) if due == self.now else int(rng.integers(32))
        if self.queues_of != self.accepted:
            self.queues_of = self.accepted
            dut.lengths.value = pack(self.task.lengths, 16)
        dut.rows_busy.value, dut.gate_busy.value = int(self.busy(self.rows)), int(self.busy(self.gate))
        busy = self.layernorm.busy(self.now)
        dut.layernorm_busy.value = int(busy)
        dut.written_row.value = self.layernorm.written(self.now) % (1 << 16) if busy else noise(rng, 16)
        issued = bool(self.unissued) and self.unissued[0] <= self.now
        if issued:
            self.unissued.popleft()
        dut.pass_issued.value, dut.compute_idle.value = int(issued), int(self.now > self.written)
        if self.now not in self.fetching and not self.hold and rng.random() < FETCHES:
            self.fetching = range(self.now, self.later(10 * self.slow))
        dut.blocked.value, dut.moves_idle.value = int(self.now in self.blocked), int(not self.busy(self.moves))
        dut.moves_room.value = int(not CONFIG.streaming or rng.random() >= self.backpressure)
        dut.fetching.value, dut.patch_command_ready.value = (
            int(self.now in self.fetching),
            int(rng.random() >= self.idle),
        )
        self.offer()
        await ReadOnly()
        self.note()
        self.now += 1

    def offer(self) -> None:
        """The next instruction, or the end of the program."""
        dut, following = self.dut, self.accepted + 1
        there = following < len(self.tasks)
        valid = there and self.rng.random() >= self.idle
        task = self.tasks[following if valid else 0]
        dut.instruction_valid.value, dut.past_end.value = int(valid), int(not there)
        dut.instruction_in.value = pack(encode(task.instruction), 32) if valid else noise(self.rng, 512)
        dut.static_fault.value = int(task.static_fault) if valid else int(self.rng.integers(32))
        dut.index_in.value = following if valid else noise(self.rng, 32)

    def note(self) -> None:
        """What the sequencer does in this cycle."""
        dut = self.dut
        ends = bool(self.task.fault) or self.task.instruction.opcode == Opcode.HALT
        working = self.busy(self.moves) or self.layernorm.busy(self.now)
        waits = ends and working and not int(dut.executing.value)  # for moves and LAYERNORM, before it says so
        self.executing = self.executing and not int(dut.halted.value) and not waits
        reading = self.executing and self.task.instruction.opcode == Opcode.PATCH_EMBED
        self.hold = bool(int(dut.fetch_hold.value))
        assert int(dut.executing.value) == self.executing, f"executing is {not self.executing} in cycle {self.now}"
        faulty = bool(self.task.fault) and (int(dut.halted.value) or waits)  # then it may fall a cycle after the end
        assert self.hold == reading or (faulty and self.held), "fetch_hold is for PATCH_EMBED, all of it"
        self.held = reading
        high = [name for name, output in self.outputs.items() if int(output.value)]
        assert self.executing or not high, f"{high} while nothing is executed"
        moving, checking = self.task.instruction.opcode in (Opcode.LOAD, Opcode.STORE), high == ["check"]
        assert not high or checking or moving or self.now not in self.blocked, f"{high} although blocked"
        alone = not high or checking or high == ["commit"] or not self.layernorm.busy(self.now)
        assert alone or self.layernorm.lets(self.task.instruction), f"{high} beside LAYERNORM"
        for name in high:
            word = int(getattr(dut, name).value) if name in CARRIED else 0
            self.take_down(name, word)
            self.begin(name, word)
        if int(dut.start_gather.value):
            self.gathered[self.accepted].append(int(dut.gather_expert.value))
            self.rows.append(range(self.now + 1, self.later(2)))
        if "commit" in high:
            self.executing = False
        elif int(dut.instruction_valid.value) and int(dut.instruction_ready.value):
            self.accepted, self.executing, self.headers = self.accepted + 1, True, 0

    def take_down(self, name: str, word: int) -> None:
        """A step of this task; two passes over the same weights are one."""
        steps, layer = self.steps[self.accepted], self.task.instruction.opcode in LAYERS
        if layer and name == "fetch":
            stands_for = self.passes.fetch(word)
            if stands_for is not None:
                steps.append(meaning(name, stands_for))
        elif layer and name == "pass":
            written = self.layernorm.written(self.now) if self.layernorm.busy(self.now) else None
            word, second = self.passes.make(word, written)
            if second:
                steps[next(at for at, step in enumerate(steps) if step[0] == STEPS.index(name))] = meaning(name, word)
            else:
                steps.append(meaning(name, word))
        else:
            steps.append(meaning(name, word))

    def begin(self, name: str, word: int) -> None:
        """What was asked for, at the right time, takes its own."""
        dut, opcode = self.dut, self.task.instruction.opcode
        busy_from = self.now + 1 + int(self.rng.integers(BUSY_AFTER))
        busy = range(busy_from, busy_from + 1 + int(self.rng.integers(4 * self.slow)))
        if name == "check":
            self.check_due = self.later()
            if CONFIG.streaming and self.rng.random() < 0.5:
                self.blocked = range(self.now + 1, self.check_due + int(self.rng.integers(8 * self.slow)))
        elif name == "fetch":
            assert int(dut.fetch_room.value), "a fetch without room"
            assert self.header_due < self.now, "a fetch before the answer to a header"
            if word & 7 == Fetch.HEADER:
                self.headers, self.header_due = self.headers + 1, self.later(4)
        elif name == "pass":
            assert int(dut.pass_room.value), "a pass without room"
            assert opcode == Opcode.EXPERTS or not self.busy(self.rows), "a pass before the rows that it reads"
            self.unissued.append(max([self.now, *self.unissued]) + 3 + int(self.rng.integers(self.slow)))
            self.written = max(self.written, self.unissued[-1]) + int(self.rng.integers(self.slow))
        elif name == "move" and CONFIG.streaming:
            assert int(dut.moves_room.value), "a move without room"
            self.moves.append(range(self.now + 1, self.later(8 * self.slow)))
        elif name == "start_layernorm":
            self.layernorm.start(self.task.instruction, busy_from)
        elif name in ROW_UNITS:
            self.rows.append(busy)
        elif name == "start_gate":
            self.gate.append(busy)
        elif name == "commit":
            quiet = not self.busy(self.rows) and not self.busy(self.gate) and self.now > self.written
            assert quiet, "committed before all was written"
        if name == "start_patches":
            assert int(dut.patch_command_ready.value), "patches are asked for while nobody takes it"
            assert self.now not in self.fetching, "patches are asked for between the words of an instruction"


def moved(rng: np.random.Generator, i: Instruction) -> Task:
    """An instruction with other sizes, rows and segments."""
    rows, opcode = int(rng.integers(1, CONFIG.max_tokens)), i.opcode
    heads, experts_of = int(rng.integers(1, 4)), int(rng.integers(1, CONFIG.max_experts, endpoint=True))
    vectors = heads * int(rng.integers(1, 5))
    changes: dict[str, Any] = {"rows": rows, "in_features": vectors * VECTOR, "segment": int(rng.integers(1 << 31))}
    for name in ("source_row", "destination_row"):
        changes[name] = int(rng.integers(CONFIG.max_rows - rows))
    if opcode == Opcode.ATTENTION:
        changes["heads"] = heads
        if CONFIG.streaming and rng.random() < 0.7:
            keys = int(rng.integers(1, CONFIG.max_tokens))
            changes |= {"keys": keys, "key_row": int(rng.integers(CONFIG.max_tokens - keys))}
    if opcode in (Opcode.GATE, Opcode.EXPERTS):
        changes["experts"] = experts_of
    if opcode == Opcode.EXPERTS:
        changes["hidden_features"] = int(rng.integers(1, 6)) * VECTOR
    if opcode in (Opcode.PATCH_EMBED, Opcode.LINEAR):
        changes["out_features"] = int(rng.integers(1, 9)) * VECTOR * (3 if i.epilogue == Epilogue.QKV else 1)
    if opcode == Opcode.HEAD:
        changes["out_features"] = int(rng.integers(1, 100))
    for name in ("narrow_weights", "wide_source", "biased"):
        if name in used_fields(opcode, CONFIG.options):
            changes[name] = int(rng.integers(2))
    lengths = rng.integers(1, 9, CONFIG.max_experts) * (rng.random(CONFIG.max_experts) < 0.6)
    return Task(replace(i, **changes), tuple(lengths.tolist()))


def behind_layernorm(rng: np.random.Generator, tasks: list[Task]) -> list[Task]:
    """Most layers read rows of the LAYERNORM in front of them, if one is there."""
    found = tasks[:1]
    for task in tasks[1:]:
        i, before = task.instruction, found[-1].instruction
        if before.opcode == Opcode.LAYERNORM and rng.random() < 0.8:
            first = int(rng.integers(before.rows)) if rng.random() < 0.5 else 0
            rows = int(rng.integers(before.rows - first)) + 1 if rng.random() < 0.5 else before.rows - first
            task = replace(task, instruction=replace(i, source_row=before.destination_row + first, rows=rows))
        found.append(task)
    return found


async def run(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, tasks: list[Task]) -> None:
    """From reset to the end, which HALT, a fault or the last instruction makes."""
    environment = Environment(dut, rng, stalls, tasks)
    low = ("instruction_valid", "past_end", "check_done", "fetch_room", "header_done", "pass_room", "pass_issued",
           "rows_busy", "layernorm_busy", "gate_busy", "fetching", "patch_command_ready", "blocked")  # fmt: skip
    await reset(dut, compute_idle=1, moves_room=1, moves_idle=1, **dict.fromkeys(low, 0))
    for _ in range(LONGEST * len(tasks)):
        await environment.cycle()
        if int(dut.halted.value):
            break
    for _ in range(AFTER):
        await environment.cycle()
    last = environment.accepted
    halts = tasks[last].fault or tasks[last].instruction.opcode == Opcode.HALT
    fault = tasks[last].fault if halts else Fault.STREAM_END
    check.equal([int(dut.halted.value), int(dut.fault.value), int(dut.index.value)], [1, fault, len(tasks) - 1], "end")
    for task, steps, gathered in zip(tasks, environment.steps, environment.gathered, strict=True):
        opcode = task.instruction.opcode
        check.equal(np.array(in_order(opcode, steps), object), np.array(task.steps(), object), f"steps of {task}")
        if opcode == Opcode.EXPERTS and not task.fault:
            queues = [expert for expert, length in enumerate(task.queues.lengths) if length]
            check.equal(gathered, queues, f"experts gathered by {task}")
    counts = [int(dut.experts_run.value), int(dut.segments_dropped.value)]
    check.equal(
        counts, [sum(each) for each in zip(*(task.counts for task in tasks), strict=True)], "experts run, dropped"
    )


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"], halt=[True, False])
@checked
async def programs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, halt: bool) -> None:
    """Every instruction of the example, of other sizes and in any order; at the end HALT, or no instruction more."""
    *instructions, last = program()
    for _ in range(PROGRAMS):
        tasks = [moved(rng, instructions[index]) for index in rng.permutation(len(instructions))]
        if CONFIG.streaming:
            tasks += [moved(rng, MOVED[index]) for index in rng.integers(0, len(MOVED), 4)]
        readers = [moved(rng, i) for i in instructions if i.opcode in LAYERS and i.source != Buffer.HIDDEN]
        tasks += [task for reader in readers for task in (moved(rng, LAYERNORM), reader)]
        tasks = behind_layernorm(rng, tasks)
        await run(dut, check, rng, stalls, [*tasks, Task(last)] if halt else tasks)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def faults(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Whoever finds it, a fault ends the run there: nothing more is started, and no instruction more is taken."""
    for instruction in program()[:-1]:
        task = moved(rng, instruction)
        ends = [replace(task, static_fault=Fault.ILLEGAL_FIELD), replace(task, rule_fault=Fault.ILLEGAL_OPERAND)]
        headers = {Opcode.PATCH_EMBED: 2, Opcode.EXPERTS: task.instruction.experts}
        for header in range(headers.get(instruction.opcode, min(1, instruction.segments))):
            ends.append(replace(task, header=header, header_fault=Fault.SEGMENT_MISMATCH))
        for end in ends:
            await run(dut, check, rng, stalls, [moved(rng, program()[COPY]), end])
