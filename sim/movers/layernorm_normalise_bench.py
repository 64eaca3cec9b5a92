"""layernorm_normalise: parts of rows against golden, each part of another row than the one before."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe_golden.ops.layernorm import layernorm, reciprocal_square_root, variance
from sim.common.bench import Checker, Dut, checked, drive, extremes, hardware, idle_rate, pack, parameter, reset, unpack
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"LANES": 4}, icarus=True), Run("dsp48e1", {"LANES": 4}), Run("micro_w16a16", {"LANES": 4})]
LATENCY = 18
NUMBERS = hardware().numbers
ROWS, PARTS = 12, 6
SETTINGS = [(1, 1), (14, 9), (24, 20), (60, 60)]  # shift, gate_shift


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def parts(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Rows of every size of value, all parts of a row with its own sum and root."""
    lanes, bits = parameter("LANES"), NUMBERS.residual_bits
    width = lanes * PARTS
    gains: list[int] = []
    offsets: list[int] = []

    async def channels() -> None:
        """Gains and offsets one cycle after channel_part."""
        asked = 0
        while True:
            await drive(dut)
            dut.gains.value, dut.offsets.value = gains[asked], offsets[asked]
            await ReadOnly()
            part = dut.channel_part.value
            asked = int(part) % PARTS if part.is_resolvable else 0  # unknown before the first row

    await reset(dut, valid_in=0)
    for number, (shift, gate_shift) in enumerate(SETTINGS):
        gain = extremes(rng, NUMBERS.gain_bits, width)
        offset = extremes(rng, NUMBERS.offset_bits, width) >> (NUMBERS.offset_bits // 4 * number)
        gains[:] = [pack(part, NUMBERS.gain_bits) for part in gain.reshape(PARTS, lanes)]
        offsets[:] = [pack(part, NUMBERS.offset_bits) for part in offset.reshape(PARTS, lanes)]
        if number == 0:
            cocotb.start_soon(channels())
        epsilon = 1 << (8 * number)
        data = extremes(rng, bits, ROWS * width).reshape(ROWS, width) >> rng.integers(0, bits, (ROWS, 1))
        root, exponent = reciprocal_square_root(variance(data, epsilon), NUMBERS)
        order = rng.permutation(ROWS * PARTS)
        beats = [
            {
                "part": int(index % PARTS),
                "values": pack(data[index // PARTS].reshape(PARTS, lanes)[index % PARTS], bits),
                "sum": int(data[index // PARTS].sum()),
                "root": int(root[index // PARTS]),
                "exponent": int(exponent[index // PARTS]),
            }
            for index in order
        ]
        dut.width.value, dut.shift.value, dut.gate_shift.value = width, shift, gate_shift
        got = await through(dut, beats, ["part_out", "norm", "gate"], LATENCY, rng, idle_rate(stalls))
        norm, gate = layernorm(data, gain, offset, epsilon, shift, gate_shift, NUMBERS)
        assert gate is not None
        what = f"shift {shift}, gate shift {gate_shift}"
        check.equal([part for part, _, _ in got], order % PARTS, f"part of {what}")
        for column, golden, result_bits, name in ((1, norm, NUMBERS.activation_bits, "norm"), (2, gate, 16, "gate")):
            values = np.array([unpack(words[column], lanes, result_bits) for words in got])
            check.equal(values, golden.reshape(-1, lanes)[order], f"{name} of {what}")
