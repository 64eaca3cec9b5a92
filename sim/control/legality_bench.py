"""legality: the first of rules 1 … 6 that an instruction breaks, against the examples of its tests on the host."""

from __future__ import annotations

from collections.abc import Iterable

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from edgemoe.spec.faults import Fault
from sim.common.bench import CLOCK_NS, Checker, Dut, checked, drive, hardware, pack, reset
from sim.common.runs import Run
from sim.examples.legality import Case, by_rule
from sim.examples.legality_limits import just_fitting, mutants

RUNS = [
    Run("small"),
    Run("micro_w16a16", tests="mutants|just_fit", slow=True),
    Run("zcu102", tests="mutants|just_fit"),
    Run("small_streaming", tests="mutants"),
    Run("zcu102_stream", tests="mutants|just_fit", slow=True),
]
MOST_CYCLES = 24
PARTS = 2
MUTANTS = 1500
MOST_PER_RULE = 700  # of rules with thousands of examples, every bit or every opcode: a sample
ALL_KINDS = {
    Fault.NONE, Fault.ILLEGAL_OPCODE, Fault.ILLEGAL_FIELD, Fault.ILLEGAL_OPERAND, Fault.BUFFER_RANGE,
    Fault.TOO_MANY_EXPERTS, Fault.ADDRESS_RANGE,
}  # fmt: skip


async def compare(dut: Dut, check: Checker, cases: Iterable[Case], kinds: set[Fault] = ALL_KINDS) -> None:
    """Check instructions one after the other, without reset between them; all `kinds` of faults must be among them."""
    await reset(dut, start=0)
    seen: set[Fault] = set()
    for case in cases:
        await drive(dut)
        dut.instruction.value = pack(case.words, 32)
        dut.input_bytes.value, dut.output_bytes.value = case.input_bytes, case.output_bytes
        dut.start.value = 1
        began = get_sim_time("ns")
        await FallingEdge(dut.clk)
        dut.start.value = 0
        await RisingEdge(dut.done)
        await FallingEdge(dut.clk)
        seen.add(case.fault)
        check.equal(int(dut.fault.value), case.fault, case.name)
        assert get_sim_time("ns") - began <= MOST_CYCLES * CLOCK_NS
    assert seen >= kinds, f"no example for {kinds - seen}"


@cocotb.test()
@checked
async def examples_of_the_specification(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Rule by rule: all examples of most rules, a sample of those with thousands."""
    rules = by_rule()
    assert all(case.hardware == hardware() for cases in rules for case in cases)
    sampled = [[cases[index] for index in rng.permutation(len(cases))[:MOST_PER_RULE]] for cases in rules]
    await compare(dut, check, (case for cases in sampled for case in cases))


@cocotb.test()
@cocotb.parametrize(part=range(PARTS))
@checked
async def mutants_of_legal_instructions(dut: Dut, check: Checker, rng: np.random.Generator, part: int) -> None:
    """Fields near their limits, in any combination, and regions of any size."""
    await compare(dut, check, mutants(rng, hardware(), MUTANTS))


@cocotb.test()
@checked
async def accesses_that_just_fit(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """One row or one vector more or less around the room of every buffer, one byte around a region's end."""
    kinds = {Fault.NONE, Fault.BUFFER_RANGE, Fault.ADDRESS_RANGE}
    await compare(dut, check, just_fitting(hardware()), kinds)
