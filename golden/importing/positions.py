"""Position embeddings for another grid of patches, interpolated as the library that a checkpoint comes from does it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.checkpoint import CheckpointError

Grid = tuple[int, int]


def square_grid(patches: int) -> Grid | None:
    """The grid of so many patches when it is square, else None."""
    side = math.isqrt(patches)
    return (side, side) if side * side == patches else None


def resampled(table: Tensor, before: Grid, after: Grid, antialias: bool) -> Tensor:
    """Positions [1, rows·columns, D] of grid `before` → those of grid `after`, bicubic.

    antialias: timm (`resample_abs_pos_embed`) and transformers' DINOv2 with registers smooth before they shrink;
    transformers' ViT, DeiT, DINOv2 and SigLIP do not. Raises CheckpointError when the table is not of grid `before`.
    """
    if table.shape[1] != before[0] * before[1]:
        raise CheckpointError(f"{table.shape[1]} position embeddings of patches; expected {before[0]} × {before[1]}")
    if before == after:
        return table
    planes = table.float().reshape(1, *before, -1).permute(0, 3, 1, 2)
    moved = functional.interpolate(planes, size=after, mode="bicubic", align_corners=False, antialias=antialias)
    return moved.permute(0, 2, 3, 1).reshape(1, after[0] * after[1], -1).to(torch.float32)
