"""Operands for the operations, and the comparison that all tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from engines import GOLDEN, OpEngine
from operations import Grid, IntArray, Operation

from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import WIDE_LIMIT, Precision


def expected_of(op: Operation, engine: OpEngine) -> Sequence[Any]:
    """What an engine is held to: golden to the scalar reference, any other engine to golden."""
    return op.reference() if engine.name == GOLDEN.name else op.golden()


def check(op: Operation, engine: OpEngine) -> int:
    """Assert that the engine gives what it is held to. Returns how many values were compared."""
    return same(engine.run(op), expected_of(op, engine), engine.name)


def same(actual: Sequence[Any], expected: Sequence[Any], name: str = "engine") -> int:
    """Assert equality of integers, array by array; returns how many were compared, more than none."""
    assert len(actual) == len(expected)
    compared = 0
    for got, want in zip(actual, expected, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        assert got.dtype.kind == "i", f"{name} returned {got.dtype}, not integers"
        assert got.shape == want.shape, f"{name} returned shape {got.shape}, expected {want.shape}"
        if not np.array_equal(got, want):
            wrong = np.argwhere(got != want)
            at = tuple(int(index) for index in wrong[0])
            raise AssertionError(
                f"{name}: {len(wrong)} of {got.size} values differ, first at {at}: {got[at]}, expected {want[at]}"
            )
        compared += got.size
    assert compared > 0, "nothing was compared"
    return compared


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
