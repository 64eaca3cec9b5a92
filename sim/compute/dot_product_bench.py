"""dot_product: two sums of products over the lanes, from packed weights, exact for every pair of operands in W8A8."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from sim.common.bench import Checker, Dut, checked, extremes, hardware, pack, parameter, signed
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [Run("micro", {"LANES": 16}, icarus=True), Run("micro_w16a16", {"LANES": 8})]
LATENCY = 4
NUMBERS = hardware().numbers
BITS = NUMBERS.weight_bits
OPERAND_BITS = NUMBERS.exponential_bits + 1
INT64 = np.int64


async def compare(
    dut: Dut, check: Checker, rng: np.random.Generator, operands: NDArray[INT64], weights: NDArray[INT64]
) -> None:
    """Operands [beats, lanes] with weights [beats, 2, lanes]."""
    lanes = parameter("LANES")
    if NUMBERS.fine:
        packed, packed_bits = (weights[:, 1] << BITS) + (weights[:, 0] & ((1 << BITS) - 1)), 2 * BITS
    else:
        packed, packed_bits = (weights[:, 1] << 18) + weights[:, 0], BITS + 19
    beats = [
        {"activations": pack(values, OPERAND_BITS), "packed_weights": pack(pair, packed_bits)}
        for values, pair in zip(operands.tolist(), packed.tolist(), strict=True)
    ]
    got = await through(dut, beats, ["sum_0", "sum_1"], LATENCY, rng, handshake=False)
    sum_bits = OPERAND_BITS + BITS + (lanes - 1).bit_length()
    sums = [[signed(word, sum_bits) for word in words] for words in got]
    check.equal(sums, np.einsum("bl,bol->bo", operands, weights), "sums")


@cocotb.test()
@checked
async def random_operands(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Operands of attention and of linear layers; all lanes at a bound."""
    lanes, count = parameter("LANES"), 400
    operands = extremes(rng, OPERAND_BITS, count * lanes).reshape(count, lanes)
    if not NUMBERS.fine:
        operands = np.maximum(operands, -(1 << (OPERAND_BITS - 1)) + 1)
    weights = extremes(rng, BITS, count * 2 * lanes).reshape(count, 2, lanes)
    operands[:8], weights[:8] = operands[:8, :1], weights[:8, :, :1]
    await compare(dut, check, rng, operands, weights)


@cocotb.test(skip=NUMBERS.fine)
@checked
async def every_pair(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Each activation with each low weight, beside any high weight: no borrow is lost."""
    lanes = parameter("LANES")
    codes = np.arange(1 << (2 * BITS)).reshape(-1, lanes)
    low = (codes & 0xFF) - 128
    weights = np.stack([low, rng.integers(-128, 128, low.shape)], axis=1)
    await compare(dut, check, rng, (codes >> BITS) - 128, weights)
