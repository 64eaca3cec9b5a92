"""What the scalar reference makes of each operation: the list that edgemoe_golden.ops has to give."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import reference

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
    Reciprocal,
    Requantise,
)
from edgemoe.spec.memory import LinearWeights


def plain(weights: LinearWeights) -> reference.Linear:
    """The reference's form of a layer."""
    return weights.weight.tolist(), weights.bias.tolist(), weights.multiplier.tolist(), weights.shift.tolist()


@singledispatch
def reference_of(op: Operation) -> list[Any]:
    """By the scalar reference."""
    raise NotImplementedError(f"tests/ops/reference.py has no {op.name}")


@reference_of.register
def _(op: Requantise) -> list[Any]:
    wide = np.broadcast_arrays(op.values, op.multiplier, op.shift)
    each = zip(*(array.reshape(-1).tolist() for array in wide), strict=True)
    flat = [reference.requantise(v, m, s, op.bits) for v, m, s in each]
    return [np.array(flat, dtype=np.int64).reshape(wide[0].shape)]


@reference_of.register
def _(op: Matmul) -> list[Any]:
    return [reference.matmul(op.left.tolist(), op.right.tolist())]


@reference_of.register
def _(op: Linear) -> list[Any]:
    return [reference.linear(op.values.tolist(), plain(op.weights), op.bits)]


@reference_of.register
def _(op: LinearGelu) -> list[Any]:
    return [reference.linear_gelu(op.values.tolist(), plain(op.weights), op.grid, op.precision)]


@reference_of.register
def _(op: LinearResidual) -> list[Any]:
    arguments = (op.values.tolist(), plain(op.weights), op.residual.tolist())
    return [reference.linear_residual(*arguments, op.precision.residual_bits)]


@reference_of.register
def _(op: LinearWeighted) -> list[Any]:
    arguments = (op.values.tolist(), plain(op.weights), op.score.tolist(), op.residual.tolist())
    return [reference.linear_weighted(*arguments, op.precision.residual_bits)]


@reference_of.register
def _(op: PatchEmbed) -> list[Any]:
    arguments = (op.patches.tolist(), plain(op.weights), op.position.tolist())
    return [reference.patch_embed(*arguments, op.precision.residual_bits)]


@reference_of.register
def _(op: Head) -> list[Any]:
    return [reference.linear(op.values.tolist(), plain(op.weights), 16)]


@reference_of.register
def _(op: LayerNorm) -> list[Any]:
    affine = (op.gain.tolist(), op.offset.tolist(), op.epsilon, op.shift, op.gate_shift)
    return [part for part in reference.layernorm(op.residual.tolist(), *affine, op.precision) if part is not None]


@reference_of.register
def _(op: Exponential) -> list[Any]:
    return [[reference.exponential(row, op.precision) for row in op.scores.tolist()]]


@reference_of.register
def _(op: Reciprocal) -> list[Any]:
    return list(zip(*(reference.reciprocal(total, op.precision) for total in op.total.tolist()), strict=True))


@reference_of.register
def _(op: Attention) -> list[Any]:
    tokens = (op.query.tolist(), op.key.tolist(), op.value.tolist())
    return [reference.attention(*tokens, op.heads, op.scales, op.precision)]


@reference_of.register
def _(op: GeluRequantise) -> list[Any]:
    return [[reference.gelu_requantise(value, *op.grid, op.precision) for value in op.values.tolist()]]


@reference_of.register
def _(op: Gate) -> list[Any]:
    numbers = (op.top_k, op.multiplier, op.shift)
    return list(reference.gate(op.values.tolist(), op.weight.tolist(), *numbers))


@reference_of.register
def _(op: Experts) -> list[Any]:
    entries = [
        list(zip(q.source_rows.tolist(), q.destination_rows.tolist(), q.scores.tolist(), strict=True))
        for q in op.queues
    ]
    weights = [(plain(up), plain(down)) for up, down in op.layers]
    rows = (op.normalised.tolist(), op.residual.tolist())
    return [reference.experts(*rows, entries, weights, op.grid, op.precision)]
