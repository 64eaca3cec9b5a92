"""Float weights → Edge-MoE's formats (B6, "Formats"; m3vit notes, §4): cut and wrapped, never scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import Tensors, load_checkpoint
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.edge_moe.experts import Expert, Gate
from edgemoe_golden.edge_moe.fixed import (
    ATTENTION_BIAS,
    BIAS,
    FEATURE,
    NORM_WEIGHT,
    PATCH_WEIGHT,
    WEIGHT,
    Format,
    IntArray,
    outside,
    to_fixed,
)
from edgemoe_golden.edge_moe.layernorm import Norm
from edgemoe_golden.edge_moe.linear import Linear
from edgemoe_golden.model.variant import MASKED


@dataclass(frozen=True)
class Block:
    """One pre-norm block; a mixture has one gate per task and all experts, a dense block no gate and one expert."""

    norm1: Norm
    qkv: Linear
    projection: Linear
    norm2: Norm
    gates: tuple[Gate, ...]
    experts: tuple[Expert, ...]


@dataclass(frozen=True)
class Weights:
    """A network in fixed point. epsilon: LayerNorm's, in units of 2^-22.

    wrapped: tensor → how many of its values its format cannot hold; they wrap around, as upstream.
    """

    config: ModelConfig
    patch: Linear
    position: IntArray
    epsilon: int
    blocks: tuple[Block, ...]
    wrapped: dict[str, int]


def load_weights(folder: Path) -> Weights:
    """Weights of a checkpoint folder, imported or trained; raises CheckpointError or ConfigError."""
    return fixed_weights(*load_checkpoint(folder))


def load_raw_weights(folder: Path, config: ModelConfig) -> Weights:
    """Weights straight from Edge-MoE's folder of *.float32.bin; raises CheckpointError."""
    from edgemoe_golden.importing.edge_moe import from_edge_moe

    imported = from_edge_moe(folder, config)
    tensors = {name: value.numpy() for name, value in imported.tensors.items()}
    return fixed_weights(imported.config, tensors)


def fixed_weights(config: ModelConfig, tensors: Tensors) -> Weights:
    """Convert checked tensors; raises ArgumentError for values that are not finite."""
    return _Converter(config, tensors).weights()


class _Converter:
    """Holds what every step needs; one method per part of the network."""

    def __init__(self, config: ModelConfig, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self.config = config
        self.tensors = tensors
        self.wrapped: dict[str, int] = {}

    def weights(self) -> Weights:
        patch, position = self._patch_embed(), self._position()
        epsilon = math.floor(self.config.layernorm_epsilon * 2**FEATURE.fraction)
        blocks = tuple(self._block(index) for index in range(self.config.depth))
        return Weights(self.config, patch, position, epsilon, blocks, self.wrapped)

    def _fixed(self, name: str, form: Format, values: NDArray[np.floating] | None = None) -> IntArray:
        values = self.tensors[name] if values is None else values
        count = outside(values, form)
        if count:
            self.wrapped[name] = count
        return to_fixed(values, form)

    def _aligned(self, name: str, form: Format, values: NDArray[np.floating] | None = None) -> IntArray:
        """In Q10.22, after the conversion to `form`."""
        return self._fixed(name, form, values) << (FEATURE.fraction - form.fraction)

    def _patch_embed(self) -> Linear:
        """The normalisation (p/255 − mean)/std is folded, for Edge-MoE takes p/256; its own weights do not change."""
        name, config = "backbone.patch_embed.proj", self.config
        weight = self.tensors[f"{name}.weight"].astype(np.float64)
        std = np.array(config.pixel_std)[:, None, None]
        mean = np.array(config.pixel_mean)[:, None, None]
        bias = self.tensors[f"{name}.bias"] - (weight * (mean / std)).sum(axis=(1, 2, 3))
        scaled = (weight * (256 / 255 / std)).reshape(config.width, -1)
        fixed = self._fixed(f"{name}.weight", PATCH_WEIGHT, scaled).astype(np.int16)
        return Linear(fixed, self._aligned(f"{name}.bias", BIAS, bias))

    def _position(self) -> IntArray:
        """Row 0 holds the class token too."""
        position = self.tensors["backbone.pos_embed"][0].astype(np.float64)
        position[0] += self.tensors["backbone.cls_token"][0, 0]
        return self._fixed("backbone.pos_embed", FEATURE, position)

    def _linear(self, name: str, bias_format: Format) -> Linear:
        weight = self._fixed(f"{name}.weight", WEIGHT).astype(np.int16)
        return Linear(weight, self._aligned(f"{name}.bias", bias_format))

    def _norm(self, name: str) -> Norm:
        return Norm(self._fixed(f"{name}.weight", NORM_WEIGHT), self._aligned(f"{name}.bias", BIAS))

    def _block(self, index: int) -> Block:
        name = f"backbone.blocks.{index}"
        gates: tuple[Gate, ...] = ()
        if index in self.config.moe_blocks:
            gates = tuple(self._gate(f"{name}.mlp.gate.{task}") for task in range(len(self.config.tasks)))
            ups, downs = (self._linear(f"{name}.mlp.experts.{part}", BIAS) for part in ("htoh4", "h4toh"))
            experts = tuple(
                Expert(Linear(ups.weight[e], ups.bias[e]), Linear(downs.weight[e], downs.bias[e]))
                for e in range(self.config.experts)
            )
        else:
            experts = (Expert(self._linear(f"{name}.mlp.fc1", BIAS), self._linear(f"{name}.mlp.fc2", BIAS)),)
        return Block(
            norm1=self._norm(f"{name}.norm1"),
            qkv=self._linear(f"{name}.attn.qkv", ATTENTION_BIAS),
            projection=self._linear(f"{name}.attn.proj", ATTENTION_BIAS),
            norm2=self._norm(f"{name}.norm2"),
            gates=gates,
            experts=experts,
        )

    def _gate(self, name: str) -> Gate:
        weight = np.ascontiguousarray(self._fixed(f"{name}.w_gate", WEIGHT).T.astype(np.int16))
        bias = np.zeros(self.config.experts, dtype=np.int64)
        window = np.ones(self.config.experts, dtype=bool)
        if self.config.gate_bias:
            real = self.tensors[f"{name}.bias"]
            window = real > MASKED / 2
            bias = self._fixed(f"{name}.bias", FEATURE, np.where(window, real, 0))
        return Gate(
            Linear(weight, bias), tuple(window.tolist()), self.config.renormalised_scores, self.config.gate_input_ahead
        )
