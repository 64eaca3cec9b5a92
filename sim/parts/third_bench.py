"""third: ⌊value / 3⌋ of every value."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import Checker, Dut, checked
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro")]
LATENCY = 2
VALUES = range(1 << 16)


@cocotb.test()
@checked
async def thirds(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """One value a cycle."""
    got = await through(dut, [{"value": value} for value in VALUES], ["result"], LATENCY, rng, handshake=False)
    check.equal([word for (word,) in got], [value // 3 for value in VALUES], "a third")
