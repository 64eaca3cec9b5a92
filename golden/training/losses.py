"""Losses of the two tasks and the balance of the experts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe_golden.model.recorder import Recorder

# Thin poles and distant people cover few cells, and would otherwise be given up for the sake of road and sky.
CLASS_WEIGHTS = (0.7, 1.0, 2.5, 1.0, 1.0, 0.8, 2.2)

# Brings inverse depth (mostly below 0.3 1/m) to the size where smooth L1 has its bend.
DEPTH_SCALE = 5.0

BALANCE_WEIGHT = 0.01


def segmentation_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Class-weighted cross entropy of logits [B, C, R, S] against the share of every class in a cell."""
    weights = torch.tensor(CLASS_WEIGHTS, device=logits.device).view(1, -1, 1, 1)
    weighted = shares * weights
    return -(weighted * logits.float().log_softmax(1)).sum() / weighted.sum()


def depth_loss(prediction: Tensor, inverse_depth: Tensor) -> Tensor:
    """Smooth L1 of inverse depth [B, 1, R, S] in 1/m."""
    return functional.smooth_l1_loss(prediction.float() * DEPTH_SCALE, inverse_depth * DEPTH_SCALE, beta=0.1)


class BalanceRecorder(Recorder):
    """Collects gate decisions of a forward pass and turns them into M³ViT's balance loss."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._experts: list[Tensor] = []

    def record(self, name: str, value: Tensor) -> None:
        """Keep gate logits and chosen experts, with their gradients."""
        if name.endswith(".gate.logits"):
            self._logits.append(value)
        elif name.endswith(".gate.experts"):
            self._experts.append(value)

    def loss(self) -> Tensor:
        """cv²(importance) + cv²(load), summed over MoE blocks and tasks.

        importance: sum of an expert's scores. load: number of its tokens; it passes on the gradient of all its
        softmax values, since a count has none.
        """
        total = torch.zeros(())
        for logits, experts in zip(self._logits, self._experts, strict=True):
            scores = logits.softmax(-1)
            chosen = torch.zeros_like(scores).scatter(1, experts, 1.0)
            smooth = scores.sum(0)
            load = chosen.sum(0) + smooth - smooth.detach()
            total = total.to(scores.device) + _variation((scores * chosen).sum(0)) + _variation(load)
        return total


def _variation(values: Tensor) -> Tensor:
    """Squared coefficient of variation."""
    return values.var(unbiased=False) / (values.mean() ** 2 + 1e-10)
