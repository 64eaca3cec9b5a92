"""layernorm_statistics: sums of rows of any width, one after the other with and without gaps."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.spec.precision import MAX_WIDTH
from sim.common.bench import (
    Checker,
    Dut,
    checked,
    extremes,
    hardware,
    idle_rate,
    pack,
    parameter,
    receive,
    reset,
    send,
    signed,
)
from sim.common.runs import Run

RUNS = [Run("micro", {"LANES": 16}, icarus=True)]
BITS = hardware().numbers.residual_bits
ROWS = 60


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def rows(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Rows of one part, of the greatest width at the bound of their values, and any others."""
    lanes = parameter("LANES")
    data = [extremes(rng, BITS, lanes * int(rng.choice([1, 2, 3, 12]))) for _ in range(ROWS)]
    data[ROWS // 2] = np.full(MAX_WIDTH, -(1 << (BITS - 1)))
    data[ROWS // 2 + 1] = np.full(MAX_WIDTH, (1 << (BITS - 1)) - 1)
    beats = [
        {
            "values": pack(row[start : start + lanes], BITS),
            "first": int(start == 0),
            "last": int(start + lanes == row.size),
        }
        for row in data
        for start in range(0, row.size, lanes)
    ]
    await reset(dut, valid_in=0)
    sending = cocotb.start_soon(send(dut, beats, rng, idle_rate(stalls)))
    got = await receive(dut, ROWS, ["sum", "squares"], rng)
    await sending
    expected = [[int(row.sum()), int((row * row).sum())] for row in data]
    check.equal([[signed(beat["sum"], BITS + 10), beat["squares"]] for beat in got], expected, "Σx and Σx²")
