"""gelu: the table's every entry, its end, both signs, on several hidden grids, against golden."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe_golden.ops.gelu import gelu_requantise
from sim.common.bench import Checker, Dut, checked, extremes, hardware, idle_rate, reset, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", icarus=True), Run("micro_w16a16")]
LATENCY = 12
NUMBERS = hardware().numbers
GRIDS = [(1, 0, 0), (40000, 24, -100), (65535, 60, 5), (32768, 17, 127), (65535, 0, -32768)]  # multiplier, shift, zero
STEPS_PER_UNIT = 64


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def grids(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Values at and beside every entry of the table, and any others."""
    bits = NUMBERS.gelu_bits
    step = (1 << NUMBERS.gelu_fraction) // STEPS_PER_UNIT
    places = np.arange(-NUMBERS.gelu_entries - 2, NUMBERS.gelu_entries + 3) * step
    await reset(dut, valid_in=0)
    for multiplier, shift, zero in GRIDS:
        near = places + rng.integers(-step, step, places.size)
        values = np.concatenate([near, places, extremes(rng, bits, 200)])
        dut.multiplier.value, dut.shift.value = multiplier, shift
        dut.zero.value = zero
        got = await through(
            dut, [{"value": value} for value in values.tolist()], ["result"], LATENCY, rng, idle_rate(stalls)
        )
        expected = gelu_requantise(values, multiplier, shift, zero, NUMBERS)
        what = f"multiplier {multiplier}, shift {shift}, zero {zero}"
        check.equal([signed(word, NUMBERS.activation_bits) for (word,) in got], expected, what)
