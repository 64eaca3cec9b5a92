"""Exact rewrites of float tensors: the same network with activations that lie better on a grid.

    LayerNorm        n' = (n − c)/s:  γ' = γ/s, β' = (β − c)/s; the next layer W' = W·s, b' = b + W·c; gates w' = w·s
    values           v' = (v − c)/s:  rows of W_v and b_v so; a row of P sums to 1, so P·V' = (P·V − c)/s, and the
                     projection becomes W' = W·s, b' = b + W·c
    keys             k' = k − c:      adds q·c to all scores of a query, which softmax cancels
    query and key    q' = q·t, k' = k/t: per feature, products stay

c is a zero point per feature and s, t a scale per feature; both are free, because γ and β are applied per feature.
A gate has no bias to take c, so LayerNorm outputs that a gate reads keep c = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

State = dict[str, Tensor]


def rewrite_norm(state: State, norm: str, readers: Sequence[str], shift: Tensor, scale: Tensor) -> None:
    """n' = (n − shift)/scale; norm: name of a LayerNorm, readers: of the layers and gates that read it.

    shift, scale [D]; a reader is a linear layer [outputs, D], experts' [E, outputs, D], or a `w_gate` [D, E].
    Precondition: shift is 0 where a gate reads.
    """
    state[f"{norm}.bias"] = (state[f"{norm}.bias"] - shift) / scale
    state[f"{norm}.weight"] = state[f"{norm}.weight"] / scale
    for reader in readers:
        if reader.endswith(".w_gate"):
            assert not shift.any(), "a gate has no bias to take a zero point"
            state[reader] = state[reader] * scale[:, None]
        else:
            _rewrite_reader(state, reader, shift, scale)


def rewrite_values(state: State, attention: str, shift: Tensor, scale: Tensor) -> None:
    """v' = (v − shift)/scale, [D] each; attention: name of an attention layer, `backbone.blocks.i.attn`."""
    width = len(shift)
    weight, bias = state[f"{attention}.qkv.weight"].clone(), state[f"{attention}.qkv.bias"].clone()
    weight[2 * width :] /= scale[:, None]
    bias[2 * width :] = (bias[2 * width :] - shift) / scale
    state[f"{attention}.qkv.weight"], state[f"{attention}.qkv.bias"] = weight, bias
    _rewrite_reader(state, f"{attention}.proj", shift, scale)


def rewrite_scores(state: State, attention: str, key_shift: Tensor, scale: Tensor) -> None:
    """k' = (k − key_shift)/scale, q' = q·scale, [D] each."""
    width = len(scale)
    weight, bias = state[f"{attention}.qkv.weight"].clone(), state[f"{attention}.qkv.bias"].clone()
    query, key = slice(0, width), slice(width, 2 * width)
    weight[query] *= scale[:, None]
    bias[query] *= scale
    weight[key] /= scale[:, None]
    bias[key] = (bias[key] - key_shift) / scale
    state[f"{attention}.qkv.weight"], state[f"{attention}.qkv.bias"] = weight, bias


def without_key_bias(state: State, depth: int) -> None:
    """Set the keys' bias to 0 in all blocks, as the float model and the compiler do."""
    for index in range(depth):
        name = f"backbone.blocks.{index}.attn.qkv.bias"
        query, key, value = state[name].chunk(3)
        state[name] = torch.cat([query, torch.zeros_like(key), value])


def _rewrite_reader(state: State, name: str, shift: Tensor, scale: Tensor) -> None:
    weight = state[f"{name}.weight"]
    state[f"{name}.bias"] = state[f"{name}.bias"] + weight @ shift
    state[f"{name}.weight"] = weight * scale
