"""patch_embed: pixels − 128 through the array, added to the position embedding; row 0 is the class token."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers, layer
from edgemoe.kernels.operations import PatchEmbed
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import Precision


def test_tokens_are_within_half_an_lsb_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """One rounding of exact accumulators: ½ LSB of the residual stream; adding the position is exact."""
    bits = precision.residual_bits
    patches = rng.integers(0, 256, (20, 768), dtype=np.uint8)
    weights, position = layer(rng, 32, 768, bits, precision), integers(rng, bits, 21, 32)
    products = (patches.astype(np.int64) - 128) @ weights.weight.T + weights.bias
    real = position[1:] + products * (weights.multiplier / 2.0**weights.shift)
    result = engine.run(PatchEmbed(patches, weights, position, precision))[0]
    assert np.abs(result[1:] - np.clip(real, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)).max() <= 0.5 + 1e-6
    assert same([result[0]], [position[0]]) == 32


def test_the_class_token_is_the_position_table_even_at_its_limits(engine: OpEngine, precision: Precision) -> None:
    low, high = -(1 << (precision.residual_bits - 1)), (1 << (precision.residual_bits - 1)) - 1
    position = np.array([[low, high] * 8, [0] * 16])
    weights = LinearWeights(
        np.ones((16, 16), dtype=np.int64),
        np.zeros(16, dtype=np.int64),
        np.ones(16, dtype=np.int64),
        np.zeros(16, dtype=np.int64),
    )
    result = engine.run(PatchEmbed(np.full((1, 16), 128, dtype=np.uint8), weights, position, precision))[0]
    assert result.tolist() == position.tolist()


def test_pixels_0_128_and_255_are_minus_128_zero_and_127(engine: OpEngine, precision: Precision) -> None:
    weights = LinearWeights(np.eye(16, dtype=np.int64), *(np.full(16, value) for value in (0, 1, 0)))
    patches = np.array([[0, 128, 255, 127] * 4], dtype=np.uint8)
    result = engine.run(PatchEmbed(patches, weights, np.zeros((2, 16), dtype=np.int64), precision))[0]
    assert result[1].tolist() == [-128, 0, 127, -1] * 4


def test_a_position_at_the_limit_saturates(engine: OpEngine, precision: Precision) -> None:
    top = (1 << (precision.residual_bits - 1)) - 1
    weights = LinearWeights(np.eye(16, dtype=np.int64), *(np.full(16, value) for value in (0, 1, 0)))
    position = np.array([[0] * 16, [top, -top - 1, top - 126, -top + 126] * 4])
    patches = np.array([[255, 0, 255, 2] * 4], dtype=np.uint8)
    result = engine.run(PatchEmbed(patches, weights, position, precision))[0]
    assert result[1].tolist() == [top, -top - 1, top, -top] * 4


def test_black_and_white_patches_over_the_longest_chain(engine: OpEngine, precision: Precision) -> None:
    """Pixels −128 and 127 against the lowest weight, 768 inputs of a 16 × 16 patch."""
    low = -(1 << (precision.weight_bits - 1))
    patches = np.array([[0] * 768, [255] * 768])
    weights = LinearWeights(np.full((16, 768), low), *(np.full(16, value) for value in (0, 40000, 26)))
    case = PatchEmbed(patches, weights, np.zeros((3, 16), dtype=np.int64), precision)
    assert check(case, engine) == 48


@given(st.integers(0, 1 << 32))
def test_pixels_of_a_patch_in_any_order_give_the_same_token(engine: OpEngine, precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patches, bits = rng.integers(0, 256, (3, 48)), precision.residual_bits
    weights, position = layer(rng, 16, 48, bits, precision), integers(rng, bits, 4, 16)
    case = PatchEmbed(patches, weights, position, precision)
    assert check(case, engine) == 64
    order = rng.permutation(48)
    permuted = LinearWeights(weights.weight[:, order], weights.bias, weights.multiplier, weights.shift)
    result = engine.run(PatchEmbed(patches[:, order].astype(np.uint8), permuted, position, precision))[0]
    assert same([result], engine.run(case)) == 64
