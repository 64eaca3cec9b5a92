"""Layers of M³ViT (`models/vision_transformer_moe.py`): attention, dense MLP, gate, mixture of experts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgemoe.spec.model import ModelConfig
from edgemoe_golden.model.recorder import Recorder

# In training, experts' rows are padded to a multiple of this: oneDNN builds a new kernel for every new shape.
TRAINING_ROWS = 64


class Attention(nn.Module):
    """Multi-head self-attention without mask: softmax(q·kᵀ/√d)·v, then a projection.

    The key bias is left out: it adds q·b to all scores of a query, which softmax cancels exactly.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, recorder: Recorder, name: str) -> Tensor:
        """Map [B, N, D] to [B, N, D]."""
        batch, count, width = tokens.shape
        query_bias, _, value_bias = self.qkv.bias.chunk(3)
        bias = torch.cat([query_bias, torch.zeros_like(query_bias), value_bias])
        qkv = functional.linear(tokens, self.qkv.weight, bias)
        query, key, value = qkv.view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # Explicit products: faster than scaled_dot_product_attention on CPUs at these sizes, and recordable.
        scores = query @ key.transpose(-2, -1) / math.sqrt(width // self.heads)
        attention = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, count, width)
        for part, tensor in (("query", query), ("key", key), ("value", value), ("scores", scores)):
            recorder.record(f"{name}.{part}", tensor)
        recorder.record(f"{name}.attention", attention)
        output: Tensor = self.proj(attention)
        return output


def quick_gelu(values: Tensor) -> Tensor:
    """x·sigmoid(1.702·x)."""
    return values * torch.sigmoid(1.702 * values)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": functional.relu,
}


class Mlp(nn.Module):
    """Dense MLP: Linear, activation function, Linear."""

    def __init__(self, width: int, hidden: int, activation: str = "gelu") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, task: int, recorder: Recorder, name: str, before: Tensor | None = None) -> Tensor:
        """Map [B, N, D] to [B, N, D]; `task` and `before` make no difference."""
        hidden = self.activation(self.fc1(tokens))
        recorder.record(f"{name}.hidden", hidden.flatten(0, 1))
        output: Tensor = self.fc2(hidden)
        return output


class Gate(nn.Module):
    """Router of one task."""

    def __init__(self, width: int, experts: int, biased: bool) -> None:
        super().__init__()
        self.w_gate = nn.Parameter(torch.empty(width, experts))
        self.bias = nn.Parameter(torch.empty(experts)) if biased else None

    def forward(self, rows: Tensor) -> Tensor:
        """Logits [rows, E] of [rows, D], in float32 whatever the autocast."""
        with torch.autocast(rows.device.type, enabled=False):
            logits = rows.float() @ self.w_gate.float()
            return logits if self.bias is None else logits + self.bias.float()


def top_k(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest `count` values of every row and their indices, best first, of equals the lowest index."""
    ordered, indices = values.sort(dim=-1, descending=True, stable=True)
    return ordered[:, :count], indices[:, :count]


class ExpertLinear(nn.Module):
    """One linear layer per expert: weight [E, out, in], bias [E, out]."""

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(experts, outputs))


class Experts(nn.Module):
    """Two linear layers per expert, under M³ViT's names."""

    def __init__(self, experts: int, width: int, hidden: int) -> None:
        super().__init__()
        self.htoh4 = ExpertLinear(experts, width, hidden)
        self.h4toh = ExpertLinear(experts, hidden, width)


class MixtureOfExperts(nn.Module):
    """y = Σⱼ pⱼ · (W2 GELU(W1 x + b1) + b2) over the k chosen experts; each task has its own gate.

    p is the softmax over all experts, renormalised after the choice only where the configuration says so.
    Every token is routed, the class token too, and none is dropped.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.activation = ACTIVATIONS[config.activation]
        self.renormalised = config.renormalised_scores
        self.gate_input_ahead = config.gate_input_ahead
        self.gate = nn.ModuleList(Gate(config.width, config.experts, config.gate_bias) for _ in config.tasks)
        self.experts = Experts(config.experts, config.width, config.expert_hidden)

    def forward(self, tokens: Tensor, task: int, recorder: Recorder, name: str, before: Tensor | None = None) -> Tensor:
        """Map [B, N, D] to [B, N, D] with the gate of `task`.

        before: the block's input [B, N, D], which gates read in place of `tokens` where the configuration says so.
        """
        rows = tokens.flatten(0, 1)
        read = rows if before is None or not self.gate_input_ahead else before.flatten(0, 1)
        logits = self.gate[task](read)
        scores, chosen = top_k(logits.softmax(-1), self.top_k)
        if self.renormalised:
            scores = scores / scores.sum(1, keepdim=True)
        recorder.record(f"{name}.gate.logits", logits)
        recorder.record(f"{name}.gate.experts", chosen)
        recorder.record(f"{name}.gate.scores", scores)

        first, second = self.experts.htoh4, self.experts.h4toh
        layers = zip(
            first.weight.unbind(),
            first.bias.unbind(),
            second.weight.unbind(),
            second.bias.unbind(),
            strict=True,
        )
        output = torch.zeros_like(rows, dtype=torch.float32)
        for expert, (weight1, bias1, weight2, bias2) in enumerate(layers):
            row, rank = (chosen == expert).nonzero(as_tuple=True)
            count = len(row)
            if count == 0:
                continue
            routed = rows.index_select(0, row)
            if self.training:
                routed = functional.pad(routed, (0, 0, 0, -count % TRAINING_ROWS))
            hidden = self.activation(functional.linear(routed, weight1, bias1))
            recorder.record(f"{name}.experts.{expert}.hidden", hidden[:count])
            result = functional.linear(hidden, weight2, bias2)[:count]
            output = output.index_add(0, row, result.float() * scores[row, rank, None])
        return output.view_as(tokens)
