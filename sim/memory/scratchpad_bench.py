"""scratchpad: every bank written and read on its own, whole vectors and parts, reads two cycles later."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.machine import READ_LATENCY
from sim.common.bench import Checker, Dut, checked, drive, pack, parameter
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [
    Run("micro", {"BANKS": 4, "BITS": 128, "PARTS": 2, "DEPTH": 37}),
    Run("micro", {"BANKS": 8, "BITS": 256, "PARTS": 1, "DEPTH": 16, "ULTRA": 1}),
]
BANKS, BITS, PARTS, DEPTH = (parameter(name) for name in ("BANKS", "BITS", "PARTS", "DEPTH"))
PART_BITS = BITS // PARTS
CYCLES = 1500


@cocotb.test()
@cocotb.parametrize(write_rate=[0.3, 1.0])
@checked
async def traffic(dut: Dut, check: Checker, rng: np.random.Generator, write_rate: float) -> None:
    """A read in every cycle, of anything but what is just being written."""
    memory: dict[tuple[int, int, int], int] = {}  # bank, depth, part
    waiting: deque[list[tuple[int, int, int]]] = deque()  # bank, part, value
    dut.write_enable.value = 0
    for _ in range(CYCLES):
        await drive(dut)
        enable = [int(rng.random() < write_rate) for _ in range(BANKS)]
        parts = int(rng.integers(1, 1 << PARTS))
        depths = rng.integers(0, DEPTH, (2, BANKS)).tolist()
        depths[1] = [read if read != write else (read + 1) % DEPTH for write, read in zip(*depths, strict=True)]
        values = [noise(rng, PART_BITS) for _ in range(BANKS * PARTS)]
        dut.write_enable.value, dut.write_parts.value = pack(enable, 1), parts
        dut.write_depth.value, dut.read_depth.value = pack(depths[0], 16), pack(depths[1], 16)
        dut.write_values.value = pack(values, PART_BITS)
        places = [(bank, part) for bank in range(BANKS) for part in range(PARTS)]
        known = [(bank, part, memory.get((bank, depths[1][bank], part))) for bank, part in places]
        waiting.append([(bank, part, value) for bank, part, value in known if value is not None])
        for (bank, part), value in zip(places, values, strict=True):
            if enable[bank] and parts >> part & 1:
                memory[bank, depths[0][bank], part] = value
        await ReadOnly()
        if len(waiting) > READ_LATENCY:
            due = waiting.popleft()
            word = int(dut.read_values.value)
            found = [word >> (bank * PARTS + part) * PART_BITS & (1 << PART_BITS) - 1 for bank, part, _ in due]
            check.equal(np.array(found, dtype=object), np.array([value for *_, value in due], dtype=object), "reads")
    assert len(memory) == BANKS * DEPTH * PARTS, "some places were never written"
