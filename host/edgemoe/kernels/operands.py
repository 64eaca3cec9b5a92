"""Operands for the operations, drawn from a seed: ranges that cover every bit, results that saturate now and then."""

from __future__ import annotations

import numpy as np

from edgemoe.kernels.operations import Grid, IntArray
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import GATE_FRACTION, WIDE_LIMIT, Precision
from edgemoe_golden.ops.experts import QueueEntries

GATE_SCALE = 40000, 15 + 30 + 3 - GATE_FRACTION  # logits of 48 random products spread over some octaves


def integers(rng: np.random.Generator, bits: int, *shape: int) -> IntArray:
    """Uniform over the signed range of `bits`; about one value in eight at an end of it."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high + 1, shape)
    return np.where(rng.random(shape) < 0.125, np.where(rng.random(shape) < 0.5, low, high), values)


def layer(rng: np.random.Generator, outputs: int, inputs: int, bits: int, precision: Precision) -> LinearWeights:
    """Random weights whose results cover `bits` bits and saturate now and then."""
    weight = integers(rng, precision.weight_bits, outputs, inputs)
    spread = precision.activation_bits + precision.weight_bits - 2 + 0.5 * np.log2(inputs)
    bias = rng.integers(-(1 << int(spread)), 1 << int(spread), outputs)
    shift = max(1, min(60, 16 + int(spread) - bits + 1))
    return LinearWeights(weight, bias, rng.integers(1 << 15, 1 << 16, outputs), np.full(outputs, shift))


def gelu_grid(precision: Precision) -> Grid:
    """GELU's output grid for a hidden range of about −0.17 … 8."""
    bits = precision.activation_bits
    return 40000, 15 + precision.gelu_fraction + 4 - bits, 5 - (1 << (bits - 1))


def gate_operands(rng: np.random.Generator, *shape: int) -> IntArray:
    """16-bit operands of the gate, some at its limits."""
    return np.clip(integers(rng, 16, *shape), -WIDE_LIMIT, WIDE_LIMIT)


def affine(rng: np.random.Generator, width: int, precision: Precision) -> tuple[IntArray, IntArray, int]:
    """(gain, offset, shift) whose results cover the activations and saturate now and then."""
    shift = precision.gain_bits - 1 + precision.normalised_fraction - precision.activation_bits + 2
    gain = integers(rng, precision.gain_bits, width)
    limit = min(shift + precision.activation_bits - 2, precision.offset_bits - 1)
    return gain, rng.integers(-(1 << limit), 1 << limit, width), shift


def score_scales(width: int, precision: Precision) -> tuple[int, int, int, int]:
    """Scales of attention by which random operands give scores of a few octaves, and outputs of full range."""
    shift = 2 * (precision.activation_bits - 1) + int(0.5 * np.log2(width)) + 15 - precision.score_fraction - 2
    return 45000, shift, 40000, 14


def expert_layers(
    rng: np.random.Generator, count: int, width: int, hidden: int, precision: Precision
) -> list[tuple[LinearWeights, LinearWeights]]:
    """Layers of `count` experts."""
    inner, outer = precision.gelu_bits - 3, precision.residual_bits + 4
    return [
        (layer(rng, hidden, width, inner, precision), layer(rng, width, hidden, outer, precision)) for _ in range(count)
    ]


def random_queues(rng: np.random.Generator, count: int, rows: int) -> list[QueueEntries]:
    """Every row in two of the queues; the last queue is empty."""
    chosen = np.stack([rng.permutation(count - 1)[:2] for _ in range(rows)])
    queues = []
    for expert in range(count):
        members = np.flatnonzero((chosen == expert).any(axis=1))
        queues.append(QueueEntries(members, rng.permutation(members), rng.integers(0, 1 << 16, len(members))))
    return queues
