"""counters: every cycle under the heading that docs/registers.md gives it, every beat as the bytes it moves."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.isa import MEMORY_WORD
from edgemoe.spec.registers import COUNTERS
from sim.common.bench import Checker, Dut, checked, drive, hardware, reset, unpack
from sim.common.runs import Run

RUNS = [Run("micro"), Run("zcu102")]
PORTS = hardware().ports
NAMES = COUNTERS[:10]
FLAGS = ["running", "executing", "of_layernorm", "of_attention", "of_array", "step_issued", "waits_for_weights",
         "waits_for_room", "drains", "array_idle", "stepped", "read_beat", "write_beat"]  # fmt: skip
CYCLES = 1500


def heading(flags: dict[str, bool]) -> str | None:
    """What a cycle of an array instruction is counted as: the first that holds."""
    if flags["step_issued"]:
        return "mac_busy_cycles"
    if not (flags["executing"] and flags["of_array"]):
        return None
    if flags["waits_for_weights"]:
        return "weight_wait_cycles"
    if flags["waits_for_room"]:
        return "post_wait_cycles"
    if flags["stepped"] and flags["of_attention"] and not flags["drains"] and not flags["array_idle"]:
        return "softmax_cycles"
    return "drain_cycles" if flags["stepped"] and flags["array_idle"] else "fill_cycles"


@cocotb.test()
@cocotb.parametrize(rate=[0.3, 0.7])
@checked
async def headings(dut: Dut, check: Checker, rng: np.random.Generator, rate: float) -> None:
    """Any flags in any cycle; a reset sets all to 0."""
    for _ in range(2):
        await reset(dut, weight_beats=0, **dict.fromkeys(FLAGS, 0))
        counts = dict.fromkeys(NAMES, 0)
        late: list[str] = []  # what the cycle before is counted as: cycles are counted one later, beats at once
        for cycle in range(CYCLES):
            await drive(dut)
            flags = {name: bool(rng.random() < rate) for name in FLAGS}
            beats = int(rng.integers(1 << PORTS))
            for name, value in flags.items():
                getattr(dut, name).value = int(value)
            dut.weight_beats.value = beats
            if cycle % 50 == 0:
                await ReadOnly()
                found = unpack(int(dut.values.value), len(NAMES), 64, signed=False)
                check.equal(found, np.array(list(counts.values()), dtype=object), f"{NAMES} after {cycle} cycles")
            for name in late:
                counts[name] += 1
            counted = heading(flags)
            late = ["cycles"] * flags["running"] + ([counted] if counted else [])
            late += ["layernorm_cycles"] * (flags["executing"] and flags["of_layernorm"])
            counts["bytes_read"] += (beats.bit_count() + flags["read_beat"]) * MEMORY_WORD
            counts["bytes_written"] += flags["write_beat"] * MEMORY_WORD
