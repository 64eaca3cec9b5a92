"""Edge-MoE's raw weights: a folder of `<name>.float32.bin`, little-endian, C order, without headers.

Its pictures are pixels / 256, and row 0 of its position embedding already holds the class token. It has no task heads.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.importing.gates import GateOptions
from edgemoe_golden.importing.states import State
from edgemoe_golden.importing.upstream import Imported, from_upstream

SUFFIX = ".float32.bin"
_WEIGHT = re.compile(r"^(l\d+|patch_embed|pos_embed).*(_weight|_bias|_w_gate_T_task\d+)$")
PICTURE, REFERENCE = "image", "l11_x_post_moe"

Files = dict[str, tuple[str, tuple[int, ...]]]


def is_raw_folder(source: Path) -> bool:
    """Whether `source` is a folder with Edge-MoE's weight files."""
    return source.is_dir() and any(source.glob(f"*{SUFFIX}"))


def raw_files(config: ModelConfig) -> Files:
    """File → tensor of M³ViT and shape as stored."""
    width, experts = config.width, config.experts
    files: Files = {
        "patch_embed_weight": ("backbone.patch_embed.proj.weight", (width, 3, config.patch, config.patch)),
        "patch_embed_bias": ("backbone.patch_embed.proj.bias", (width,)),
        "pos_embed": ("backbone.pos_embed", (config.tokens, width)),
    }

    def layer(file: str, tensor: str, *shape: int) -> None:
        files[f"{file}_weight"] = (f"{tensor}.weight", shape)
        files[f"{file}_bias"] = (f"{tensor}.bias", shape[:-1] if len(shape) > 1 else shape)

    for index in range(config.depth):
        block = f"backbone.blocks.{index}"
        layer(f"l{index}_norm1", f"{block}.norm1", width)
        layer(f"l{index}_qkv", f"{block}.attn.qkv", 3 * width, width)
        layer(f"l{index}_attn_proj", f"{block}.attn.proj", width, width)
        layer(f"l{index}_norm2", f"{block}.norm2", width)
        if index in config.moe_blocks:
            layer(f"l{index}_htoh4", f"{block}.mlp.experts.htoh4", experts, config.expert_hidden, width)
            layer(f"l{index}_h4toh", f"{block}.mlp.experts.h4toh", experts, width, config.expert_hidden)
            for task in range(len(config.tasks)):
                files[f"l{index}_w_gate_T_task{task}"] = (f"{block}.mlp.gate.{task}.w_gate", (experts, width))
        else:
            layer(f"l{index}_fc1", f"{block}.mlp.fc1", config.mlp_hidden, width)
            layer(f"l{index}_fc2", f"{block}.mlp.fc2", width, config.mlp_hidden)
    return files


def from_edge_moe(folder: Path, config: ModelConfig) -> Imported:
    """Read all files; raises CheckpointError naming what is missing, of the wrong size or not finite."""
    files = raw_files(config)
    missing = [name for name in files if not (folder / f"{name}{SUFFIX}").is_file()]
    if missing:
        shape = files[missing[0]][1]
        others = f"; so are {', '.join(f'{name}{SUFFIX}' for name in missing[1:])}" if missing[1:] else ""
        raise CheckpointError(
            f"{folder / (missing[0] + SUFFIX)}: missing; expected {4 * math.prod(shape):,} bytes, shape {shape}{others}"
        )
    there = (path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    unknown = sorted(name for name in there if name not in files and _WEIGHT.match(name))
    if unknown:
        tasks = ", ".join(task.name for task in config.tasks)
        raise CheckpointError(
            f"{folder / (unknown[0] + SUFFIX)}: has no place in model '{config.name}' of {config.depth} blocks "
            f"with tasks {tasks}"
        )
    state: State = {"backbone.cls_token": torch.zeros(1, 1, config.width)}
    for file, (tensor, shape) in files.items():
        values = torch.from_numpy(read_raw(folder, file, shape))
        if tensor.endswith("w_gate"):
            values = values.T.contiguous()
        state[tensor] = values[None] if tensor == "backbone.pos_embed" else values
    scaled = replace(config, pixel_mean=(0.0, 0.0, 0.0), pixel_std=(256 / 255,) * 3)
    return from_upstream(state, scaled, GateOptions("softmax-first"))


def read_raw(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One raw file; raises CheckpointError."""
    path = folder / f"{name}{SUFFIX}"
    size, expected = path.stat().st_size, 4 * math.prod(shape)
    if size != expected:
        raise CheckpointError(f"{path}: {size:,} bytes; expected {expected:,}, shape {shape}")
    values = np.fromfile(path, dtype="<f4").astype(np.float32).reshape(shape)
    if not np.isfinite(values).all():
        raise CheckpointError(f"{path}: holds NaN or infinite values")
    return values


@dataclass(frozen=True)
class Reference:
    """Edge-MoE's own picture [1, H, W, 3] uint8, and its first task's tokens [N, D] after the last block."""

    frame: Tensor
    tokens: Tensor


def read_reference(folder: Path, config: ModelConfig) -> Reference | None:
    """The reference frame where the folder has one; raises CheckpointError when it does not fit."""
    if not all((folder / f"{name}{SUFFIX}").is_file() for name in (PICTURE, REFERENCE)):
        return None
    picture = read_raw(folder, PICTURE, (3, config.image_height, config.image_width)) * 256
    if not np.array_equal(picture, np.rint(picture).clip(0, 255)):
        raise CheckpointError(f"{folder / (PICTURE + SUFFIX)}: expected pixels of 0 … 255 / 256")
    tokens = read_raw(folder, REFERENCE, (config.tokens, config.width))
    frame = torch.from_numpy(picture.astype(np.uint8)).permute(1, 2, 0).contiguous()[None]
    return Reference(frame, torch.from_numpy(tokens))
