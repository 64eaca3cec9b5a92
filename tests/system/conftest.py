"""Programs and frames that the system tests share; compiled once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import Program
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config
from sim.common.random_checkpoint import random_checkpoint

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
Compile = Callable[..., Program]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders by model: `micro` has random weights, `mini` is shipped, and so is `tiny` or else random, too."""
    folder = tmp_path_factory.mktemp("checkpoints")
    micro = random_checkpoint(load_model_config("micro"), folder / "micro", seed=3)
    shipped = MINI.parent / "tiny"
    tiny = shipped if shipped.is_dir() else random_checkpoint(load_model_config("tiny"), folder / "tiny", seed=3)
    return {"micro": micro, "mini": MINI, "tiny": tiny}


@pytest.fixture(scope="session")
def compiled(checkpoints: dict[str, Path]) -> Compile:
    """compiled(model, hardware, tasks, trace): one program, kept for the session."""

    @cache
    def make(model: str, hardware: str, tasks: tuple[str, ...] = ("semseg", "depth"), trace: bool = False) -> Program:
        return compile_checkpoint(checkpoints[model], tasks, load_hardware_config(hardware), trace)

    return make
