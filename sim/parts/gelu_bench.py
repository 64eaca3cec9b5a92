"""gelu: every entry of its tables, their ends, both signs, on several hidden grids, against golden."""

from __future__ import annotations

from itertools import product

import cocotb
import numpy as np

from edgemoe.spec.isa import Activation
from edgemoe_golden.ops.gelu import gelu_requantise
from sim.common.bench import Checker, Dut, checked, extremes, hardware, idle_rate, reset, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", icarus=True), Run("micro_w16a16"), Run("activations"), Run("activations_fine")]
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
    functions = list(Activation) if hardware().activations else [Activation.GELU]
    end = NUMBERS.activation_entries if hardware().activations else NUMBERS.gelu_entries
    places = np.arange(-end - 2, end + 3) * step
    await reset(dut, valid_in=0)
    for (multiplier, shift, zero), activation in product(GRIDS, functions):
        near = places + rng.integers(-step, step, places.size)
        values = np.concatenate([near, places, extremes(rng, bits, 200)])
        dut.multiplier.value, dut.shift.value = multiplier, shift
        dut.zero.value, dut.activation.value = zero, activation
        got = await through(
            dut, [{"value": value} for value in values.tolist()], ["result"], LATENCY, rng, idle_rate(stalls)
        )
        expected = gelu_requantise(values, multiplier, shift, zero, NUMBERS, activation=activation)
        what = f"{activation.name}, multiplier {multiplier}, shift {shift}, zero {zero}"
        check.equal([signed(word, NUMBERS.activation_bits) for (word,) in got], expected, what)
