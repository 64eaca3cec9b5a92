"""A model without weights: enough to compile, and so to know instructions, memory and predicted cycles of a shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.quantised import (
    HiddenGrid,
    QuantisedAttention,
    QuantisedBlock,
    QuantisedFeedForward,
    QuantisedGate,
    QuantisedHead,
    QuantisedModel,
    QuantisedMoe,
    QuantisedNorm,
)
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.memory import LayerNormWeights, LinearWeights
from edgemoe.spec.model import ModelConfig


def hollow_model(config: ModelConfig, hardware: HardwareConfig) -> QuantisedModel:
    """A model of the right shapes with all weights 0 that take no memory: enough to compile."""

    def zeros(*shape: int) -> NDArray[np.int64]:
        return np.broadcast_to(np.zeros(1, dtype=np.int64), shape)

    def linear(outputs: int, inputs: int) -> LinearWeights:
        return LinearWeights(zeros(outputs, inputs), zeros(outputs), zeros(outputs), zeros(outputs))

    width = config.width
    norm = QuantisedNorm(LayerNormWeights(zeros(width), zeros(width)), 1, 1, 1, 1.0, 1.0, wide=False)
    attention = QuantisedAttention(
        linear(3 * width, width), linear(width, width), 0, 0, 0, 0, wide=False, wide_output=False
    )

    def feed_forward(hidden: int) -> QuantisedFeedForward:
        return QuantisedFeedForward(linear(hidden, width), linear(width, hidden))

    def block(index: int) -> QuantisedBlock:
        gates = (QuantisedGate(zeros(config.experts, width), 0, 0),) * len(config.tasks)
        moe = QuantisedMoe(gates, (feed_forward(config.expert_hidden),) * config.experts)
        mlp = moe if index in config.moe_blocks else feed_forward(config.mlp_hidden)
        return QuantisedBlock(norm, attention, norm, HiddenGrid(0, 0, 0, 1.0, wide=False), mlp)

    heads = {t.name: QuantisedHead(norm, linear(config.head_outputs(t.name), width), 1.0) for t in config.tasks}
    patch_embed, position = linear(width, config.patch_features), zeros(config.input_rows + 1, width)
    blocks = tuple(block(index) for index in range(config.depth))
    return QuantisedModel(config, hardware.numbers, 1.0, patch_embed, position, blocks, heads)
