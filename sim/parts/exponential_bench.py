"""exponential: both forms against golden's attention and gate exponentials."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.spec.precision import W8A8
from edgemoe_golden.ops.softmax import exponential, fine_exponential, octave_maximum
from sim.common.bench import Checker, Dut, checked, extremes, idle_rate, parameter, reset
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [
    Run("micro", {"FINE_PRODUCT": 0, "T_BITS": 16, "T_FRACTION": 6, "E_BITS": 10}, icarus=True),
    Run("micro", {"FINE_PRODUCT": 1, "T_BITS": 24, "T_FRACTION": 12, "E_BITS": 16}),
]
LATENCY = 6
ROWS, KEYS = 150, 12


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def rows(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Rows of scores near each other, far apart, equal, and at the bounds."""
    bits, fraction, fine = parameter("T_BITS"), parameter("T_FRACTION"), parameter("FINE_PRODUCT")
    scores = extremes(rng, bits, ROWS * KEYS).reshape(ROWS, KEYS) >> rng.integers(0, bits, (ROWS, 1))
    scores[: ROWS // 4] = scores[: ROWS // 4, :1] - rng.integers(0, 20 << fraction, (ROWS // 4, KEYS))
    scores = np.clip(scores, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    octaves = np.broadcast_to(octave_maximum(scores, fraction), scores.shape)
    expected = fine_exponential(scores) if fine else exponential(scores, W8A8)
    await reset(dut, valid_in=0)
    beats = [
        {"score": score, "octave": octave}
        for score, octave in zip(scores.ravel().tolist(), octaves.ravel().tolist(), strict=True)
    ]
    got = await through(dut, beats, ["result"], LATENCY, rng, idle_rate(stalls))
    check.equal([word for (word,) in got], expected.ravel(), "exp2(t − m)")
