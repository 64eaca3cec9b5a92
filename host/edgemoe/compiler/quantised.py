"""A network in integers, as the compiler schedules it: one dataclass per part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.memory import LayerNormWeights, LinearWeights
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import Precision

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class QuantisedNorm:
    """LayerNorm: affine integers, the shifts of its two outputs, ε in the units of the sums, the outputs' scales.

    wide: the layers that follow read the copy of 16 bits, as gates do.
    """

    weights: LayerNormWeights
    shift: int
    gate_shift: int
    epsilon: int
    scale: float
    gate_scale: float
    wide: bool

    @property
    def read_scale(self) -> float:
        """Of the output that the following layers read."""
        return self.gate_scale if self.wide else self.scale


@dataclass(frozen=True)
class QuantisedAttention:
    """QKV and output projection with the two scales of attention.

    wide: query, key and value have 16 bits. wide_output: what the projection reads has.
    """

    qkv: LinearWeights
    projection: LinearWeights
    score_multiplier: int
    score_shift: int
    output_multiplier: int
    output_shift: int
    wide: bool
    wide_output: bool


@dataclass(frozen=True)
class HiddenGrid:
    """Grid of a hidden layer after GELU: multiplier and shift from GELU's fixed point, code of the real value 0.

    wide: activations of 16 bits.
    """

    multiplier: int
    shift: int
    zero: int
    scale: float
    wide: bool


@dataclass(frozen=True)
class QuantisedFeedForward:
    """Two linear layers with GELU between them: a dense MLP, or one expert."""

    up: LinearWeights
    down: LinearWeights


@dataclass(frozen=True)
class QuantisedGate:
    """One task's gate: weight [experts, D] of 16 bits, the scale from integer logits to base-2 Q.12, and the bias
    [experts] in units of logits, None without one.
    """

    weight: IntArray
    multiplier: int
    shift: int
    bias: IntArray | None = None


@dataclass(frozen=True)
class QuantisedMoe:
    """Mixture of experts: one gate per task, all experts on one hidden grid."""

    gates: tuple[QuantisedGate, ...]
    experts: tuple[QuantisedFeedForward, ...]


@dataclass(frozen=True)
class QuantisedBlock:
    """One pre-norm block."""

    norm1: QuantisedNorm
    attention: QuantisedAttention
    norm2: QuantisedNorm
    hidden: HiddenGrid
    mlp: QuantisedFeedForward | QuantisedMoe


@dataclass(frozen=True)
class QuantisedHead:
    """A task's head; real output = output_scale·integer."""

    norm: QuantisedNorm
    linear: LinearWeights
    output_scale: float


@dataclass(frozen=True)
class QuantisedModel:
    """A whole network in integers, before anything is said about hardware shapes.

    wide, narrow: activations of 16 bits and layers with weights of 4 in W8A8 builds; see Calibration.
    """

    config: ModelConfig
    precision: Precision
    residual_scale: float
    patch_embed: LinearWeights
    position: IntArray
    blocks: tuple[QuantisedBlock, ...]
    heads: dict[str, QuantisedHead]
    wide: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
