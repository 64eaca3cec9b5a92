"""Recording named intermediate activations of one forward pass.

Names for block i; B pictures, N tokens, width D, h heads of width d, hidden width H, k of E experts used:

    embed.residual                  [B, N, D]     after the position embedding
    blocks.i.norm1, .norm2          [B, N, D]     LayerNorm outputs
    blocks.i.query, .key, .value    [B, h, N, d]  key without its bias, which softmax cancels
    blocks.i.scores                 [B, h, N, N]  q·k/√d before softmax
    blocks.i.attention              [B, N, D]     P·V, heads side by side
    blocks.i.attention.residual     [B, N, D]     after the first addition
    blocks.i.hidden                 [B·N, H]      after GELU, dense blocks
    blocks.i.experts.e.hidden       [rows, H]     after GELU, MoE blocks: expert e's rows, ascending
    blocks.i.gate.logits            [B·N, E]
    blocks.i.gate.experts, .scores  [B·N, k]      best first; scores are softmax values over all E
    blocks.i.mlp.residual           [B, N, D]     after the second addition
    heads.t.norm                    [B, rows, D]  rows: those that the head reads
    heads.t.output                  [B, rows, outputs]
"""

from __future__ import annotations

import re

from torch import Tensor

_EXPERT_HIDDEN = re.compile(r"^(blocks\.\d+)\.experts\.\d+\.hidden$")


class Recorder:
    """Receives every named activation; this base class ignores them all."""

    def record(self, name: str, value: Tensor) -> None:
        """Take one activation; `value` belongs to the running forward pass and must not be changed."""


class TensorRecorder(Recorder):
    """Keeps the activations of one forward pass by name."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def record(self, name: str, value: Tensor) -> None:
        """Keep `value`, detached."""
        self.values[name] = value.detach()


def calibrated_name(name: str) -> str | None:
    """Name of the calibrated tensor that a recorded activation belongs to, None for gate values.

    All residual additions share one range, and so do the experts of a block.
    """
    if ".gate." in name:
        return None
    if name.endswith(".residual"):
        return "residual"
    return _EXPERT_HIDDEN.sub(r"\1.hidden", name)
