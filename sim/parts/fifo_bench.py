"""fifo: front, flags and count in every cycle, against a Python queue; filled, emptied, and both at once."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from sim.common.bench import Checker, Dut, checked, drive, parameter, reset
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [Run("micro", {"BITS": 13, "DEPTH": 5}), Run("micro", {"BITS": 70, "DEPTH": 16})]
BITS, DEPTH = parameter("BITS"), parameter("DEPTH")
CYCLES = 400


@cocotb.test()
@cocotb.parametrize(fill=[0.2, 0.5, 0.9], drain=[0.2, 0.5, 0.9])
@checked
async def traffic(dut: Dut, check: Checker, rng: np.random.Generator, fill: float, drain: float) -> None:
    """Pushes and pops as often as drawn, two runs with a reset while entries wait."""
    for _ in range(2):
        await reset(dut, push=0, pop=0)
        queue: deque[int] = deque()
        for _ in range(CYCLES):
            await drive(dut)
            push = len(queue) < DEPTH and rng.random() < fill
            pop = bool(queue) and rng.random() < drain
            value = noise(rng, BITS)
            dut.push.value, dut.pop.value, dut.value.value = int(push), int(pop), value
            await ReadOnly()
            flags = [int(dut.empty.value), int(dut.full.value), int(dut.count.value)]
            check.equal(flags, [int(not queue), int(len(queue) == DEPTH), len(queue)], "empty, full, count")
            if queue:
                check.equal(int(dut.front.value), queue[0], "front")
            if pop:
                queue.popleft()
            if push:
                queue.append(value)
        await drive(dut)
        dut.push.value = dut.pop.value = 0
