"""state_rules: rules 7 … 9 along random runs, against the golden machine itself with its arithmetic left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden import machine as golden_machine
from edgemoe.devices.golden.machine import GoldenMachine, QueuedRows
from edgemoe.devices.golden.program import DecodedProgram, MachineFaultError
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import STREAM_LINE, STREAMING_OPCODES, Buffer, Instruction, Opcode, encode
from edgemoe.spec.legality import reads, static_fault, writes
from edgemoe.spec.program_header import ProgramHeader
from edgemoe_golden.ops.experts import expert_queue
from sim.common.bench import CLOCK_NS, Checker, Dut, checked, drive, hardware, pack, reset
from sim.common.runs import Run
from sim.examples.machine import program

RUNS = [Run("small"), Run("small_streaming")]
PROGRAMS = 80
IN_ORDER = 0.6  # how often the example program goes on
MOST_STEPS = 30
TRIES, BLIND = 30, 0.05
MOST_CYCLES = 16
REGION = 1 << 40
_OFTEN = {Opcode.GATE: 5, Opcode.LAYERNORM: 2}
LOADING = Instruction(Opcode.LOAD, rows=4, in_features=32, destination=Buffer.KEY)
CANDIDATES = [i for i in program()[:-1] for _ in range(_OFTEN.get(i.opcode, 1))]


class Machine(GoldenMachine):
    """The golden machine's state and rules; instructions write zeros, GATE chooses at random."""

    def __init__(self, sizes: HardwareConfig, rng: np.random.Generator) -> None:
        empty = np.zeros(0, dtype=np.uint8)
        words = np.zeros((0, 16), dtype=np.uint32)
        header = ProgramHeader(sizes.hash(), 1, REGION, REGION, REGION)
        super().__init__(DecodedProgram(Fault.NONE, header, words, empty, sizes), sizes, FlatMemory(), 0, 0)
        self._rng = rng

    def execute(self, instruction: Instruction) -> None:
        """Golden's rules, then no arithmetic."""
        operations = dict.fromkeys(golden_machine._OPERATIONS, Machine._write_zeros)
        operations |= {Opcode.GATE: Machine._gate, Opcode.EXPERTS: Machine._experts}
        with patch.dict(golden_machine._OPERATIONS, operations):
            super().execute(instruction)

    def _write_zeros(self, i: Instruction) -> None:
        for each in writes(i):
            zeros = np.zeros((each.rows, each.features), dtype=np.int64)
            self.scratchpads.write(each.buffer, each.first, zeros, each.wide)

    def _gate(self, i: Instruction) -> None:
        if i.destination_row < self._queued.destination_end:
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        favourites = self._rng.integers(1, i.experts, endpoint=True)  # long queues, and empty ones
        ranks = np.argsort(self._rng.random((i.rows, i.experts)) + (np.arange(i.experts) >= favourites), axis=1)
        chosen = ranks[:, : i.top_k]
        for expert in range(i.experts):
            queue = expert_queue(expert, chosen, np.zeros_like(chosen), i.source_row, i.destination_row)
            self.queues[expert].append(queue)
        source_end = max(self._queued.source_end, i.source_row + i.rows)
        self._queued = QueuedRows(source_end, i.destination_row + i.rows)
        self._write_zeros(i)

    def _experts(self, i: Instruction) -> None:
        self._require_queued(i, self.lengths())
        self.queues, self._queued = [[] for _ in self.queues], QueuedRows(1, 0)
        self.scratchpads.invalidate(Buffer.HIDDEN)

    def lengths(self) -> list[int]:
        """Entries of each queue."""
        return [sum(len(part.scores) for part in parts) for parts in self.queues]

    def summary(self) -> dict[str, int]:
        """What experts.v tells state_rules."""
        lengths = self.lengths()
        used = [expert + 1 for expert, length in enumerate(lengths) if length]
        return {
            "longest": max(lengths),
            "queues_end": max(used, default=0),
            "source_end": self._queued.source_end,
            "destination_end": self._queued.destination_end,
        }

    def allows(self, i: Instruction) -> bool:
        """Whether rules 8 and 9 let it pass, or find a queue too long, which is rare; the state stays as it is."""
        try:
            self.scratchpads.check(reads(i), writes(i))
            if i.opcode == Opcode.EXPERTS:
                self._require_queued(i, self.lengths())
        except MachineFaultError as error:
            return error.fault == Fault.BUFFER_RANGE
        return i.opcode != Opcode.GATE or i.destination_row >= self._queued.destination_end

    @property
    def next_segment(self) -> int:
        """What rule 7 asks for."""
        return self.plan.next_segment


def next_instruction(rng: np.random.Generator, machine: Machine) -> Instruction:
    """One that the state allows, where one is found soon; now and then any."""
    instruction = random_instruction(rng, machine)
    for _ in range(TRIES if rng.random() >= BLIND else 0):
        if machine.allows(instruction):
            break
        instruction = random_instruction(rng, machine)
    return instruction


def other_experts(rng: np.random.Generator, i: Instruction) -> dict[str, Any]:
    """Fewer experts, or wider ones, of some EXPERTS."""
    kind = rng.random()
    if i.opcode != Opcode.EXPERTS or kind < 0.5:
        return {}
    return {"experts": 3, "segments": 3} if kind < 0.65 else {"hidden_features": int(rng.choice([48, 144, 272]))}


def random_instruction(rng: np.random.Generator, machine: Machine) -> Instruction:
    """A legal instruction of the example program, moved and resized, often one that the state might allow."""
    while True:
        sizes = machine.hardware
        there = [*CANDIDATES, LOADING] if sizes.streaming else CANDIDATES
        i = there[int(rng.integers(len(there)))]
        changes: dict[str, Any] = {"address": 0}
        if i.opcode != Opcode.EXPERTS:
            rows = int(rng.integers(1, sizes.max_rows // 2 + 1)) if rng.random() < 0.4 else i.rows
            changes |= {"rows": rows, "source_row": int(rng.choice([0, 0, 0, 1, 4, rows]))}
            if i.opcode not in (Opcode.ATTENTION, Opcode.HEAD, Opcode.STORE):
                changes["destination_row"] = int(
                    rng.choice([0, 0, 4, 8, 8, rows, machine.summary()["destination_end"]])
                )
            if i.opcode == Opcode.HEAD or i.opcode == Opcode.PATCH_EMBED:
                changes.pop("source_row")
        changes |= other_experts(rng, i)
        if i.opcode == Opcode.ATTENTION and sizes.streaming and rng.random() < 0.5:
            changes |= {"keys": int(rng.integers(1, 9)), "key_row": int(rng.integers(3))}
        if i.opcode == Opcode.LOAD:
            changes["destination"] = int(rng.integers(1, 7))
        if i.opcode == Opcode.STORE:
            changes["source"] = int(rng.integers(1, 9))
            changes["in_features"] = 2 if changes["source"] == Buffer.ROUTING else 32
        if rng.random() < 0.06:
            changes["in_features"] = 16
        if i.segments:
            changes["segment"] = machine.next_segment + int(rng.random() < 0.04)
        i = replace(i, **changes)
        if static_fault(encode(i), sizes, REGION, REGION) == Fault.NONE:
            return i


def parts_first(rng: np.random.Generator) -> list[Instruction]:
    """REPEATs of two segments each, and rows that come back from memory."""
    firsts = range(0, 2 * int(rng.integers(3)), 2)
    times = rng.integers(1, 4, len(firsts)).tolist()
    parts = [
        Instruction(Opcode.REPEAT, rows=rows, segment=first, segments=2, address=(first + 1) * STREAM_LINE)
        for first, rows in zip(firsts, times, strict=True)
    ]
    loaded = Instruction(Opcode.LOAD, rows=4, in_features=32, destination=Buffer.NORM)
    return [*parts, loaded] if rng.random() < 0.5 else parts


async def begin(dut: Dut) -> None:
    """One cycle of begin_run."""
    await drive(dut)
    dut.begin_run.value = 1
    await drive(dut)
    dut.begin_run.value = 0


async def begin_check(dut: Dut, instruction: Instruction, summary: dict[str, int]) -> None:
    """One cycle of check."""
    dut.instruction.value = pack(encode(instruction), 32)
    for name, value in summary.items():
        getattr(dut, name).value = value
    dut.check.value = 1
    await drive(dut)
    dut.check.value = 0


async def fault_of(dut: Dut, instruction: Instruction, summary: dict[str, int]) -> int:
    """What a check says, within its time."""
    began = get_sim_time("ns")
    await begin_check(dut, instruction, summary)
    await RisingEdge(dut.done)
    await drive(dut)
    assert get_sim_time("ns") - began <= MOST_CYCLES * CLOCK_NS
    return int(dut.fault.value)


@cocotb.test()
@checked
async def random_runs(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Runs until their first fault, one after the other; every opcode passes, and queues become too long."""
    await reset(dut, begin_run=0, check=0, commit=0, stream_lines=REGION)
    seen: dict[tuple[Opcode, Fault], int] = {}
    for run in range(PROGRAMS):
        machine = Machine(hardware(), rng)
        script = [*parts_first(rng), *program()[:-1]] if hardware().streaming else program()[:-1]
        await begin(dut)
        for step in range(MOST_STEPS):
            if rng.random() < IN_ORDER and script:
                instruction = script.pop(0)
                if instruction.opcode != Opcode.REPEAT:
                    instruction = replace(instruction, segment=machine.next_segment)
                instruction = replace(instruction, **other_experts(rng, instruction))
            else:
                instruction = next_instruction(rng, machine)
            summary = machine.summary()
            expected = Fault.NONE
            try:
                machine.execute(instruction)
            except MachineFaultError as error:
                expected = error.fault
            got = await fault_of(dut, instruction, summary)
            check.equal(got, expected, f"run {run}, step {step}: {instruction}")
            seen[instruction.opcode, expected] = seen.get((instruction.opcode, expected), 0) + 1
            if expected != Fault.NONE:
                break
            for _ in range(int(rng.integers(40))):  # an instruction takes its time, and the state waits for its end
                await drive(dut)
            dut.commit.value = 1
            await drive(dut)
            dut.commit.value = 0
    passed = {opcode for opcode, fault in seen if fault == Fault.NONE}
    there = set(Opcode) - {Opcode.HALT, *(() if hardware().streaming else STREAMING_OPCODES)}
    assert passed == there, f"never legal: {there - passed}"
    assert (Opcode.EXPERTS, Fault.BUFFER_RANGE) in seen, "no queue was too long"
    cocotb.log.info("%s", {f"{opcode.name} {fault.name}": count for (opcode, fault), count in sorted(seen.items())})


@cocotb.test()
@checked
async def a_new_run_knows_nothing_of_a_check_that_was_going_on(
    dut: Dut, check: Checker, rng: np.random.Generator
) -> None:
    """Whatever cycle of a check a run is begun in, or a reset comes: no `done` and no access follow from it."""
    await reset(dut, begin_run=0, check=0, commit=0, stream_lines=REGION)
    instruction = replace(program()[0], segment=0)
    quiet = Machine(hardware(), rng).summary()
    for signal, at, before in ((dut.begin_run, 1, 0), (dut.rst_n, 0, 1)):
        for cycles in range(MOST_CYCLES):
            await begin(dut)
            await begin_check(dut, instruction, quiet)
            for _ in range(cycles):
                await drive(dut)
            signal.value = at
            await drive(dut)
            signal.value = before
            for after in range(2 * MOST_CYCLES):
                await drive(dut)
                check.equal([int(dut.done.value), int(dut.access.value)], [0, 0], f"{cycles} cycles, {after} after it")
