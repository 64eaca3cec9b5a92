"""The network's parts in float on tensors of a checkpoint, without the module that trains: what the steps evaluate.

Streams are [B, N, D], B over tasks and pictures; rows are [B·N, features].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.model import ModelConfig
from edgemoe_golden.model.layers import top_k
from edgemoe_golden.quantising.rewrites import State


def embedded(config: ModelConfig, state: State, frames: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Residual stream [pictures, N, D] before the first block; frames uint8 [H, W, channels]."""
    mean, deviation = (torch.tensor(each).view(-1, 1, 1) for each in (config.pixel_mean, config.pixel_std))
    weight, bias = (state[f"backbone.patch_embed.proj.{part}"] for part in ("weight", "bias"))
    names = ("backbone.cls_token", "backbone.register_tokens")
    prefix = [state[name] for name in names if name in state]
    tokens = []
    for frame in frames:
        pixels = (torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 255 - mean) / deviation
        patches = functional.conv2d(pixels[None], weight, bias, stride=config.patch_step).flatten(2).transpose(1, 2)
        tokens.append(torch.cat([*prefix, patches], 1) + state["backbone.pos_embed"])
    return torch.cat(tokens)


def normalised(config: ModelConfig, state: State, name: str, stream: Tensor) -> Tensor:
    """LayerNorm of a stream, as rows [B·N, D]."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.layer_norm(stream, (config.width,), weight, bias, config.layernorm_epsilon).flatten(0, 1)


def attended(query: Tensor, key: Tensor, value: Tensor, heads: int, tokens: int) -> Tensor:
    """softmax(q·kᵀ/√d)·v, all [B·N, D], one picture at a time."""

    def split(rows: Tensor) -> Tensor:
        return rows.view(-1, tokens, heads, rows.shape[1] // heads).transpose(1, 2)

    parts = []
    for q, k, v in zip(split(query), split(key), split(value), strict=True):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        parts.append((scores.softmax(-1) @ v).transpose(0, 1).reshape(tokens, -1))
    return torch.cat(parts)


@dataclass(frozen=True)
class Routes:
    """Which rows each expert gets, expert by expert: row [routed], score [routed], first [E + 1] of each expert."""

    row: Tensor
    score: Tensor
    first: tuple[int, ...]

    def of(self, expert: int) -> slice:
        """Where an expert's rows stand."""
        return slice(self.first[expert], self.first[expert + 1])

    def count(self, expert: int) -> int:
        """How many rows an expert has."""
        return self.first[expert + 1] - self.first[expert]


def routed(config: ModelConfig, state: State, block: int, rows: Tensor, task: Tensor) -> Routes:
    """Routes of rows [B·N, D], as the gates read them; task [B·N]: which task's gate."""
    logits = torch.empty(len(rows), config.experts)
    for index in range(len(config.tasks)):
        own = task == index
        name = f"backbone.blocks.{block}.mlp.gate.{index}"
        logits[own] = rows[own] @ state[f"{name}.w_gate"] + state.get(f"{name}.bias", torch.zeros(1))
    scores, chosen = top_k(logits.softmax(-1), config.top_k)
    if config.renormalised_scores:
        scores = scores / scores.sum(1, keepdim=True)
    found = [(chosen == expert).nonzero(as_tuple=True) for expert in range(config.experts)]
    first = np.cumsum([0, *(len(row) for row, _ in found)])
    row = torch.cat([row for row, _ in found])
    return Routes(row, torch.cat([scores[each] for each in found]), tuple(first.tolist()))


def experts_sum(rows: int, routes: Routes, outputs: Tensor) -> Tensor:
    """Σ score·output of every row, [rows, D]; outputs [routed, D]."""
    total = torch.zeros(rows, outputs.shape[1])
    return total.index_add(0, routes.row, outputs * routes.score[:, None])


def per_expert(rows: Tensor, routes: Routes, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Every expert's linear layer on its own rows: [routed, inputs] to [routed, outputs]; weight [E, outputs, …]."""
    parts = []
    for expert in range(len(weight)):
        own = None if bias is None else bias[expert]
        parts.append(functional.linear(rows[routes.of(expert)], weight[expert], own))
    return torch.cat(parts)
