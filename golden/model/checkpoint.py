"""Checkpoint folders of the float model: `config.json` and float16 `weights.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from edgemoe.spec.checkpoint import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    check_tensors,
    load_checkpoint,
)
from edgemoe.spec.files import write_bytes, write_text
from edgemoe.spec.strict import to_dict
from edgemoe_golden.model.m3vit import M3ViT


def load_checkpoint_model(folder: Path) -> M3ViT:
    """Build the float model of a checkpoint folder, in evaluation mode, with float32 copies of its weights.

    Raises CheckpointError or ConfigError when the folder cannot be used.
    """
    config, tensors = load_checkpoint(folder)
    model = M3ViT(config)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return model.eval()


def save_checkpoint(folder: Path, model: M3ViT) -> None:
    """Write configuration and weights; each file is replaced as a whole.

    Raises CheckpointError, before anything is written, when a weight is not finite or overflows float16.
    """
    tensors = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    with np.errstate(over="ignore"):
        halves = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in tensors.items()}
    try:
        check_tensors(model.config, {name: value.astype(np.float32) for name, value in halves.items()})
    except CheckpointError as error:
        raise CheckpointError(f"not saved to {folder}: as float16, {error}") from error
    write_bytes(folder / WEIGHTS_FILE, save(halves))
    write_text(folder / CONFIG_FILE, json.dumps(to_dict(model.config), indent=2) + "\n")
