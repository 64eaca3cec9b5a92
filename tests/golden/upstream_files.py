"""A state dict on disk in the layouts that M³ViT's training writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from upstream_reference import State


def save_file(state: State, path: Path) -> Path:
    """As M³ViT's training writes it."""
    content = {"epoch": 3, "backbone": "VisionTransformer_moe", "best_result": {"mIoU": np.float64(0.5)}}
    torch.save(content | {"state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def save_ranks(state: State, folder: Path, ranks: int = 2) -> Path:
    """As written with experts spread over processes: rank 0 has everything, with its own experts only."""
    folder.mkdir()
    for rank in range(ranks):
        experts = {name: value.chunk(ranks)[rank].clone() for name, value in state.items() if ".mlp.experts." in name}
        rest = {name: value for name, value in state.items() if name not in experts} if rank == 0 else {}
        torch.save({"epoch": 1, "state_dict": rest | experts}, folder / f"{rank}.pth")
    return folder
