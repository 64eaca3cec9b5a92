"""requantise: multiplier, shift and saturation against golden, with a new multiplier and shift every cycle."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe_golden.ops.requantise import requantise
from sim.common.bench import Checker, Dut, checked, extremes, idle_rate, parameter, reset, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [
    Run("micro", {"VALUE_BITS": 46, "MULTIPLIER_WIDTH": 16, "RESULT_BITS": 20}, icarus=True),
    Run("micro", {"VALUE_BITS": 27, "MULTIPLIER_WIDTH": 25, "RESULT_BITS": 18}),
]
LATENCY = 7
COUNT = 1500
MULTIPLIER = "MULTIPLIER_WIDTH"


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def values(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Accumulators of every size."""
    bits, factor_bits, result_bits = parameter("VALUE_BITS"), parameter(MULTIPLIER), parameter("RESULT_BITS")
    accumulators = extremes(rng, bits, COUNT) >> rng.integers(0, bits, COUNT)
    factors = np.where(rng.random(COUNT) < 0.1, (1 << factor_bits) - 1, rng.integers(0, 1 << factor_bits, COUNT))
    shifts = rng.integers(0, 61, COUNT)
    expected = requantise(accumulators, factors, shifts, result_bits)
    await reset(dut, valid_in=0)
    beats = [
        {"value": value, "multiplier": factor, "shift": shift}
        for value, factor, shift in zip(accumulators.tolist(), factors.tolist(), shifts.tolist(), strict=True)
    ]
    got = await through(dut, beats, ["result"], LATENCY, rng, idle_rate(stalls))
    check.equal([signed(word, result_bits) for (word,) in got], expected, f"{bits} bits × {factor_bits} bits")
