"""Cases: one call of one operation, with what the reference says to it; and the comparison that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import reference
from engines import GOLDEN, Grid, IntArray, OpEngine

from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import GATE_OPERAND_LIMIT, Precision
from edgemoe_golden.ops.experts import QueueEntries


@dataclass(frozen=True)
class Case:
    """run(engine) and reference() give the same list of integer arrays, or one of them is wrong."""

    run: Callable[[OpEngine], Sequence[IntArray]]
    reference: Callable[[], Sequence[Any]]


def expected_of(case: Case, engine: OpEngine) -> Sequence[Any]:
    """What an engine is held to: golden to the scalar reference, any other engine to golden."""
    return case.reference() if engine.name == GOLDEN.name else case.run(GOLDEN)


def check(case: Case, engine: OpEngine) -> int:
    """Assert that the engine gives what it is held to. Returns how many values were compared."""
    return same(case.run(engine), expected_of(case, engine), engine.name)


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


def plain(weights: LinearWeights) -> reference.Linear:
    """The reference's form of a layer."""
    return (
        weights.weight.tolist(),
        weights.bias.tolist(),
        weights.multiplier.tolist(),
        weights.shift.tolist(),
    )


def gelu_grid(precision: Precision) -> Grid:
    """GELU's output grid for a hidden range of about −0.17 … 8."""
    bits = precision.activation_bits
    return 40000, 15 + precision.gelu_fraction + 4 - bits, 5 - (1 << (bits - 1))


def requantise_case(values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int) -> Case:
    def expected() -> list[Any]:
        wide = np.broadcast_arrays(values, multiplier, shift)
        flat = [
            reference.requantise(v, m, s, bits)
            for v, m, s in zip(*(array.reshape(-1).tolist() for array in wide), strict=True)
        ]
        return [np.array(flat, dtype=np.int64).reshape(wide[0].shape)]

    return Case(lambda engine: [engine.requantise(values, multiplier, shift, bits)], expected)


def matmul_case(left: IntArray, right: IntArray, limit: int, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.matmul(left, right, limit, precision)],
        lambda: [reference.matmul(left.tolist(), right.tolist())],
    )


def linear_case(values: IntArray, weights: LinearWeights, bits: int, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.linear(values, weights, bits, precision)],
        lambda: [reference.linear(values.tolist(), plain(weights), bits)],
    )


def linear_gelu_case(values: IntArray, weights: LinearWeights, grid: Grid, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.linear_gelu(values, weights, grid, precision)],
        lambda: [reference.linear_gelu(values.tolist(), plain(weights), grid, precision)],
    )


def linear_residual_case(values: IntArray, weights: LinearWeights, residual: IntArray, precision: Precision) -> Case:
    bits = precision.residual_bits
    return Case(
        lambda engine: [engine.linear_residual(values, weights, residual, precision)],
        lambda: [reference.linear_residual(values.tolist(), plain(weights), residual.tolist(), bits)],
    )


def linear_weighted_case(
    values: IntArray, weights: LinearWeights, score: IntArray, residual: IntArray, precision: Precision
) -> Case:
    arguments = (values.tolist(), plain(weights), score.tolist(), residual.tolist())
    return Case(
        lambda engine: [engine.linear_weighted(values, weights, score, residual, precision)],
        lambda: [reference.linear_weighted(*arguments, precision.residual_bits)],
    )


def patch_embed_case(patches: IntArray, weights: LinearWeights, position: IntArray, precision: Precision) -> Case:
    pixels = patches.astype(np.uint8)
    arguments = (patches.tolist(), plain(weights), position.tolist(), precision.residual_bits)
    return Case(
        lambda engine: [engine.patch_embed(pixels, weights, position, precision)],
        lambda: [reference.patch_embed(*arguments)],
    )


def head_case(values: IntArray, weights: LinearWeights, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.head(values, weights, precision)],
        lambda: [reference.linear(values.tolist(), plain(weights), 16)],
    )


def layernorm_case(
    residual: IntArray,
    gain: IntArray,
    offset: IntArray,
    epsilon: int,
    shift: int,
    gate_shift: int | None,
    precision: Precision,
) -> Case:
    arguments = (residual.tolist(), gain.tolist(), offset.tolist(), epsilon, shift, gate_shift, precision)

    def run(engine: OpEngine) -> list[IntArray]:
        output, copy = engine.layernorm(residual, gain, offset, epsilon, shift, gate_shift, precision)
        return [output] if copy is None else [output, copy]

    return Case(run, lambda: [part for part in reference.layernorm(*arguments) if part is not None])


def exponential_case(scores: IntArray, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.exponential(scores, precision)],
        lambda: [[reference.exponential(row, precision) for row in scores.tolist()]],
    )


def reciprocal_case(totals: IntArray, precision: Precision) -> Case:
    def expected() -> list[Any]:
        inverses, lengths = zip(*(reference.reciprocal(total, precision) for total in totals.tolist()), strict=True)
        return [inverses, lengths]

    return Case(lambda engine: engine.reciprocal(totals, precision), expected)


def attention_case(
    query: IntArray,
    key: IntArray,
    value: IntArray,
    heads: int,
    scales: tuple[int, int, int, int],
    precision: Precision,
) -> Case:
    arguments = (query.tolist(), key.tolist(), value.tolist(), heads, scales, precision)
    return Case(
        lambda engine: [engine.attention(query, key, value, heads, scales, precision)],
        lambda: [reference.attention(*arguments)],
    )


def gelu_case(values: IntArray, grid: Grid, precision: Precision) -> Case:
    return Case(
        lambda engine: [engine.gelu_requantise(values, grid, precision)],
        lambda: [[reference.gelu_requantise(value, *grid, precision) for value in values.tolist()]],
    )


def gate_case(
    values: IntArray, weight: IntArray, top_k: int, multiplier: int, shift: int, precision: Precision
) -> Case:
    return Case(
        lambda engine: engine.gate(values, weight, top_k, multiplier, shift, precision),
        lambda: reference.gate(values.tolist(), weight.tolist(), top_k, multiplier, shift),
    )


def experts_case(
    normalised: IntArray,
    residual: IntArray,
    queues: list[QueueEntries],
    layers: Sequence[tuple[LinearWeights, LinearWeights]],
    grid: Grid,
    precision: Precision,
) -> Case:
    entries = [
        list(
            zip(
                queue.source_rows.tolist(),
                queue.destination_rows.tolist(),
                queue.scores.tolist(),
                strict=True,
            )
        )
        for queue in queues
    ]
    weights = [(plain(up), plain(down)) for up, down in layers]
    arguments = (normalised.tolist(), residual.tolist(), entries, weights, grid, precision)
    return Case(
        lambda engine: [engine.experts(normalised, residual, queues, layers, grid, precision)],
        lambda: [reference.experts(*arguments)],
    )


def gate_operands(rng: np.random.Generator, *shape: int) -> IntArray:
    """16-bit operands of the gate, some at its limits."""
    return np.clip(integers(rng, 16, *shape), -GATE_OPERAND_LIMIT, GATE_OPERAND_LIMIT)
