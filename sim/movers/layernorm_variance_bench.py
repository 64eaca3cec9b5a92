"""layernorm_variance: D·Σx² − (Σx)² + ε of rows against golden."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe_golden.ops.layernorm import variance
from sim.common.bench import Checker, Dut, checked, extremes, hardware, idle_rate, reset
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", icarus=True), Run("micro_w16a16")]
LATENCY = 5
BITS = hardware().numbers.residual_bits
ROWS = 40
SETTINGS = [(16, 1), (192, 1 << 30), (1024, (1 << 64) - 1), (768, 12345)]  # width, epsilon


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def rows(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Random, constant and alternating rows, the latter with the greatest variance there is."""
    await reset(dut, valid_in=0)
    for width, epsilon in SETTINGS:
        data = extremes(rng, BITS, ROWS * width).reshape(ROWS, width) >> rng.integers(0, BITS, (ROWS, 1))
        data[0] = -(1 << (BITS - 1))
        data[1, ::2], data[1, 1::2] = -(1 << (BITS - 1)), (1 << (BITS - 1)) - 1
        beats = [{"sum": int(row.sum()), "squares": int((row * row).sum())} for row in data]
        dut.width.value, dut.epsilon.value = width, epsilon
        got = await through(dut, beats, ["variance"], LATENCY, rng, idle_rate(stalls))
        check.equal(
            np.array([word for (word,) in got], dtype=object), variance(data, epsilon), f"width {width}, ε {epsilon}"
        )
