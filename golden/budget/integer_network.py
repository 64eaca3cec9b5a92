"""A quantised network as plain function calls on the golden operations, block by block.

What a program makes of it on the golden device, without packing weights into a stream: so one block can be tried again
with other widths from where the one before it ended. Equal to the device in every bit (tests/golden).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.quantised import (
    QuantisedBlock,
    QuantisedFeedForward,
    QuantisedModel,
    QuantisedMoe,
    QuantisedNorm,
)
from edgemoe.frames import input_image
from edgemoe.spec.isa import Activation
from edgemoe.spec.memory import LinearWeights, row_pitch
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.attention import attention
from edgemoe_golden.ops.experts import Expert, expert_queue, experts
from edgemoe_golden.ops.gate import gate_logits, gate_scores, top_k_experts
from edgemoe_golden.ops.head import head
from edgemoe_golden.ops.layernorm import layernorm, residual_copy
from edgemoe_golden.ops.linear import (
    PreparedLinear,
    linear_activations,
    linear_gelu,
    linear_residual,
    prepare_linear,
)
from edgemoe_golden.ops.patch_embed import patch_embed

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BlockResult:
    """residual [tokens, D] after a block; chosen experts [tokens, k] of its gate, None in a dense block."""

    residual: IntArray
    chosen: IntArray | None


def embedded(model: QuantisedModel, frame: NDArray[np.uint8]) -> IntArray:
    """Residual stream [tokens, D] before the first block; frame uint8 [H, W, 3] at the model's size."""
    config = model.config
    pitch = row_pitch(config.embedded_features, 1)
    patches = input_image(frame, config).reshape(config.input_rows, pitch)[:, : config.embedded_features]
    weights = prepare_linear(model.patch_embed, model.precision)
    return patch_embed(patches, weights, model.position, model.precision)[config.first_row :]


class IntegerBlock:
    """One block with its weights prepared once."""

    def __init__(self, block: QuantisedBlock, config: ModelConfig, precision: Precision) -> None:
        self.block, self.config, self.precision = block, config, precision
        self.qkv = self._prepared(block.attention.qkv)
        self.projection = self._prepared(block.attention.projection)

    def _prepared(self, weights: LinearWeights) -> PreparedLinear:
        return prepare_linear(weights, self.precision)

    def _pair(self, layers: QuantisedFeedForward) -> Expert:
        return Expert(self._prepared(layers.up), self._prepared(layers.down))

    @cached_property
    def _layers(self) -> list[Expert]:
        """The MLP's two layers, or those of all experts."""
        mlp = self.block.mlp
        return [self._pair(each) for each in (mlp.experts if isinstance(mlp, QuantisedMoe) else (mlp,))]

    def run(self, residual: IntArray, task: int, forced: IntArray | None = None) -> BlockResult:
        """The block on one task's tokens [tokens, D].

        forced: experts [tokens, k] taken in place of the gate's choice, with the scores that the gate gives them.
        """
        return self._mlp_half(self._attention_half(residual), residual, task, forced)

    def _norm(self, norm: QuantisedNorm, residual: IntArray) -> tuple[IntArray, IntArray]:
        """(what the layers after it read, what a gate reads)."""
        weights = norm.weights
        shifts = norm.epsilon, norm.shift, norm.gate_shift
        output, copy = layernorm(residual, weights.gain, weights.offset, *shifts, self.precision)
        assert copy is not None
        return (copy if norm.wide else output), copy

    def _attention_half(self, residual: IntArray) -> IntArray:
        own, precision, norm = self.block.attention, self.precision, self.block.norm1
        tokens = self._norm(norm, residual)[0]
        joint = linear_activations(tokens, self.qkv, norm.wide, own.wide, precision)
        score, output = (own.score_multiplier, own.score_shift), (own.output_multiplier, own.output_shift)
        query, key, value = np.split(joint, 3, axis=1)
        wide = own.wide, own.wide_output
        heads = attention(query, key, value, self.config.heads, *score, *output, precision, *wide)
        return linear_residual(heads, self.projection, residual, precision, own.wide_output)

    def _mlp_half(self, residual: IntArray, before: IntArray, task: int, forced: IntArray | None) -> BlockResult:
        block, precision = self.block, self.precision
        tokens, copy = self._norm(block.norm2, residual)
        grid = block.hidden.multiplier, block.hidden.shift, block.hidden.zero
        wide = block.norm2.wide, block.hidden.wide
        modes = *wide, Activation[self.config.activation.upper()]
        if not isinstance(block.mlp, QuantisedMoe):
            layers = self._layers[0]
            hidden = linear_gelu(tokens, layers.up, *grid, precision, *modes)
            return BlockResult(linear_residual(hidden, layers.down, residual, precision, wide[1]), None)
        own = block.mlp.gates[task]
        if self.config.gate_input_ahead:
            copy = residual_copy(before, precision)
        logits = gate_logits(copy, own.weight, own.bias)
        chosen = top_k_experts(logits, self.config.top_k)
        taken = chosen if forced is None else forced
        scores = gate_scores(logits, taken, own.multiplier, own.shift, self.config.renormalised_scores)
        queues = [expert_queue(expert, taken, scores, 0, 0) for expert in range(self.config.experts)]
        updated = experts(tokens, residual, queues, self._layers.__getitem__, *grid, precision, *modes)
        return BlockResult(updated, chosen)


def head_output(model: QuantisedModel, task: str, residual: IntArray) -> NDArray[np.float64]:
    """Real outputs [rows, outputs] of a task's head on the residual stream [tokens, D] after the last block."""
    own, precision = model.heads[task], model.precision
    first, rows = model.config.head_rows(task)
    norm, weights = own.norm, own.norm.weights
    shifts = norm.epsilon, norm.shift, norm.gate_shift
    output, copy = layernorm(residual[first : first + rows], weights.gain, weights.offset, *shifts, precision)
    values = copy if norm.wide and copy is not None else output
    integers = head(values, prepare_linear(own.linear, precision), precision, norm.wide)
    return integers.astype(np.float64) * own.output_scale
