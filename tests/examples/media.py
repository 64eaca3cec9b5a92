"""Synthetic frame results for the media tests: random but repeatable, of any model."""

from __future__ import annotations

import numpy as np

from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig

STREET = ("road", "vehicle", "person", "vegetation", "building", "sky", "sign")


def model(**changes: object) -> ModelConfig:
    """A small model: 3×2 patches of 16 pixels, 4 experts in block 1, segmentation and depth."""
    shape: dict[str, object] = {
        "name": "example",
        "image_height": 32,
        "image_width": 48,
        "patch": 16,
        "width": 32,
        "depth": 2,
        "heads": 2,
        "mlp_ratio": 2,
        "moe_blocks": (1,),
        "experts": 4,
        "top_k": 2,
        "expert_ratio": 1,
        "head_cells": 2,
        "tasks": (
            TaskConfig("semseg", "segmentation", 7, STREET),
            TaskConfig("depth", "regression", 1, unit="1/m"),
        ),
    }
    return ModelConfig(**{**shape, **changes})  # type: ignore[arg-type]


def result(config: ModelConfig, seed: int = 0) -> FrameResult:
    """A frame result with the shapes of `config`."""
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (config.image_height, config.image_width, 3), dtype=np.uint8)
    rows, columns = config.grid_height * config.head_cells, config.grid_width * config.head_cells
    outputs = {task.name: rng.random((task.channels, rows, columns), np.float32) for task in config.tasks}
    routing = {}
    for task in config.tasks:
        blocks = {}
        for block in config.moe_blocks:
            order = rng.permuted(np.tile(np.arange(config.experts), (config.tokens, 1)), axis=1)
            experts = order[:, : config.top_k].astype(np.uint16)
            blocks[block] = (experts, rng.random(experts.shape, np.float32))
        routing[task.name] = blocks
    return FrameResult(
        frame=frame,
        outputs=outputs,
        routing=routing if config.moe_blocks else {},
        timings_ms={"total": 12.5, "run": 10.0},
        counters={"cycles": 1234567},
        engine="golden",
        model=config.name,
        hardware="zcu102",
    )
