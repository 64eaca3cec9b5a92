"""M³ViT from its description, one token at a time where that is plainest, straight from its own state dict."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.model import ModelConfig

State = dict[str, Tensor]


@dataclass(frozen=True)
class Gates:
    """Form of the gates: one per task or shared; S > 0: conditioned on the task; window: experts per task.

    ahead: they read the block's input.
    """

    multi: bool = True
    conditioned: int = 0
    window: int | None = None
    top_first: bool = False
    ahead: bool = False


def random_state(config: ModelConfig, gates: Gates = Gates(), decoders: bool = True, seed: int = 7) -> State:
    """A state dict under M³ViT's names, prefixes off, with weights that all matter."""
    generator = torch.Generator().manual_seed(seed)
    width, experts, hidden, tasks = config.width, config.experts, config.expert_hidden, config.tasks
    state: State = {}

    def put(name: str, *shape: int, around: float = 0.0, spread: float = 0.2) -> None:
        state[name] = around + spread * torch.randn(shape, generator=generator)

    def linear(name: str, outputs: int, inputs: int) -> None:
        put(f"{name}.weight", outputs, inputs)
        put(f"{name}.bias", outputs)

    def norm(name: str, size: int) -> None:
        put(f"{name}.weight", size, around=1.0)
        put(f"{name}.bias", size)

    put("backbone.cls_token", 1, 1, width)
    put("backbone.pos_embed", 1, config.tokens, width)
    put("backbone.patch_embed.proj.weight", width, 3, config.patch, config.patch, spread=0.05)
    put("backbone.patch_embed.proj.bias", width)
    if gates.conditioned:
        linear("backbone.gate_task_represent.fc1", gates.conditioned, len(tasks))
        linear("backbone.gate_task_represent.fc2", gates.conditioned, gates.conditioned)
        norm("backbone.gate_task_represent.norm", gates.conditioned)
    for index in range(config.depth):
        block = f"backbone.blocks.{index}"
        norm(f"{block}.norm1", width)
        norm(f"{block}.norm2", width)
        linear(f"{block}.attn.qkv", 3 * width, width)
        linear(f"{block}.attn.proj", width, width)
        if index not in config.moe_blocks:
            linear(f"{block}.mlp.fc1", config.mlp_hidden, width)
            linear(f"{block}.mlp.fc2", width, config.mlp_hidden)
            continue
        for key in [f"{task}." for task in range(len(tasks))] if gates.multi else [""]:
            put(f"{block}.mlp.gate.{key}w_gate", width + gates.conditioned, experts)
            if gates.top_first:
                put(f"{block}.mlp.gate.{key}w_noise", width + gates.conditioned, experts)
        put(f"{block}.mlp.experts.htoh4.weight", experts, hidden, width)
        put(f"{block}.mlp.experts.htoh4.bias", experts, hidden)
        put(f"{block}.mlp.experts.h4toh.weight", experts, width, hidden)
        put(f"{block}.mlp.experts.h4toh.bias", experts, width)
    for task in tasks if decoders else ():
        head = f"decoders.{task.name}" if len(tasks) > 1 else "decoder"
        norm(f"{head}.norm", width)
        for stage in range(4):
            put(f"{head}.conv_{stage}.weight", 256, 256 if stage else width, 3, 3, spread=0.03)
            put(f"{head}.conv_{stage}.bias", 256)
            norm(f"{head}.syncbn_fc_{stage}", 256)
            put(f"{head}.syncbn_fc_{stage}.running_mean", 256)
            state[f"{head}.syncbn_fc_{stage}.running_var"] = 0.5 + torch.rand(256, generator=generator)
            state[f"{head}.syncbn_fc_{stage}.num_batches_tracked"] = torch.tensor(9)
        put(f"{head}.conv_4.weight", task.channels, 256, 1, 1)
        put(f"{head}.conv_4.bias", task.channels)
    return state


def reference_tokens(state: State, config: ModelConfig, gates: Gates, image: Tensor, task: int) -> Tensor:
    """Tokens [B, N, D] after the last block for pixels [B, 3, H, W] as M³ViT takes them."""
    part = {name.removeprefix("backbone."): value for name, value in state.items()}
    patches = functional.conv2d(image, part["patch_embed.proj.weight"], part["patch_embed.proj.bias"], config.patch)
    tokens = torch.cat([part["cls_token"].expand(len(image), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    tokens = tokens + part["pos_embed"]
    for index in range(config.depth):
        name = f"blocks.{index}"
        before = tokens
        tokens = tokens + _attention(part, f"{name}.attn", _norm(part, f"{name}.norm1", tokens), config.heads)
        normed = _norm(part, f"{name}.norm2", tokens)
        if index in config.moe_blocks:
            seen = before if gates.ahead else normed
            pairs = zip(normed.flatten(0, 1), seen.flatten(0, 1), strict=True)
            rows = [_mixture(part, f"{name}.mlp", row, gate_row, config, gates, task) for row, gate_row in pairs]
            tokens = tokens + torch.stack(rows).view_as(tokens)
        else:
            hidden = functional.gelu(_linear(part, f"{name}.mlp.fc1", normed))
            tokens = tokens + _linear(part, f"{name}.mlp.fc2", hidden)
    return tokens


def reference_head(state: State, config: ModelConfig, tokens: Tensor, prefix: str) -> Tensor:
    """Convolutional head `prefix` on tokens of the last block: maps [B, C, H, W]."""
    part = {name.removeprefix(f"{prefix}."): value for name, value in state.items()}
    x = _norm(part, "norm", tokens[:, 1:]).transpose(1, 2)
    x = x.reshape(len(x), config.width, config.grid_height, config.grid_width)
    for stage in range(4):
        x = functional.conv2d(x, part[f"conv_{stage}.weight"], part[f"conv_{stage}.bias"], padding=1)
        bn = f"syncbn_fc_{stage}"
        statistics = part[f"{bn}.running_mean"], part[f"{bn}.running_var"]
        x = functional.relu(functional.batch_norm(x, *statistics, part[f"{bn}.weight"], part[f"{bn}.bias"]))
        if stage < 3:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
    x = functional.conv2d(x, part["conv_4.weight"], part["conv_4.bias"])
    return functional.interpolate(x, scale_factor=2, mode="bilinear")


def _linear(part: State, name: str, x: Tensor) -> Tensor:
    return x @ part[f"{name}.weight"].T + part[f"{name}.bias"]


def _norm(part: State, name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], part[f"{name}.weight"], part[f"{name}.bias"], 1e-6)


def _attention(part: State, name: str, x: Tensor, heads: int) -> Tensor:
    batch, count, _ = x.shape
    query, key, value = _linear(part, f"{name}.qkv", x).view(batch, count, 3, heads, -1).permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(x.shape)
    return _linear(part, f"{name}.proj", mixed)


def _mixture(
    part: State, name: str, token: Tensor, gate_input: Tensor, config: ModelConfig, gates: Gates, task: int
) -> Tensor:
    if gates.conditioned:
        one_hot = torch.eye(len(config.tasks))[task]
        feature = functional.gelu(_linear(part, "gate_task_represent.fc1", one_hot))
        feature = _norm(part, "gate_task_represent.norm", _linear(part, "gate_task_represent.fc2", feature))
        gate_input = torch.cat([gate_input, feature])
    weight = part[f"{name}.gate.{task}.w_gate" if gates.multi else f"{name}.gate.w_gate"]
    first = 0
    if gates.window is not None:
        first = gates.window * task * (task + 1) // 2
        weight = weight[:, first : first + gates.window]
    logits = gate_input @ weight
    if gates.top_first:
        values, chosen = logits.topk(config.top_k)
        scores = values.softmax(0)
    else:
        scores, chosen = logits.softmax(0).topk(config.top_k)
    output = torch.zeros_like(token)
    for score, expert in zip(scores, (chosen + first).tolist(), strict=True):
        up, down = f"{name}.experts.htoh4", f"{name}.experts.h4toh"
        hidden = functional.gelu(part[f"{up}.weight"][expert] @ token + part[f"{up}.bias"][expert])
        output += score * (part[f"{down}.weight"][expert] @ hidden + part[f"{down}.bias"][expert])
    return output
