"""word_fifo: front, flag and count in every cycle, against a Python queue and its output register."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from sim.common.bench import Checker, Dut, checked, drive, parameter, reset
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [Run("micro", {"BITS": 13, "DEPTH": 8}, icarus=True)]
BITS, DEPTH = parameter("BITS"), parameter("DEPTH")
CYCLES = 400


@cocotb.test()
@cocotb.parametrize(fill=[0.2, 0.5, 0.9], drain=[0.2, 0.5, 0.9])
@checked
async def traffic(dut: Dut, check: Checker, rng: np.random.Generator, fill: float, drain: float) -> None:
    """Pushes and pops as often as drawn, two runs with a reset while entries wait."""
    for _ in range(2):
        await reset(dut, push=0, pop=0)
        memory: deque[int] = deque()
        front: list[int] = []  # the output register: one entry or none
        for _ in range(CYCLES):
            await drive(dut)
            held = len(memory) + len(front)
            push = held < DEPTH and rng.random() < fill
            pop = bool(front) and rng.random() < drain
            value = noise(rng, BITS)
            dut.push.value, dut.pop.value, dut.value.value = int(push), int(pop), value
            await ReadOnly()
            check.equal([int(dut.empty.value), int(dut.count.value)], [int(not front), held], "empty, count")
            if front:
                check.equal(int(dut.front.value), front[0], "front")
            if pop:
                front.clear()
            if memory and not front:
                front.append(memory.popleft())
            if push:
                memory.append(value)
        await drive(dut)
        dut.push.value = dut.pop.value = 0
