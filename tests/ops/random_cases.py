"""One random case of every operation, of a size that the scalar reference does in a moment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgemoe.kernels.operands import (
    GATE_SCALE,
    affine,
    expert_layers,
    gate_operands,
    gelu_grid,
    integers,
    layer,
    random_queues,
    score_scales,
)
from edgemoe.kernels.operations import (
    Attention,
    Experts,
    Exponential,
    Gate,
    GeluRequantise,
    Head,
    LayerNorm,
    Linear,
    LinearGelu,
    LinearResidual,
    LinearWeighted,
    Matmul,
    Operation,
    PatchEmbed,
    Requantise,
)
from edgemoe.spec.precision import Precision

Maker = Callable[[np.random.Generator, Precision], Operation]


def requantise(rng: np.random.Generator, precision: Precision) -> Operation:
    values = integers(rng, precision.accumulator_bits - 1, 40, 3)
    return Requantise(values, rng.integers(0, 1 << 16, 3), rng.integers(0, 61, 3), precision.residual_bits)


def matmul(rng: np.random.Generator, precision: Precision) -> Operation:
    bits = precision.activation_bits
    return Matmul(integers(rng, bits, 5, 70), integers(rng, bits, 70, 6), 1 << (bits - 1), precision)


def linear(rng: np.random.Generator, precision: Precision) -> Operation:
    bits = precision.activation_bits
    return Linear(integers(rng, bits, 5, 48), layer(rng, 7, 48, bits, precision), bits, precision)


def linear_gelu(rng: np.random.Generator, precision: Precision) -> Operation:
    weights = layer(rng, 7, 48, precision.gelu_bits - 3, precision)
    values = integers(rng, precision.activation_bits, 5, 48)
    return LinearGelu(values, weights, gelu_grid(precision), precision)


def linear_residual(rng: np.random.Generator, precision: Precision) -> Operation:
    bits = precision.residual_bits
    values = integers(rng, precision.activation_bits, 5, 48)
    return LinearResidual(values, layer(rng, 7, 48, bits, precision), integers(rng, bits, 5, 7), precision)


def linear_weighted(rng: np.random.Generator, precision: Precision) -> Operation:
    bits = precision.residual_bits
    values, score = integers(rng, precision.activation_bits, 5, 48), rng.integers(0, 1 << 16, 5)
    weights = layer(rng, 7, 48, bits + 4, precision)
    return LinearWeighted(values, weights, score, integers(rng, bits, 5, 7), precision)


def patch_embed(rng: np.random.Generator, precision: Precision) -> Operation:
    bits = precision.residual_bits
    patches = integers(rng, 8, 5, 48) + 128
    return PatchEmbed(patches, layer(rng, 16, 48, bits, precision), integers(rng, bits, 6, 16), precision)


def head(rng: np.random.Generator, precision: Precision) -> Operation:
    values = integers(rng, precision.activation_bits, 5, 48)
    return Head(values, layer(rng, 7, 48, 16, precision), precision)


def layernorm(rng: np.random.Generator, precision: Precision) -> Operation:
    residual = integers(rng, precision.residual_bits, 6, 48) >> rng.integers(0, precision.residual_bits, (6, 1))
    gain, offset, shift = affine(rng, 48, precision)
    return LayerNorm(
        residual,
        gain,
        offset,
        int(rng.integers(1, 1 << 30)),
        shift,
        shift - 16 + precision.activation_bits,
        precision,
    )


def softmax(rng: np.random.Generator, precision: Precision) -> Operation:
    scores = integers(rng, precision.score_bits, 6, 40) >> rng.integers(0, 12, (6, 1))
    return Exponential(scores, precision)


def attention(rng: np.random.Generator, precision: Precision) -> Operation:
    query, key, value = (integers(rng, precision.activation_bits, 9, 64) for _ in range(3))
    return Attention(query, key, value, 2, score_scales(32, precision), precision)


def gelu(rng: np.random.Generator, precision: Precision) -> Operation:
    values = integers(rng, precision.gelu_bits, 400) >> rng.integers(0, precision.gelu_bits, 400)
    return GeluRequantise(values, gelu_grid(precision), precision)


def gate(rng: np.random.Generator, precision: Precision) -> Operation:
    return Gate(gate_operands(rng, 9, 48), gate_operands(rng, 16, 48), 2, *GATE_SCALE, precision)


def experts(rng: np.random.Generator, precision: Precision) -> Operation:
    normalised = integers(rng, precision.activation_bits, 8, 32)
    residual = integers(rng, precision.residual_bits, 8, 32)
    layers = expert_layers(rng, 4, 32, 16, precision)
    return Experts(normalised, residual, random_queues(rng, 4, 8), layers, gelu_grid(precision), precision)


RANDOM_CASES: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        requantise,
        matmul,
        linear,
        linear_gelu,
        linear_residual,
        linear_weighted,
        patch_embed,
        head,
        layernorm,
        softmax,
        attention,
        gelu,
        gate,
        experts,
    )
}
