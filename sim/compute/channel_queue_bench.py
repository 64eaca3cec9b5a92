"""channel_queue: records of output tiles as docs/memory.md lays them out, in order, up to a full queue."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.machine import CHANNEL_QUEUE
from edgemoe.spec.memory import channel_dtype
from edgemoe.spec.precision import MAX_SHIFT, MULTIPLIER_BITS
from sim.common.bench import Checker, Dut, checked, drive, extremes, reset, unpack
from sim.common.machine import NUMBERS, OUT_PAR, IntArray
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [Run("micro"), Run("micro_w16a16")]
SHIFT_BITS = 6
CYCLES = 300


@cocotb.test()
@cocotb.parametrize(drain=[0.2, 0.9])
@checked
async def records(dut: Dut, check: Checker, rng: np.random.Generator, drain: float) -> None:
    """Pushes and pops as drawn."""
    await reset(dut, push=0, pop=0)
    queue: deque[IntArray] = deque()
    for _ in range(CYCLES):
        await drive(dut)
        push, pop = len(queue) < CHANNEL_QUEUE and rng.random() < 0.5, bool(queue) and rng.random() < drain
        tile = np.zeros(OUT_PAR, dtype=channel_dtype(NUMBERS))
        tile["bias"] = extremes(rng, NUMBERS.accumulator_bits, OUT_PAR)
        tile["multiplier"] = rng.integers(0, 1 << MULTIPLIER_BITS, OUT_PAR)
        tile["shift"] = rng.integers(0, MAX_SHIFT, OUT_PAR, endpoint=True)
        word = int.from_bytes(tile.tobytes(), "little")
        dut.push.value, dut.pop.value = int(push), int(pop)
        dut.lines.value = word if push else noise(rng, len(dut.lines))
        await ReadOnly()
        if queue:
            biases = unpack(int(dut.biases.value), OUT_PAR, NUMBERS.accumulator_bits)
            multipliers = unpack(int(dut.multipliers.value), OUT_PAR, MULTIPLIER_BITS, signed=False)
            shifts = unpack(int(dut.shifts.value), OUT_PAR, SHIFT_BITS, signed=False)
            check.equal(np.stack([biases, multipliers, shifts]), queue[0], "biases, multipliers, shifts")
        if pop:
            queue.popleft()
        if push:
            queue.append(np.stack([tile[name].astype(np.int64) for name in ("bias", "multiplier", "shift")]))
