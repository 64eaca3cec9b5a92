"""Our W16A16 is nearer to float than Edge-MoE's arithmetic everywhere: on the shipped checkpoint and held-out scenes.

`python -m benchmarks.arithmetics` prints all figures.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arithmetics import ARITHMETICS, EDGE_MOE, PARTS, Layer, beaten, edge_moe_metrics, layers
from benchmarks.evaluate import Figure
from edgemoe.spec.model import load_model_config
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.training.evaluate import evaluate

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
SCENES = 2


@pytest.fixture(scope="module")
def found() -> list[Layer]:
    return layers(MINI, SCENES)


def test_every_layer_is_compared_in_every_arithmetic(found: list[Layer]) -> None:
    config = load_model_config(MINI / "config.json")
    tensors = ["embed.residual", *(f"blocks.{index}.{part}" for index in range(config.depth) for part in PARTS)]
    expected = {(name, task.name, tensor) for name in ARITHMETICS for task in config.tasks for tensor in tensors}
    assert {(layer.arithmetic, layer.task, layer.tensor) for layer in found} == expected
    assert len(found) == len(expected)


def test_w16a16_beats_edge_moe_at_every_layer(found: list[Layer]) -> None:
    """On the mean and in the worst scene."""
    assert beaten(found) == []


def test_a_single_worse_layer_would_be_seen(found: list[Layer]) -> None:
    victim = next(layer for layer in found if layer.arithmetic == EDGE_MOE and layer.tensor == "blocks.3.norm2")
    better = replace(victim, sqnr_db=200.0)
    spoilt = [better if layer is victim else layer for layer in found]
    assert [theirs for theirs, _ in beaten(spoilt)] == [better]


def test_task_metrics_follow_float() -> None:
    """Same scenes, same heads; the tokens differ by some 45 dB."""
    mean_map = np.full((32, 64), 0.08, dtype=np.float32)
    quality = evaluate(load_checkpoint_model(MINI), mean_map, SCENES)
    figures, seconds = edge_moe_metrics(MINI, SCENES, quality.depth_baseline)

    def value(task: str, metric: str) -> float:
        (number,) = [figure.value for figure in figures if (figure.task, figure.metric) == (task, metric)]
        return number

    assert all(isinstance(figure, Figure) and figure.precision == EDGE_MOE for figure in figures)
    assert value("semseg", "mIoU") == pytest.approx(quality.miou, abs=0.002)
    assert value("depth", "ratio") == pytest.approx(quality.depth_ratio, rel=0.002)
    assert 0.98 < value("all", "same experts") <= 1
    assert 0 < seconds < 3
