"""pack_weights: weight_1·2^PAIR_SHIFT + weight_0 below weight_1 mod 4 in W8A8, side by side in W16A16."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import Checker, Dut, checked, extremes, hardware, pack, parameter, unpack
from sim.common.chain import PACKED_BITS, packed_pairs
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"LANES": 8}, icarus=True), Run("dsp48e1", {"LANES": 8})]
LATENCY = 1
COUNT = 300
NUMBERS = hardware().numbers


@cocotb.test()
@checked
async def pairs(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Weights of every sign."""
    lanes, bits = parameter("LANES"), NUMBERS.weight_bits
    weights = extremes(rng, bits, COUNT * 2 * lanes).reshape(COUNT, 2, lanes)
    beats = [{"weights_0": pack(low, bits), "weights_1": pack(high, bits)} for low, high in weights]
    got = await through(dut, beats, ["packed_weights"], LATENCY, rng, handshake=False)
    packed = np.array([unpack(word, lanes, PACKED_BITS, signed=False) for (word,) in got])
    check.equal(packed, packed_pairs(weights), "packed")
