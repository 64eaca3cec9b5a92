"""The residual stream in another basis: x' = x·Q everywhere, the same network (as QuaRot, Ashkboos et al., 2024).

Q is orthogonal with Q·1 = 1. A row's mean and variance stay what they were, so LayerNorm without γ and β commutes with
it, and whatever writes into the stream takes Q on its outputs, whatever reads LayerNorm takes it on its inputs:

    writes    W' = Qᵀ·W, b' = b·Q           patch embedding, projections, second layers; positions and prefix tokens · Q
    reads     W' = W·diag(γ)·Q, b' = b + W·β  behind a LayerNorm that becomes γ' = 1, β' = 0
    gates     w' = Qᵀ·diag(γ)·w; one without a bias keeps the least β' with β'·w' = β·w, and layers beside it b − W'·β'

A direction of Q is a mixture of all features, so no feature of the stream stands out, and a row of weights has no few
large ones among many small: even steps fit both better. Heads read the stream through LayerNorm and a linear layer,
so what comes out is in the old basis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.rewrites import State

SEED = 15
SAME = 1e-6
"""Largest error of a gate's constant part that is rounding of float32."""


def rotation(width: int) -> Tensor:
    """Q [width, width] in float64, the same for every network of a width: evenly random among those with Q·1 = 1."""
    rest, upper = np.linalg.qr(np.random.default_rng(SEED).standard_normal((width - 1, width - 1)))
    inner = np.eye(width)
    inner[1:, 1:] = rest * np.sign(np.diag(upper))
    axis = np.full(width, width**-0.5)
    axis[0] -= 1  # I − 2·a·aᵀ/aᵀa swaps the first axis and 1/√width
    mirror = np.eye(width) - 2 * np.outer(axis, axis) / (axis @ axis)
    return torch.from_numpy(mirror @ inner @ mirror)


def rotate(config: ModelConfig, state: State) -> None:
    """Put the float tensors of `state` into the new basis, in place of the old ones.

    Raises ArgumentError where gates without a bias have a constant part that no β' gives.
    """
    turn, backbone = rotation(config.width), "backbone"
    own = _Turned({name: value.double() for name, value in state.items()}, turn)
    for name in ("cls_token", "register_tokens", "pos_embed"):
        if f"{backbone}.{name}" in state:
            own.state[f"{backbone}.{name}"] = own.state[f"{backbone}.{name}"] @ turn
    own.writes(f"{backbone}.patch_embed.proj")
    for index in range(config.depth):
        name = f"{backbone}.blocks.{index}"
        own.reads(f"{name}.norm1", f"{name}.attn.qkv")
        own.writes(f"{name}.attn.proj")
        if index in config.moe_blocks:
            gates = [f"{name}.mlp.gate.{task}" for task in range(len(config.tasks))]
            if config.gate_input_ahead:
                own.reads_stream(gates)
                gates = []
            own.reads(f"{name}.norm2", f"{name}.mlp.experts.htoh4", gates)
            own.writes(f"{name}.mlp.experts.h4toh")
        else:
            own.reads(f"{name}.norm2", f"{name}.mlp.fc1")
            own.writes(f"{name}.mlp.fc2")
    for task in config.tasks:
        own.reads(f"heads.{task.name}.norm", f"heads.{task.name}.linear")
    state.update({name: value.float() for name, value in own.state.items()})


class _Turned:
    """Tensors in float64 on their way into the new basis."""

    def __init__(self, state: State, turn: Tensor) -> None:
        self.state, self.turn = state, turn

    def writes(self, layer: str) -> None:
        """A layer, or that of all experts, [..., D, inputs], or a convolution [D, channels, h, w]."""
        weight, bias = self.state[f"{layer}.weight"], self.state[f"{layer}.bias"]
        turned = self.turn.T @ (weight if weight.ndim < 4 else weight.flatten(1))
        self.state[f"{layer}.weight"], self.state[f"{layer}.bias"] = turned.view_as(weight), bias @ self.turn

    def reads_stream(self, gates: list[str]) -> None:
        """Gates that read the stream itself."""
        for gate in gates:
            self.state[f"{gate}.w_gate"] = self.turn.T @ self.state[f"{gate}.w_gate"]

    def reads(self, norm: str, layer: str, gates: Sequence[str] = ()) -> None:
        """A LayerNorm, the layer [..., outputs, D] that reads it, and the gates that do."""
        gain, offset = self.state[f"{norm}.weight"], self.state[f"{norm}.bias"]
        left = torch.zeros_like(offset)
        if gates:
            whole = torch.cat([self.state[f"{gate}.w_gate"] for gate in gates], 1)
            constant, turned = offset @ whole, self.turn.T @ (gain[:, None] * whole)
            for gate, weight in zip(gates, turned.chunk(len(gates), 1), strict=True):
                self.state[f"{gate}.w_gate"] = weight
            left = torch.linalg.lstsq(turned.T, constant[:, None], driver="gelsd").solution[:, 0]
            if (left @ turned - constant).abs().max() > SAME * constant.abs().max():
                raise ArgumentError(f"{norm}: β reaches gates where γ is 0, which no other basis can give")
        weight, bias = self.state[f"{layer}.weight"], self.state[f"{layer}.bias"]
        turned = (weight * gain) @ self.turn
        self.state[f"{layer}.weight"] = turned
        self.state[f"{layer}.bias"] = bias + weight @ offset - turned @ left
        self.state[f"{norm}.weight"], self.state[f"{norm}.bias"] = torch.ones_like(gain), left
