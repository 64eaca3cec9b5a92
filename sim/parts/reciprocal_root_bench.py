"""reciprocal_root: 1/√v against golden, for variances of every length."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.spec.machine import Sizes
from edgemoe_golden.ops.layernorm import reciprocal_square_root
from sim.common.bench import Checker, Dut, checked, hardware, idle_rate, reset, signed
from sim.common.pipeline import noise, through
from sim.common.runs import Run

RUNS = [Run("micro", icarus=True), Run("micro_w16a16")]
NUMBERS = hardware().numbers
LATENCY = 4 + 9 * NUMBERS.rsqrt_steps
VARIANCE_BITS = Sizes(hardware()).variance_bits
RANDOM_PER_LENGTH = 6


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def variances(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Powers of two, their neighbours, and any others of that length."""
    values = [(1 << VARIANCE_BITS) - 1]
    for length in range(VARIANCE_BITS):
        power = 1 << length
        values += [power, power + 1, max(power - 1, 1)]
        values += [power + noise(rng, length) for _ in range(RANDOM_PER_LENGTH if length else 0)]
    root, exponent = reciprocal_square_root(np.array(values, dtype=object), NUMBERS)
    await reset(dut, valid_in=0)
    beats = [{"variance": value} for value in values]
    got = await through(dut, beats, ["root", "exponent"], LATENCY, rng, idle_rate(stalls))
    check.equal([[word, signed(power, 7)] for word, power in got], np.stack([root, exponent], axis=1), "root, exponent")
