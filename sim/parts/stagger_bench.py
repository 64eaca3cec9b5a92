"""stagger: element n of a vector comes out n cycles late."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import Checker, Dut, checked, pack, parameter, unpack
from sim.common.chain import late
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"LANES": 8, "BITS": 5}, icarus=True)]
COUNT = 100


@cocotb.test()
@checked
async def vectors(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """One a cycle; the first ones come among what stood there before."""
    lanes, bits = parameter("LANES"), parameter("BITS")
    values = rng.integers(0, 1 << bits, (COUNT, lanes))
    got = await through(dut, [{"values": pack(row, bits)} for row in values], ["staggered"], 0, rng, handshake=False)
    rows = np.array([unpack(word, lanes, bits, signed=False) for (word,) in got])
    check.equal(rows[lanes:], late(values)[lanes:COUNT], "staggered")
