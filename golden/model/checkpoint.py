"""Checkpoint folders of the float model: `config.json` and float16 `weights.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from edgemoe.spec.checkpoint import (
    CONFIG_FILE,
    FLOAT_WEIGHTS_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    Tensors,
    check_tensors,
    checked_tensors,
    load_checkpoint,
)
from edgemoe.spec.files import write_bytes, write_text
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import to_dict
from edgemoe_golden.model.m3vit import M3ViT
from edgemoe_golden.model.variant import load_variant


def load_checkpoint_model(folder: Path) -> M3ViT:
    """Build the float model of a checkpoint folder, in evaluation mode, with float32 copies of its weights.

    Raises CheckpointError or ConfigError when the folder cannot be used.
    """
    variant = load_variant(folder)
    config, tensors = load_float_only(folder) if variant.float_only else load_checkpoint(folder)
    model = M3ViT(config, variant)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return model.eval()


def load_float_only(folder: Path) -> tuple[ModelConfig, Tensors]:
    """Read a checkpoint whose gates only the float model can compute; raises CheckpointError or ConfigError."""
    config = load_model_config(folder / CONFIG_FILE)
    return config, checked_tensors(folder / FLOAT_WEIGHTS_FILE, config)


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
