"""One frame through Edge-MoE's arithmetic: patch embedding and all blocks; no final norm, no heads (B6, "Block")."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.edge_moe.attention import attention
from edgemoe_golden.edge_moe.elementary import UndefinedError
from edgemoe_golden.edge_moe.experts import FullQueue, TopK, feed_forward, mixture, route
from edgemoe_golden.edge_moe.fixed import IntArray, wrap
from edgemoe_golden.edge_moe.layernorm import layernorm
from edgemoe_golden.edge_moe.linear import linear, patch_embed
from edgemoe_golden.edge_moe.weights import Block, Weights, load_raw_weights, load_weights

Trace = dict[str, IntArray]


@dataclass(frozen=True)
class Options:
    """What to do where the released code is wrong; by default, what it means (B5.1, B5.2)."""

    top_k: TopK = TopK.REPAIRED
    full_queue: FullQueue = FullQueue.SERVED


@dataclass
class Frame:
    """Result of one frame and task; all in Q10.22 as int64, but expert numbers.

    tokens [N, D]: after the last block, row 0 the class token. embedded [N, D]: before the first. layers: one trace per
    block, filled when asked for:

        norm1, norm2              [N, D]
        query, key, value         [N, D]       heads side by side; the key with its bias
        scores                    [heads, N, N]
        softmax.maximum           [heads, N]
        softmax.reciprocal        [heads, N]   of the sum of exponentials
        attention                 [N, D]       P·V
        projection                [N, D]
        attention.residual        [N, D]       after the first addition
        hidden                    [N, H]       after GELU, dense blocks
        gate.logits               [N, E]       MoE blocks
        gate.experts, gate.scores [N, k]       best first
        experts.e.hidden          [rows, H]    after GELU, MoE blocks: expert e's rows, ascending
        mlp                       [N, D]       what the second addition adds
        mlp.residual              [N, D]       after it
    """

    embedded: IntArray
    tokens: IntArray
    layers: list[Trace] = field(default_factory=list)


class EdgeMoe:
    """A network in Edge-MoE's formats, ready for frames."""

    def __init__(self, weights: Weights, options: Options | None = None) -> None:
        self.weights = weights
        self.options = options or Options()

    @classmethod
    def from_checkpoint(cls, folder: Path, options: Options | None = None) -> EdgeMoe:
        """Of a checkpoint folder, as `edgemoe import` or training writes it; raises CheckpointError, ConfigError."""
        return cls(load_weights(folder), options)

    @classmethod
    def from_raw(cls, folder: Path, config: ModelConfig, options: Options | None = None) -> EdgeMoe:
        """Of Edge-MoE's own folder of *.float32.bin; raises CheckpointError."""
        return cls(load_raw_weights(folder, config), options)

    @property
    def config(self) -> ModelConfig:
        """Shape of the network."""
        return self.weights.config

    def run(self, frame: NDArray[np.uint8], task: str, trace: bool = False) -> Frame:
        """One uint8 RGB frame [H, W, 3] with the gates of `task`.

        Raises ArgumentError for a frame of another type or size, ConfigError for an unknown task, UndefinedError naming
        the block where Edge-MoE's arithmetic has no defined result.
        """
        config = self.config
        expected = (config.image_height, config.image_width, 3)
        if frame.dtype != np.uint8 or frame.shape != expected:
            raise ArgumentError(
                f"model '{config.name}' takes a uint8 frame {expected}, found {frame.dtype.name} {frame.shape}; resize"
            )
        index = config.task_index(task)
        tokens = patch_embed(frame, config.patch, self.weights.patch, self.weights.position)
        result = Frame(tokens, tokens)
        for number, block in enumerate(self.weights.blocks):
            record: Trace = {}
            try:
                result.tokens = self._block(block, result.tokens, index, record)
            except UndefinedError as error:
                raise UndefinedError(f"block {number}, task '{task}': {error}") from error
            if trace:
                result.layers.append(record)
        return result

    def _block(self, block: Block, tokens: IntArray, task: int, record: Trace) -> IntArray:
        """x += projection(attention(norm1(x))), then x += mlp(norm2(x)); every value by name goes to `record`."""
        record["norm1"] = layernorm(tokens, block.norm1, self.weights.epsilon)
        query, key, value = np.split(linear(record["norm1"], block.qkv), 3, axis=1)
        attended = attention(query, key, value, self.config.heads)
        record |= {"query": query, "key": key, "value": value, "scores": attended.scores}
        record |= {"softmax.maximum": attended.maximum, "softmax.reciprocal": attended.reciprocal}
        record["attention"] = attended.output
        record["projection"] = linear(attended.output, block.projection)
        residual = record["attention.residual"] = wrap(tokens + record["projection"])
        record["norm2"] = layernorm(residual, block.norm2, self.weights.epsilon)
        record["mlp"] = self._mlp(block, tokens, record["norm2"], task, record)
        record["mlp.residual"] = wrap(residual + record["mlp"])
        return record["mlp.residual"]

    def _mlp(self, block: Block, before: IntArray, normed: IntArray, task: int, record: Trace) -> IntArray:
        if not block.gates:
            record["hidden"], output = feed_forward(normed, block.experts[0])
            return output
        gate = block.gates[task]
        routed = route(before if gate.ahead else normed, gate, self.config.top_k, self.options.top_k)
        record |= {"gate.logits": routed.logits, "gate.experts": routed.experts, "gate.scores": routed.scores}
        output, hidden = mixture(normed, routed, block.experts, self.options.full_queue)
        record |= {f"experts.{expert}.hidden": values for expert, values in hidden.items()}
        return output
