"""Frames on an engine beside golden: what was compared stays, what differs is named, workers change nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import engine_frames
from benchmarks.engine_frames import Frame, evaluate, key, main, remembered
from edgemoe.cluster import HERE, Cluster
from edgemoe.devices.base import MissingToolError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe_golden.scenes import VALIDATION_SEEDS

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
ZCU102 = load_hardware_config("zcu102")
SEEDS = VALIDATION_SEEDS[:3]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds that were compared; no engine runs, and seed SEEDS[1] differs."""
    found: list[int] = []

    def compared(folder: str, engine: str, hardware: Any, seed: int) -> Frame:
        found.append(seed)
        return Frame(seed, seed != SEEDS[1], 100 + len(found))

    monkeypatch.setattr(engine_frames, "compared", compared)
    return found


def test_a_run_goes_on_where_an_earlier_one_ended(asked: list[int], tmp_path: Path) -> None:
    report = tmp_path / "eval_rtl.json"
    evaluate(MINI, "rtl", ZCU102, SEEDS[:2], HERE, report)
    frames = evaluate(MINI, "rtl", ZCU102, SEEDS, HERE, report)
    assert asked == list(SEEDS)
    assert [frame.seed for frame in frames] == list(SEEDS)
    assert list(remembered(report, key(MINI, "rtl", ZCU102)).values()) == frames


def test_another_shape_or_engine_begins_anew(asked: list[int], tmp_path: Path) -> None:
    report = tmp_path / "eval.json"
    for engine, hardware in (("rtl", ZCU102), ("csim", ZCU102), ("csim", replace(ZCU102, prefetch_bytes=1 << 20))):
        evaluate(MINI, engine, hardware, SEEDS[:1], HERE, report)
    assert asked == [SEEDS[0]] * 3


@pytest.mark.parametrize("content", ["", "[]", '{"key": 1}', '{"frames": [{}]}'])
def test_a_report_that_is_none_is_forgotten(content: str, tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(content)
    assert remembered(tmp_path / "eval.json", "1") == {}


def test_a_frame_that_differs_is_named_and_ends_with_1(
    asked: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(MINI), "--engine", "rtl", "--scenes", "3", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"NOT as golden: seeds {SEEDS[1]}" in said
    frames = json.loads((tmp_path / "eval_rtl.json").read_text(encoding="utf-8"))["frames"]
    assert [frame["equal"] for frame in frames] == [True, False, True]


def test_bad_arguments_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(MINI), "--scenes", "0", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"--scenes 0: there are 1 … {len(VALIDATION_SEEDS)} held-out scenes\n"


def test_frames_of_the_c_simulation_equal_golden(tmp_path: Path) -> None:
    try:
        frames = evaluate(MINI, "csim", ZCU102, SEEDS[:1], HERE, tmp_path / "eval.json")
    except MissingToolError as error:
        pytest.skip(str(error))
    assert frames == [Frame(SEEDS[0], True, 0)]


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    """Golden as the engine, which is the quickest."""
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    serial, spread = (
        evaluate(MINI, "golden", ZCU102, SEEDS, where, tmp_path / f"{where.workers}.json")
        for where in (HERE, Cluster(2))
    )
    assert serial == spread == [Frame(seed, True, 0) for seed in SEEDS]
