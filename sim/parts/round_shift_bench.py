"""round_shift: half up and saturation against golden, for every shift."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe_golden.ops.requantise import round_shift, saturate
from sim.common.bench import Checker, Dut, checked, extremes, parameter, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"IN_BITS": 49, "OUT_BITS": 20}, icarus=True)]
LATENCY = 4
LARGEST_SHIFT = 62
PER_SHIFT = 40


@cocotb.test()
@checked
async def shifts(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Per shift: any value, values beside a half, and values beside the bounds of the result."""
    in_bits, out_bits = parameter("IN_BITS"), parameter("OUT_BITS")
    low, high = -(1 << (in_bits - 1)), (1 << (in_bits - 1)) - 1
    bound = 1 << (out_bits - 1)
    beats, expected = [], []
    for shift in range(LARGEST_SHIFT + 1):
        values = extremes(rng, in_bits, PER_SHIFT)
        values[::4] >>= rng.integers(0, in_bits)
        half = 1 << shift >> 1
        near = [(int(k) << shift) + half + step for k in rng.integers(-bound, bound, 4) for step in (-1, 0, 1)]
        edge = [(k << shift) - half + step for k in (-bound, bound) for step in (-1, 0, 1)]
        for value in (*values.tolist(), *near, *edge):
            if low <= value <= high:
                beats.append({"value": value, "shift": shift})
                expected.append(saturate(round_shift(np.array(value), shift), out_bits))
    got = await through(dut, beats, ["result"], LATENCY, rng, handshake=False)
    check.equal([signed(word, out_bits) for (word,) in got], expected, f"{in_bits} to {out_bits} bits")
