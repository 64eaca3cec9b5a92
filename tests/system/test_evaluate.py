"""The evaluation: its float figures are those of edgemoe_golden.training, its integer figures those of the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluate import Figure, evaluate
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.training.evaluate import evaluate as evaluate_float

SCENES = 3
MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
MEAN_MAP = np.full((32, 64), 0.08, dtype=np.float32)


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return evaluate(MINI, SCENES, MEAN_MAP, ["w8a8", "w16a16"])


def value(figures: list[Figure], precision: str, task: str, metric: str) -> float:
    (found,) = [f.value for f in figures if (f.precision, f.task, f.metric) == (precision, task, metric)]
    return found


def test_float_figures_are_those_of_training(figures: list[Figure]) -> None:
    quality = evaluate_float(load_checkpoint_model(MINI), MEAN_MAP, SCENES)
    assert value(figures, "float", "semseg", "mIoU") == pytest.approx(quality.miou, abs=1e-4)
    assert value(figures, "float", "depth", "RMSE") == pytest.approx(quality.depth_rmse, rel=1e-4)
    assert value(figures, "float", "depth", "ratio") == pytest.approx(quality.depth_ratio, rel=1e-4)


@pytest.mark.parametrize(("precision", "points", "relative"), [("w8a8", 0.01, 0.03), ("w16a16", 0.001, 0.002)])
def test_integers_stay_close_to_float(figures: list[Figure], precision: str, points: float, relative: float) -> None:
    """On three scenes, with room for them; `make eval` measures on 500."""
    exact = value(figures, "float", "semseg", "mIoU")
    assert value(figures, precision, "semseg", "mIoU") == pytest.approx(exact, abs=points)
    error = value(figures, "float", "depth", "RMSE")
    assert value(figures, precision, "depth", "RMSE") == pytest.approx(error, rel=relative)


def test_routing_is_reported_per_block_and_over_all(figures: list[Figure]) -> None:
    blocks = [
        value(figures, "w8a8", task, f"same experts, block {b}") for task in ("semseg", "depth") for b in (1, 3, 5)
    ]
    assert value(figures, "w8a8", "all", "same experts") == pytest.approx(np.mean(blocks))
    assert 0.9 < min(blocks) <= 1.0
