"""dot_product: two sums of products over the lanes, from packed weights, exact for every pair of operands in W8A8."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from sim.common.bench import Checker, Dut, checked, extremes, hardware, pack, parameter, signed
from sim.common.chain import PACKED_BITS, late, packed_pairs
from sim.common.pipeline import through
from sim.common.runs import Run

RUNS = [
    Run("micro", {"LANES": 16}, icarus=True),
    Run("micro", {"LANES": 8}),
    Run("micro", {"LANES": 32}),
    Run("dsp48e1", {"LANES": 16}, icarus=True),
    Run("dsp48e1", {"LANES": 8}),
    Run("dsp48e1", {"LANES": 32}, slow=True),
    Run("micro_w16a16", {"LANES": 8}),
]
NUMBERS = hardware().numbers
BITS = NUMBERS.weight_bits
OPERAND_BITS = NUMBERS.exponential_bits + 1
INT64 = np.int64


async def compare(
    dut: Dut, check: Checker, rng: np.random.Generator, operands: NDArray[INT64], weights: NDArray[INT64]
) -> None:
    """Operands [beats, lanes] with weights [beats, 2, lanes]."""
    lanes = parameter("LANES")
    beats = [
        {"activations": pack(values, OPERAND_BITS), "packed_weights": pack(pair, PACKED_BITS)}
        for values, pair in zip(late(operands).tolist(), late(packed_pairs(weights)).tolist(), strict=True)
    ]
    latency = lanes + (2 if NUMBERS.fine else 4)
    got = await through(dut, beats, ["sum_0", "sum_1"], latency, rng, handshake=False, rest=beats[-1])
    sum_bits = OPERAND_BITS + BITS + (lanes - 1).bit_length()
    sums = [[signed(word, sum_bits) for word in words] for words in got[: len(operands)]]
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


@cocotb.test(skip=NUMBERS.fine)
@checked
async def every_chain_at_the_bounds(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Every choice, eight lanes at a time, of products at their bounds: low sums wander over their whole range."""
    lanes = parameter("LANES")
    bits = np.arange(1 << 8)[:, None] >> np.arange(lanes) % 8 & 1
    runs = np.concatenate([bits, np.repeat(bits[:, :8], lanes // 8, axis=1), np.sort(bits, axis=1)])
    operands = np.full(runs.shape, 1023)
    low = np.where(runs == 1, 127, -128)
    weights = np.stack([low, rng.integers(-128, 128, low.shape)], axis=1)
    await compare(dut, check, rng, operands, weights)
    await compare(dut, check, rng, -operands, weights)
