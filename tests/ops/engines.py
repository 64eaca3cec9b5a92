"""Engines under test: whatever computes the operations of edgemoe_golden.ops. One more is one more entry of ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import MAX_FEATURES, MAX_TOKENS, Precision
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


class EngineNotBuiltError(Exception):
    """The engine exists but is not built here; the message is one sentence that says how to build it."""


@dataclass(frozen=True)
class Limits:
    """How far an engine goes, where a test goes as far as it can.

    tokens: keys of one attention. top_k: experts chosen per token. gate_features: inputs of a gate's logit. repeats:
    whether a queue may name a row twice.
    """

    tokens: int
    top_k: int
    gate_features: int
    repeats: bool


MOST = Limits(tokens=MAX_TOKENS, top_k=16, gate_features=MAX_FEATURES, repeats=True)


class OpEngine(Protocol):
    """One method per operation, arguments and results as in edgemoe_golden.ops: int64 arrays in, int64 arrays out.

    Linear layers come as LinearWeights, experts as one pair of layers each.
    """

    name: str
    limits: Limits

    def requantise(
        self, values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int
    ) -> IntArray: ...

    def matmul(self, left: IntArray, right: IntArray, limit: int, precision: Precision) -> IntArray: ...

    def layernorm(
        self,
        residual: IntArray,
        gain: IntArray,
        offset: IntArray,
        epsilon: int,
        shift: int,
        gate_shift: int | None,
        precision: Precision,
    ) -> tuple[IntArray, IntArray | None]: ...

    def exponential(self, scores: IntArray, precision: Precision) -> IntArray: ...

    def reciprocal(self, total: IntArray, precision: Precision) -> tuple[IntArray, IntArray]: ...

    def attention(
        self,
        query: IntArray,
        key: IntArray,
        value: IntArray,
        heads: int,
        scales: tuple[int, int, int, int],
        precision: Precision,
    ) -> IntArray: ...

    def gelu_requantise(self, values: IntArray, grid: Grid, precision: Precision) -> IntArray: ...

    def linear(self, values: IntArray, weights: LinearWeights, bits: int, precision: Precision) -> IntArray: ...

    def linear_gelu(self, values: IntArray, weights: LinearWeights, grid: Grid, precision: Precision) -> IntArray: ...

    def linear_residual(
        self, values: IntArray, weights: LinearWeights, residual: IntArray, precision: Precision
    ) -> IntArray: ...

    def linear_weighted(
        self,
        values: IntArray,
        weights: LinearWeights,
        score: IntArray,
        residual: IntArray,
        precision: Precision,
    ) -> IntArray: ...

    def patch_embed(
        self, patches: NDArray[np.uint8], weights: LinearWeights, position: IntArray, precision: Precision
    ) -> IntArray: ...

    def gate(
        self,
        values: IntArray,
        weight: IntArray,
        top_k: int,
        multiplier: int,
        shift: int,
        precision: Precision,
    ) -> tuple[IntArray, IntArray]: ...

    def experts(
        self,
        normalised: IntArray,
        residual: IntArray,
        queues: list[QueueEntries],
        layers: Sequence[tuple[LinearWeights, LinearWeights]],
        grid: Grid,
        precision: Precision,
    ) -> IntArray: ...

    def head(self, values: IntArray, weights: LinearWeights, precision: Precision) -> IntArray: ...


class GoldenEngine:
    """edgemoe_golden.ops itself."""

    name = "golden"
    limits = MOST

    def requantise(self, values: IntArray, multiplier: IntArray | int, shift: IntArray | int, bits: int) -> IntArray:
        return requantise(values, multiplier, shift, bits)

    def matmul(self, left: IntArray, right: IntArray, limit: int, precision: Precision) -> IntArray:
        return exact_matmul(left, right, limit, limit)

    def layernorm(
        self,
        residual: IntArray,
        gain: IntArray,
        offset: IntArray,
        epsilon: int,
        shift: int,
        gate_shift: int | None,
        precision: Precision,
    ) -> tuple[IntArray, IntArray | None]:
        return layernorm(residual, gain, offset, epsilon, shift, gate_shift, precision)

    def exponential(self, scores: IntArray, precision: Precision) -> IntArray:
        return exponential(scores, precision)

    def reciprocal(self, total: IntArray, precision: Precision) -> tuple[IntArray, IntArray]:
        return reciprocal(total, precision)

    def attention(
        self,
        query: IntArray,
        key: IntArray,
        value: IntArray,
        heads: int,
        scales: tuple[int, int, int, int],
        precision: Precision,
    ) -> IntArray:
        return attention(query, key, value, heads, *scales, precision)

    def gelu_requantise(self, values: IntArray, grid: Grid, precision: Precision) -> IntArray:
        return gelu_requantise(values, *grid, precision)

    def linear(self, values: IntArray, weights: LinearWeights, bits: int, precision: Precision) -> IntArray:
        return linear(values, prepare_linear(weights, precision), bits, precision)

    def linear_gelu(self, values: IntArray, weights: LinearWeights, grid: Grid, precision: Precision) -> IntArray:
        return linear_gelu(values, prepare_linear(weights, precision), *grid, precision)

    def linear_residual(
        self, values: IntArray, weights: LinearWeights, residual: IntArray, precision: Precision
    ) -> IntArray:
        return linear_residual(values, prepare_linear(weights, precision), residual, precision)

    def linear_weighted(
        self,
        values: IntArray,
        weights: LinearWeights,
        score: IntArray,
        residual: IntArray,
        precision: Precision,
    ) -> IntArray:
        return linear_weighted(values, prepare_linear(weights, precision), score, residual, precision)

    def patch_embed(
        self, patches: NDArray[np.uint8], weights: LinearWeights, position: IntArray, precision: Precision
    ) -> IntArray:
        return patch_embed(patches, prepare_linear(weights, precision), position, precision)

    def gate(
        self,
        values: IntArray,
        weight: IntArray,
        top_k: int,
        multiplier: int,
        shift: int,
        precision: Precision,
    ) -> tuple[IntArray, IntArray]:
        return gate(values, weight, top_k, multiplier, shift)

    def experts(
        self,
        normalised: IntArray,
        residual: IntArray,
        queues: list[QueueEntries],
        layers: Sequence[tuple[LinearWeights, LinearWeights]],
        grid: Grid,
        precision: Precision,
    ) -> IntArray:
        def weights_of(index: int) -> Expert:
            assert len(queues[index].scores), "weights of an expert without tokens were asked for"
            return Expert(*(prepare_linear(layer, precision) for layer in layers[index]))

        return experts(normalised, residual, queues, weights_of, *grid, precision)

    def head(self, values: IntArray, weights: LinearWeights, precision: Precision) -> IntArray:
        return head(values, prepare_linear(weights, precision), precision)


GOLDEN = GoldenEngine()

# Name → how to get the engine; raises EngineNotBuiltError.


def _csim() -> OpEngine:
    from csim_engine import CsimEngine

    return CsimEngine()


def _rtl() -> OpEngine:
    from rtl_engine import RtlEngine

    return RtlEngine()


ENGINES: dict[str, Callable[[], OpEngine]] = {"golden": lambda: GOLDEN, "csim": _csim, "rtl": _rtl}
