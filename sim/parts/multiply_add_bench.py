"""multiply_add: a product and the sum that comes in two cycles after its operands."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import Checker, Dut, checked, extremes, parameter, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"A_BITS": 11, "B_BITS": 27, "SUM_BITS": 41}, icarus=True)]
LATENCY = 3
LATER = LATENCY - 1  # by so much the sum comes after the operands
COUNT = 400


@cocotb.test()
@checked
async def sums(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Random and extreme operands, one a cycle; sums that hold one product more."""
    a_bits, b_bits, sum_bits = (parameter(f"{name}_BITS") for name in ("A", "B", "SUM"))
    a, b, before = (extremes(rng, bits, COUNT).tolist() for bits in (a_bits, b_bits, sum_bits - 1))
    beats = [
        {"a": a[n % COUNT], "b": b[n % COUNT], "sum_in": before[(n - LATER) % COUNT]} for n in range(COUNT + LATER)
    ]
    got = await through(dut, beats, ["sum"], LATENCY, rng, handshake=False)
    check.equal(
        [signed(word, sum_bits) for (word,) in got[:COUNT]],
        [x * y + z for x, y, z in zip(a, b, before, strict=True)],
        "sums",
    )
