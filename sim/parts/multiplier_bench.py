"""multiplier: signed products of any widths against Python integers."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import Checker, Dut, checked, extremes, parameter, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [
    Run("micro", {"WIDE_BITS": 12, "NARROW_BITS": 16}, icarus=True),
    Run("micro", {"WIDE_BITS": 58, "NARROW_BITS": 27}),
    Run("micro", {"WIDE_BITS": 32, "NARROW_BITS": 17}),  # of a post lane: a digit of 26 bits, and 6 bits in LUTs
    Run("micro", {"WIDE_BITS": 29, "NARROW_BITS": 17}),  # 3 bits in LUTs: half a pair
    Run("micro", {"WIDE_BITS": 28, "NARROW_BITS": 18}),  # 2
    Run("micro", {"WIDE_BITS": 40, "NARROW_BITS": 17}),  # of a post lane where tokens are wide: 26 and 14 bits
    Run("pynq_z2", {"WIDE_BITS": 32, "NARROW_BITS": 17, "DSP_WIDE_BITS": 25}),  # 24 and 8
]
LATENCY = 2
COUNT = 400


@cocotb.test()
@checked
async def products(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Random and extreme operands, one a cycle."""
    wide_bits, narrow_bits = parameter("WIDE_BITS"), parameter("NARROW_BITS")
    wide, narrow = (extremes(rng, bits, COUNT).tolist() for bits in (wide_bits, narrow_bits))
    beats = [{"wide": a, "narrow": b} for a, b in zip(wide, narrow, strict=True)]
    got = await through(dut, beats, ["product"], LATENCY, rng, handshake=False)
    check.equal(
        [signed(word, wide_bits + narrow_bits) for (word,) in got],
        [a * b for a, b in zip(wide, narrow, strict=True)],
        f"{wide_bits} × {narrow_bits}",
    )
