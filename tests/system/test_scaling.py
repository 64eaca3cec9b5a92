"""The scaling bench predicts what the compiler's own programs predict, and never less than a floor."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.scaling import (
    BANDWIDTHS,
    EXPERTS,
    MACS,
    PICTURES,
    TASKS,
    TOP_K,
    Point,
    multiply_accumulates,
    point,
    roomy,
    sweeps,
)
from edgemoe.cluster import Cluster, run
from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import require_fit
from edgemoe.compiler.hollow import hollow_model
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
ZCU102 = load_hardware_config("zcu102")
TINY, SHAPE = load_model_config("tiny"), load_model_config("mini")


@pytest.fixture(scope="module")
def points() -> list[Point]:
    return [predict() for predict in sweeps(SHAPE, ZCU102)]


@pytest.mark.parametrize("hardware", ["zcu102", "zcu102_w16a16"])
@pytest.mark.parametrize("tasks", [["semseg"], ["semseg", "depth"]], ids=len)
def test_a_program_without_weights_is_predicted_like_the_real_one(hardware: str, tasks: list[str]) -> None:
    shape = load_hardware_config(hardware)
    real = compile_checkpoint(MINI, tasks, shape)
    hollow = compile_model(hollow_model(real.manifest.model, shape), tasks, shape)
    assert predicted_cycles(hollow) == predicted_cycles(real)
    assert hollow.stream.size == real.stream.size
    assert multiply_accumulates(hollow.instructions) == multiply_accumulates(real.instructions)
    assert hollow.manifest.labels == real.manifest.labels


def test_operations_of_the_papers_configuration() -> None:
    """0.780 G of patch embedding and blocks; our heads come on top, (112 + 16)·192 per patch."""
    one, two = (
        multiply_accumulates(compile_model(hollow_model(TINY, ZCU102), tasks, ZCU102).instructions)
        for tasks in (["semseg"], ["semseg", "depth"])
    )
    backbone = one - 128 * 192 * 112
    assert backbone == pytest.approx(0.780e9, rel=0.01)
    assert backbone < two - 128 * 192 * (112 + 16) < 2 * backbone


def test_every_size_is_varied_over_its_range(points: list[Point]) -> None:
    expected = {"tokens": PICTURES, "experts": EXPERTS, "top-k": TOP_K, "bandwidth": BANDWIDTHS, "MACs": MACS}
    for sweep, values in expected.items():
        for series in ("one task", "two tasks"):
            assert [p.value for p in points if (p.sweep, p.series) == (sweep, series)] == list(values)
    assert [p.value for p in points if p.sweep == "tasks"] == list(range(1, len(TASKS) + 1))
    assert {p.tokens for p in points if p.sweep == "tokens"} == set(PICTURES)


def test_nothing_is_predicted_below_a_floor(points: list[Point]) -> None:
    for each in points:
        assert each.cycles >= max(each.mac_floor, each.memory_floor), asdict(each)
        assert each.cycles >= each.array_cycles >= each.mac_floor, asdict(each)


def test_all_sweeps_meet_in_the_base_shape(points: list[Point]) -> None:
    base = {"tokens": 129, "experts": SHAPE.experts, "top-k": SHAPE.top_k, "tasks": 1, "MACs": 2048, "bandwidth": 45.5}
    met = [p for p in points if p.value == base[p.sweep] and p.series in ("one task", "together")]
    assert len(met) == len(base)
    assert {(p.cycles, p.bytes_read) for p in met} == {(met[0].cycles, met[0].bytes_read)}
    assert met[0].too_small == ()


@pytest.mark.slow
def test_workers_predict_the_same(points: list[Point]) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    waiting = [predict.args for predict in sweeps(SHAPE, ZCU102)]
    assert run(point, waiting, Cluster(2)) == points


def test_what_does_not_fit_gets_just_enough_buffer() -> None:
    large = replace(TINY, image_height=480, image_width=640, experts=64)
    names = ["semseg", "depth"]
    found = point("tokens", "two tasks", 1201, large, 2, ZCU102)
    assert any(text.startswith("experts: needs 64") for text in found.too_small)
    assert any(text.startswith("keys of attention: needs 1,201") for text in found.too_small)
    require_fit(large, tuple(names), roomy(ZCU102, large, names))
    assert roomy(ZCU102, TINY, names) == ZCU102


@pytest.fixture(scope="module")
def report(points: list[Point]) -> dict[str, Any]:
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    return {"model": SHAPE.name, "hardware": "zcu102", "precision": "w8a8", "points": [asdict(p) for p in points]}


def series(axes: Any) -> list[list[tuple[float, float]]]:
    """The points of every line of a panel; single points are one line each."""
    return [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines]


def test_the_picture_of_cycles_shows_every_point_and_its_floors(points: list[Point], report: dict[str, Any]) -> None:
    from benchmarks.scaling_plots import PANELS, draw_cycles

    figure = draw_cycles(report)
    for axes, sweep in zip(figure.axes, PANELS, strict=True):
        shown = series(axes)
        for name in dict.fromkeys(p.series for p in points if p.sweep == sweep):
            line = [p for p in points if (p.sweep, p.series) == (sweep, name)]
            for values in ([p.cycles for p in line], [p.mac_floor for p in line], [p.memory_floor for p in line]):
                assert [(p.value, value / 1e3) for p, value in zip(line, values, strict=True)] in shown, (sweep, name)
        low, high = sorted(axes.get_ylim())
        assert all(low <= y <= high for line in shown for _, y in line), f"{sweep}: outside the panel"


def test_the_picture_of_bytes_shows_every_point(points: list[Point], report: dict[str, Any]) -> None:
    from benchmarks.scaling_plots import BYTE_PANELS, draw_bytes

    for axes, sweep in zip(draw_bytes(report).axes, BYTE_PANELS, strict=True):
        shown = [point for line in series(axes) for point in line]
        assert {(p.value, (p.bytes_read + p.bytes_written) / 1e6) for p in points if p.sweep == sweep} == set(shown)


def test_no_point_is_drawn_above_the_roof(points: list[Point], report: dict[str, Any]) -> None:
    from benchmarks.scaling_plots import BYTE_PANELS, draw_roofline

    for axes, sweep in zip(draw_roofline(report).axes, BYTE_PANELS, strict=True):
        (roof, *shown) = series(axes)
        assert len(shown) == len([p for p in points if p.sweep == sweep and p.series != "two tasks"])
        for ((intensity, rate),) in shown:
            assert rate <= np.interp(intensity, *zip(*roof, strict=True)) * (1 + 1e-9), sweep
