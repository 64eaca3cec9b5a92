"""Edge-MoE's published dense weights with experts that were never published: seeded stand-ins of the same spread."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe_golden.importing import import_checkpoint
from edgemoe_golden.importing.edge_moe import SUFFIX

SEED, HARDER_SEED = 15, 2024


def edge_moe(dense: Path, folder: Path, harder: bool = False) -> Path:
    """Checkpoint folder of `dense`, a folder of raw float32 files, completed and imported; inside `folder`.

    harder: another seed, the spread of both neighbouring dense blocks, and biases drawn like theirs in place of none.
    Raises ArgumentError where the dense weights are not there.
    """
    config, raw = load_model_config("tiny"), folder / "raw"
    if not any(dense.glob(f"*{SUFFIX}")):
        raise ArgumentError(f"{dense}: Edge-MoE's dense weights, *{SUFFIX}, are not there")
    shutil.copytree(dense, raw)
    rng = np.random.default_rng(HARDER_SEED if harder else SEED)
    for block in config.moe_blocks:
        near = [block - 1, min(block + 1, config.depth - 2)] if harder else [block - 1]
        for layer, like, shape in _missing(config):
            weights, biases = (_of(raw, near, like, part) for part in ("weight", "bias"))
            _draw(rng, shape, 0.0, weights.std()).tofile(raw / f"l{block}_{layer}_weight{SUFFIX}")
            if harder:
                drawn = _draw(rng, shape[:2], biases.mean(), biases.std())
                drawn.tofile(raw / f"l{block}_{layer}_bias{SUFFIX}")
    import_checkpoint(raw, config, folder / "edge_moe")
    return folder / "edge_moe"


def _of(raw: Path, blocks: list[int], layer: str, part: str) -> NDArray[np.float32]:
    return np.concatenate([np.fromfile(raw / f"l{block}_{layer}_{part}{SUFFIX}", "<f4") for block in blocks])


def _draw(rng: np.random.Generator, shape: tuple[int, ...], mean: float, deviation: float) -> NDArray[np.float32]:
    return (mean + rng.standard_normal(shape) * deviation).astype("<f4")


def _missing(config: ModelConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    """(experts' layer, dense layer of the block before with the same part, shape)."""
    width, hidden, experts = config.width, config.expert_hidden, config.experts
    return [("htoh4", "fc1", (experts, hidden, width)), ("h4toh", "fc2", (experts, width, hidden))]
