"""post_lane: every epilogue of every sum against golden, a new sum with its own factors in every cycle.

The sums are chosen so that results lie around the bounds of every width an epilogue keeps.
"""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.spec.machine import Sizes
from edgemoe.spec.precision import DIGIT_BITS, GUARD_BITS, MAX_SHIFT, OUTPUT_BITS, SCORE_BITS, WIDE_LIMIT
from edgemoe_golden.ops.gelu import gelu_requantise
from edgemoe_golden.ops.requantise import round_shift, saturate
from sim.common.bench import Checker, Dut, checked, drive, extremes, hardware, parameter, reset, signed
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [
    Run("micro", {"WEIGHS": 1}),
    Run("micro", {"WEIGHS": 0}),
    Run("micro_w16a16", {"WEIGHS": 1}),
    Run("wide_tokens", {"WEIGHS": 1}),
]
NUMBERS = hardware().numbers
WIDE = hardware().wide_tokens
WEIGHS = bool(parameter("WEIGHS"))
FEW_VALUES = {"gelu_out"} if WIDE else {"gelu_out", "wide"}  # without wide tokens `wide` is 0
ACC_BITS, RESIDUAL_BITS = NUMBERS.accumulator_bits, NUMBERS.residual_bits
POST_BITS, FACTOR_BITS = Sizes(hardware()).post_bits, Sizes(hardware()).factor_bits
RESIDUAL_FACTOR = 1 << SCORE_BITS  # weight of the residual epilogue
COUNT = 1200
# Name: cycle.
INPUTS = {
    "sum": 0,
    "high": 0,
    "bias": 0,
    "factor": 1,
    "shift": 1,
    "weighs": 13,
    "weight": 13,
    "guarded": 13,
    "residual": 20,
}
OUTPUTS = {  # name: cycle, bits
    "activation": (9, NUMBERS.activation_bits),
    "score": (9, NUMBERS.score_bits),
    "head": (9, OUTPUT_BITS),
    "wide": (9, 16),
    "gelu_out": (21, NUMBERS.activation_bits),
    "residual_out": (21, RESIDUAL_BITS),
}
GRIDS = [(40000, 24, -100), (65535, 0, 32767), (32768, 60, 0), (50001, 17, -3)]  # GELU's multiplier, shift, zero
INT64 = np.int64


def draw(rng: np.random.Generator) -> dict[str, NDArray[INT64]]:
    """Inputs of COUNT sums. Sums and biases wrap around; what they add up to is an accumulator."""
    accumulators = extremes(rng, min(ACC_BITS, 47), COUNT) >> rng.integers(0, ACC_BITS - 2, COUNT)
    bias = extremes(rng, NUMBERS.bias_bits, COUNT) * (rng.random(COUNT) < 0.8)
    factor = np.where(rng.random(COUNT) < 0.1, (1 << FACTOR_BITS) - 1, rng.integers(0, 1 << FACTOR_BITS, COUNT))
    wanted = rng.integers(0, POST_BITS + 3, COUNT)
    near = rng.choice([NUMBERS.activation_bits, NUMBERS.score_bits, OUTPUT_BITS, POST_BITS, NUMBERS.gelu_bits], COUNT)
    wanted = np.where(rng.random(COUNT) < 0.5, near - 1, wanted)
    weighted = (rng.random(COUNT) < 0.5) & WEIGHS
    high = extremes(rng, ACC_BITS - 2, COUNT) >> rng.integers(0, ACC_BITS - 4, COUNT)
    high = np.where(rng.random(COUNT) < 0.7, high, 0) if WIDE else 0 * high
    total = accumulators - bias
    if WIDE:  # joined sums have room for both
        total = (total + (1 << (ACC_BITS - 1))) % (1 << ACC_BITS) - (1 << (ACC_BITS - 1))
    whole = (total + bias + (high << DIGIT_BITS)).tolist()
    products = [abs(value * f).bit_length() for value, f in zip(whole, factor.tolist(), strict=True)]
    return {
        "sum": total,
        "high": high,
        "bias": bias,
        "factor": factor,
        "shift": np.clip(np.array(products) - wanted, 0, MAX_SHIFT),
        "weighs": ((rng.random(COUNT) < 0.5) | weighted).astype(np.int64),
        "weight": np.where(weighted, rng.integers(0, 1 << SCORE_BITS, COUNT), RESIDUAL_FACTOR),
        "guarded": weighted.astype(np.int64),
        "residual": extremes(rng, RESIDUAL_BITS, COUNT),
    }


def golden(inputs: dict[str, NDArray[INT64]], grid: tuple[int, int, int]) -> dict[str, NDArray[INT64]]:
    """All epilogues of all sums."""
    columns = [inputs[name].tolist() for name in ("sum", "high", "bias", "factor", "shift")]
    values = [  # products of W16A16 have more than 64 bits
        ((total + (high << DIGIT_BITS) + bias) * factor + (1 << shift >> 1)) >> shift
        for total, high, bias, factor, shift in zip(*columns, strict=True)
    ]
    limit = 1 << (POST_BITS + 1)
    y = saturate(np.array([max(-limit, min(limit, value)) for value in values]), POST_BITS)
    update = round_shift(y * inputs["weight"], SCORE_BITS + GUARD_BITS * inputs["guarded"])
    return {
        "activation": saturate(y, NUMBERS.activation_bits),
        "score": saturate(y, NUMBERS.score_bits),
        "head": saturate(y, OUTPUT_BITS),
        "wide": np.clip(y, -WIDE_LIMIT, WIDE_LIMIT) if WIDE else np.zeros_like(y),
        "gelu_out": gelu_requantise(saturate(y, NUMBERS.gelu_bits), *grid, NUMBERS),
        "residual_out": saturate(inputs["residual"] + update, RESIDUAL_BITS),
    }


@cocotb.test()
@cocotb.parametrize(grid=GRIDS)
@checked
async def epilogues(dut: Dut, check: Checker, rng: np.random.Generator, grid: tuple[int, int, int]) -> None:
    """A sum a cycle; after the last one inputs are noise."""
    await reset(dut)
    inputs = draw(rng)
    dut.gelu_multiplier.value, dut.gelu_shift.value = grid[0], grid[1]
    dut.gelu_zero.value, dut.gelu_activation.value = grid[2], 0
    columns = {name: inputs[name].tolist() for name in INPUTS}
    found: dict[str, list[int]] = {name: [] for name in OUTPUTS}
    signals = {name: getattr(dut, name) for name in (*INPUTS, *OUTPUTS)}
    for cycle in range(COUNT + 22):
        await drive(dut)
        for name, due in INPUTS.items():
            signal, index = signals[name], cycle - due
            inside = 0 <= index < COUNT
            signal.value = columns[name][index] % (1 << len(signal)) if inside else noise(rng, len(signal))
        await ReadOnly()
        for name, (due, bits) in OUTPUTS.items():
            if 0 <= cycle - due < COUNT:
                found[name].append(signed(int(signals[name].value), bits))
    for name, expected in golden(inputs, grid).items():
        if WEIGHS and name in ("gelu_out", "residual_out"):  # of one sum either
            wanted = inputs["weighs"] == (name == "residual_out")
            found[name], expected = np.array(found[name])[wanted].tolist(), expected[wanted]
        check.equal(found[name], expected, f"{name} with GELU's grid {grid}")
        assert name in FEW_VALUES or len(np.unique(expected)) > 20, f"{name} has hardly any values"
