"""run_control: runs that end in every way there is, one after the other, and what each leaves in the registers."""

from __future__ import annotations

from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.faults import Fault
from sim.common.bench import Checker, Dut, checked, drive, reset
from sim.common.runs import Run

RUNS = [Run()]
WATCHDOG = 40
NEVER = 1 << 30
LIMIT = 600
OVERHEAD = 4  # cycles from the watchdog's limit to done


@dataclass(frozen=True)
class Ending:
    """How a run ends. header, fault: what header and sequencer say. error, at: a bus error in a phase.
    stuck: the phase that never ends, so that the watchdog ends the run."""

    header: Fault = Fault.NONE
    fault: Fault = Fault.NONE
    error: Fault = Fault.NONE
    at: str = ""
    stuck: str = ""
    watchdog: int = WATCHDOG

    @property
    def code(self) -> Fault:
        """What stands in ERROR_CODE afterwards: the first thing that went wrong."""
        if self.stuck == "clear":
            return Fault.WATCHDOG
        if self.at == "header":
            return self.error
        if self.stuck == "header":
            return Fault.WATCHDOG
        if self.header:
            return self.header
        if self.at == "run":
            return self.error
        if self.stuck == "run":
            return Fault.WATCHDOG
        if self.fault:
            return self.fault
        if self.stuck == "writes":
            return Fault.WATCHDOG
        if self.at == "writes":
            return self.error
        return Fault.WATCHDOG if self.stuck == "end" else Fault.NONE

    @property
    def executes(self) -> bool:
        """Whether instructions run."""
        return not (self.header or self.at == "header" or self.stuck in ("clear", "header"))


ENDINGS = [
    Ending(),
    Ending(watchdog=0),
    Ending(header=Fault.CONFIG_MISMATCH),
    Ending(fault=Fault.ILLEGAL_FIELD),
    Ending(error=Fault.BUS_READ, at="header"),
    Ending(error=Fault.BUS_READ, at="run"),
    Ending(error=Fault.BUS_WRITE, at="run"),
    Ending(error=Fault.BUS_WRITE, at="writes"),
    Ending(fault=Fault.STREAM_END, error=Fault.BUS_WRITE, at="writes"),
    Ending(stuck="clear"),
    Ending(stuck="header"),
    Ending(stuck="run"),
    Ending(stuck="writes"),
    Ending(stuck="end"),
    Ending(fault=Fault.SEGMENT_MISMATCH, stuck="writes"),
    Ending(header=Fault.BAD_PROGRAM_HEADER, stuck="end"),
]


async def one(dut: Dut, check: Checker, rng: np.random.Generator, run: Ending) -> None:
    """From start to done, with delays as drawn; inputs that have no meaning yet are noise where that is harmless."""
    delays = dict(zip(("clear", "header", "run", "writes", "end"), rng.integers(0, 25, 5).tolist(), strict=True))
    ready = {"flushed": int(rng.integers(25)), "written": int(rng.integers(25))}  # of what an earlier run left
    if run.stuck == "clear":
        ready[str(rng.choice(list(ready)))] = NEVER
    # What `written` says counts a cycle later.
    delays["clear"] = max(ready["flushed"], ready["written"] + 1)
    delays["writes"] += 1
    delays |= {run.stuck: NEVER} if run.stuck else {}
    await drive(dut)
    dut.watchdog_cycles.value, dut.start.value = run.watchdog, 1
    await ReadOnly()
    rest = [int(dut.idle.value), int(dut.flush.value), int(dut.running.value)]
    check.equal(rest, [1, 1, 0], "idle, flush, running before a run")
    await drive(dut)
    dut.start.value = 0
    phase, since, still, counter = "clear", 0, 0, 0
    seen = {"begin_run": 0, "begin_stream": 0}
    for _ in range(LIMIT):
        due = since >= delays[phase]
        error = due and run.at == phase
        index = int(rng.integers(1 << 32))
        progress = phase != run.stuck and rng.random() < 0.5
        inputs = {
            "flushed": since >= ready["flushed"] if phase == "clear" else due and phase == "end",
            "written": since >= ready["written"]
            if phase == "clear"
            else phase == "writes" and since + 1 >= delays[phase],
            "header_valid": due and phase == "header" and not error,
            "header_fault": run.header,
            "halted": due and phase in ("run", "writes") and not (error and phase == "run"),
            "fault": run.fault,
            "read_error": error and run.error == Fault.BUS_READ,
            "write_error": error and run.error == Fault.BUS_WRITE,
            "index": index,
            "progress": progress,
        }
        for name, value in inputs.items():
            getattr(dut, name).value = int(value)
        await ReadOnly()
        if int(dut.done.value):
            break
        assert [int(dut.running.value), int(dut.idle.value)] == [1, 0], f"{run}: idle in phase {phase}"
        still = 0 if progress else still + 1
        for name in seen:
            seen[name] += int(getattr(dut, name).value)
        if phase in ("header", "run"):
            assert not int(dut.flush.value), f"{run}: memory units are flushed in phase {phase}"
        if phase == "clear":
            assert int(dut.flush.value), f"{run}: nothing is flushed"
            assert not int(dut.engine_rst_n.value), f"{run}: the engine is not reset"
        if phase == "run":
            assert int(dut.engine_rst_n.value), f"{run}: the engine is in reset while it runs"
            counter = index
        since += 1
        if due and phase == "clear":
            phase, since = "header", -2  # the engine leaves its reset
        elif due and phase == "header":
            phase, since = ("run" if run.executes else "end"), 0
        elif due and phase == "run":
            phase, since = "writes", 0
        elif due and phase == "writes":
            phase, since = "end", 0
        await drive(dut)
    else:
        raise AssertionError(f"{run}: no end in phase {phase}")
    if run.stuck:
        assert phase == run.stuck, f"{run} ends in phase {phase}"
        assert run.watchdog <= still <= run.watchdog + OVERHEAD, f"{run}: ended after {still} cycles without progress"
    registers = [int(dut.error_code.value), int(dut.program_counter.value)]
    check.equal(registers, [int(run.code), counter if run.executes else 0], f"error code, program counter of {run}")
    expected = [int(run.stuck != "clear"), int(run.executes)]
    check.equal([seen["begin_run"], seen["begin_stream"]], expected, f"beginnings of {run}")
    for _ in range(3):
        await drive(dut)
        await ReadOnly()
        assert not int(dut.done.value), f"{run}: done twice"
        check.equal([int(dut.error_code.value), int(dut.idle.value)], [int(run.code), 1], f"rest after {run}")


@cocotb.test()
@checked
async def runs(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """All kinds of runs three times in any order, without a reset between them."""
    await reset(dut, start=0, watchdog_cycles=0, progress=0, read_error=0, write_error=0, flushed=0, written=0,
                header_valid=0, halted=0)  # fmt: skip
    for _ in range(3):
        for index in rng.permutation(len(ENDINGS)).tolist():
            await one(dut, check, rng, ENDINGS[index])
