"""The operations: one dataclass each, with its operands and what edgemoe_golden.ops makes of them.

Whatever runs on an engine, `engine.run(operation)`, is one of these; one more is one more class here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.attention import attention
from edgemoe_golden.ops.experts import Expert, QueueEntries, experts
from edgemoe_golden.ops.gate import gate
from edgemoe_golden.ops.gelu import gelu_requantise
from edgemoe_golden.ops.head import head
from edgemoe_golden.ops.layernorm import layernorm
from edgemoe_golden.ops.linear import linear, linear_gelu, linear_residual, linear_weighted, prepare_linear
from edgemoe_golden.ops.matmul import exact_matmul
from edgemoe_golden.ops.patch_embed import patch_embed
from edgemoe_golden.ops.requantise import requantise
from edgemoe_golden.ops.softmax import exponential, reciprocal

IntArray = NDArray[np.int64]
Grid = tuple[int, int, int]  # multiplier, shift, zero of GELU's output


class Operation(ABC):
    """Operands as in edgemoe_golden.ops: int64 arrays; linear layers come as LinearWeights, experts as pairs of layers.

    name: the method of an engine that computes it.
    """

    name: ClassVar[str]

    @abstractmethod
    def golden(self) -> list[IntArray]:
        """By edgemoe_golden.ops."""


@dataclass(frozen=True, eq=False)
class Requantise(Operation):
    """sat(round_shift(values · multiplier, shift)) to `bits` bits; multiplier and shift broadcast."""

    name = "requantise"
    values: IntArray
    multiplier: IntArray | int
    shift: IntArray | int
    bits: int

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [requantise(self.values, self.multiplier, self.shift, self.bits)]


@dataclass(frozen=True, eq=False)
class Matmul(Operation):
    """limit: of the magnitude of either side's values."""

    name = "matmul"
    left: IntArray
    right: IntArray
    limit: int
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [exact_matmul(self.left, self.right, self.limit, self.limit)]


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """Rows [rows, inputs] through a layer, saturated to `bits` bits."""

    name = "linear"
    values: IntArray
    weights: LinearWeights
    bits: int
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [linear(self.values, prepare_linear(self.weights, self.precision), self.bits, self.precision)]


@dataclass(frozen=True, eq=False)
class LinearGelu(Operation):
    """A layer, then GELU onto the grid."""

    name = "linear_gelu"
    values: IntArray
    weights: LinearWeights
    grid: Grid
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [linear_gelu(self.values, prepare_linear(self.weights, self.precision), *self.grid, self.precision)]


@dataclass(frozen=True, eq=False)
class LinearResidual(Operation):
    """A layer added to the residual stream."""

    name = "linear_residual"
    values: IntArray
    weights: LinearWeights
    residual: IntArray
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        prepared = prepare_linear(self.weights, self.precision)
        return [linear_residual(self.values, prepared, self.residual, self.precision)]


@dataclass(frozen=True, eq=False)
class LinearWeighted(Operation):
    """A layer weighted by a score per row, added to the residual stream."""

    name = "linear_weighted"
    values: IntArray
    weights: LinearWeights
    score: IntArray
    residual: IntArray
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        prepared = prepare_linear(self.weights, self.precision)
        return [linear_weighted(self.values, prepared, self.score, self.residual, self.precision)]


@dataclass(frozen=True, eq=False)
class PatchEmbed(Operation):
    """patches: 0 … 255, of any type of integers."""

    name = "patch_embed"
    patches: NDArray[np.integer]
    weights: LinearWeights
    position: IntArray
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        prepared = prepare_linear(self.weights, self.precision)
        return [patch_embed(self.patches.astype(np.uint8), prepared, self.position, self.precision)]


@dataclass(frozen=True, eq=False)
class Head(Operation):
    """Rows [rows, inputs] through a head: 16-bit outputs."""

    name = "head"
    values: IntArray
    weights: LinearWeights
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [head(self.values, prepare_linear(self.weights, self.precision), self.precision)]


@dataclass(frozen=True, eq=False)
class LayerNorm(Operation):
    """Results: the output and, where there is a gate_shift, the gate's copy."""

    name = "layernorm"
    residual: IntArray
    gain: IntArray
    offset: IntArray
    epsilon: int
    shift: int
    gate_shift: int | None
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        affine = (self.gain, self.offset, self.epsilon, self.shift, self.gate_shift)
        return [part for part in layernorm(self.residual, *affine, self.precision) if part is not None]


@dataclass(frozen=True, eq=False)
class Exponential(Operation):
    """Of rows of scores."""

    name = "exponential"
    scores: IntArray
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [exponential(self.scores, self.precision)]


@dataclass(frozen=True, eq=False)
class Reciprocal(Operation):
    """Results: the inverses and the lengths."""

    name = "reciprocal"
    total: IntArray
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return list(reciprocal(self.total, self.precision))


@dataclass(frozen=True, eq=False)
class Attention(Operation):
    """scales: multiplier and shift of the scores, then of the output."""

    name = "attention"
    query: IntArray
    key: IntArray
    value: IntArray
    heads: int
    scales: tuple[int, int, int, int]
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [attention(self.query, self.key, self.value, self.heads, *self.scales, self.precision)]


@dataclass(frozen=True, eq=False)
class GeluRequantise(Operation):
    """GELU of values in Q.gelu_fraction, onto the grid."""

    name = "gelu_requantise"
    values: IntArray
    grid: Grid
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return [gelu_requantise(self.values, *self.grid, self.precision)]


@dataclass(frozen=True, eq=False)
class Gate(Operation):
    """Results: the chosen experts and their scores."""

    name = "gate"
    values: IntArray
    weight: IntArray
    top_k: int
    multiplier: int
    shift: int
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""
        return list(gate(self.values, self.weight, self.top_k, self.multiplier, self.shift))


@dataclass(frozen=True, eq=False)
class Experts(Operation):
    """One queue per expert, one pair of layers each. The weights of an expert without tokens must not be asked for."""

    name = "experts"
    normalised: IntArray
    residual: IntArray
    queues: list[QueueEntries]
    layers: Sequence[tuple[LinearWeights, LinearWeights]]
    grid: Grid
    precision: Precision

    def golden(self) -> list[IntArray]:
        """See Operation."""

        def weights_of(index: int) -> Expert:
            assert len(self.queues[index].scores), "weights of an expert without tokens were asked for"
            return Expert(*(prepare_linear(layer, self.precision) for layer in self.layers[index]))

        return [experts(self.normalised, self.residual, self.queues, weights_of, *self.grid, self.precision)]


OPERATIONS: tuple[type[Operation], ...] = tuple(Operation.__subclasses__())
