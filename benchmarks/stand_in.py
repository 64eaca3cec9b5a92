"""Edge-MoE's published dense weights with experts that were never published: seeded stand-ins of the same spread."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe_golden.importing import import_checkpoint
from edgemoe_golden.importing.edge_moe import SUFFIX

SEED = 15


def edge_moe(dense: Path, folder: Path, seed: int = SEED) -> Path:
    """Checkpoint folder of `dense`, a folder of raw float32 files, completed and imported; inside `folder`.

    Raises ArgumentError where the dense weights are not there.
    """
    config, raw = load_model_config("tiny"), folder / "raw"
    if not any(dense.glob(f"*{SUFFIX}")):
        raise ArgumentError(f"{dense}: Edge-MoE's dense weights, *{SUFFIX}, are not there")
    shutil.copytree(dense, raw)
    rng = np.random.default_rng(seed)
    for block in config.moe_blocks:
        for layer, like, shape in _missing(config):
            deviation = np.fromfile(raw / f"l{block - 1}_{like}_weight{SUFFIX}", "<f4").std()
            weights = (rng.standard_normal(shape) * deviation).astype("<f4")
            weights.tofile(raw / f"l{block}_{layer}_weight{SUFFIX}")
    import_checkpoint(raw, config, folder / "edge_moe")
    return folder / "edge_moe"


def _missing(config: ModelConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    """(experts' layer, dense layer of the block before with the same part, shape)."""
    width, hidden, experts = config.width, config.expert_hidden, config.experts
    return [("htoh4", "fc1", (experts, hidden, width)), ("h4toh", "fc2", (experts, width, hidden))]
