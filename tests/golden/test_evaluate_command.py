"""`make eval` as a command: a checkpoint in any folder, a table with its bars, eval.json; bad requests in one line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import benchmarks.evaluate as bench
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.spec.model import load_model_config
from edgemoe_golden.model import M3ViT, save_checkpoint

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"


class DrawnStore:
    """Stands for the store of training scenes, of which only the mean map is asked."""

    def __init__(self, *_: object) -> None: ...

    def mean_inverse_depth(self) -> np.ndarray:
        return np.full((32, 64), 0.08, dtype=np.float32)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "SceneStore", DrawnStore)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate", *map(str, arguments)])
    bench.main()


def test_the_report_is_a_list_of_figures_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "somewhere" / "mine"
    folder.parent.mkdir()
    folder.symlink_to(MINI)
    run(monkeypatch, folder, "--scenes", 2, "--precisions", "w8a8")
    text = capsys.readouterr().out
    assert "2 held-out scenes (seeds 1000 … 1001)" in text
    report = json.loads((tmp_path / "build/reports/eval.json").read_text(encoding="utf-8"))
    keys = {"model", "precision", "engine", "task", "metric", "value", "scenes"}
    assert all(set(figure) == keys for figure in report)
    assert {(f["precision"], f["engine"], f["scenes"]) for f in report} == {
        ("float", "torch", 2),
        ("w8a8", "golden", 2),
    }
    values = {(f["precision"], f["task"], f["metric"]): f["value"] for f in report}
    blocks = [values["w8a8", "all", f"same experts, block {block}"] for block in (1, 3, 5)]
    assert values["w8a8", "all", "same experts"] == pytest.approx(np.mean(blocks))
    lines = {tuple(cells[:2]): cells[2:] for cells in (re.split(r" {2,}", line) for line in text.splitlines())}
    for (_, task, metric), value in values.items():
        assert f"{value:.4f}" in lines[task, metric]
    points = 100 * (values["w8a8", "semseg", "mIoU"] - values["float", "semseg", "mIoU"])
    assert f"w8a8: mIoU {points:+.2f} points (bar 0.5)" in text


def test_a_model_of_other_tasks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    micro = load_model_config("micro")
    config = replace(micro, tasks=(replace(micro.tasks[0], channels=3, labels=()), micro.tasks[1]))
    save_checkpoint(tmp_path / "other", M3ViT(config))
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path / "other")
    assert "has tasks semseg (3), depth (1); drawn scenes need semseg (7: road, vehicle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "nowhere/config.json: cannot be read"), ([MINI, "--scenes", "0"], "--scenes 0: there are 1 … ")],
)
def test_bad_requests_are_one_line(
    arguments: list[object], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not Path("build").exists()


def test_a_model_too_large_for_the_first_shape_gets_a_larger_one() -> None:
    tiny, small = load_model_config("tiny"), load_model_config("small")
    assert bench.shape_for(tiny, bench.TASKS, "w8a8").name == "zcu102"
    assert bench.shape_for(small, bench.TASKS, "w8a8").name == "u50"
    with pytest.raises(DoesNotFitError, match="zcu102_w16a16"):
        bench.shape_for(small, bench.TASKS, "w16a16")
