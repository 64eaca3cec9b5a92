"""reciprocal: exact divisions against golden, started at any distance from each other."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe_golden.ops.softmax import reciprocal
from sim.common.bench import Checker, Dut, checked, drive, hardware, idle_rate, parameter, reset, settle
from sim.common.runs import Run

RUNS = [Run("micro", {"TOTAL_BITS": 21}, icarus=True), Run("micro_w16a16", {"TOTAL_BITS": 27})]
NUMBERS = hardware().numbers
RANDOM = 60


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def totals(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Powers of two and their neighbours, and sums of every length."""
    bits = parameter("TOTAL_BITS")
    powers = np.int64(1) << np.arange(bits)
    drawn = rng.integers(1, 1 << bits, RANDOM) >> rng.integers(0, bits, RANDOM)
    values = np.clip(np.concatenate([powers, powers - 1, powers + 1, drawn]), 1, (1 << bits) - 1)
    expected_result, expected_length = reciprocal(values, NUMBERS)
    await reset(dut, start=0)
    got = []
    for value in values.tolist():
        await drive(dut)
        while rng.random() < idle_rate(stalls):
            await drive(dut)
        assert int(dut.ready.value), "not ready with done"
        dut.start.value, dut.total.value = 1, value
        await drive(dut)
        dut.start.value, dut.total.value = 0, int(rng.integers(1 << bits))
        waited = 1
        while not int(dut.done.value):
            await settle(dut)
            waited += 1
        assert waited == NUMBERS.reciprocal_bits + 2, f"{waited} cycles"
        got.append([int(dut.result.value), int(dut.length.value)])
    check.equal(got, np.stack([expected_result, expected_length], axis=1), "reciprocal and length")
