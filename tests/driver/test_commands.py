"""The command line on a board: `run` and `bench` compile for the board's own configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from PIL import Image

from edgemoe import cli
from edgemoe.pynq.board import SIMULATED_VARIABLE


@pytest.fixture
def picture(tmp_path: Path, frames: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture on disk; boards are simulated by the golden engine."""
    monkeypatch.setenv(SIMULATED_VARIABLE, "golden")
    Image.fromarray(frames[0]).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


BOARDS = [("zcu102", "zcu102"), ("kv260", "kv260"), ("pynq_zu", "kv260")]
BOARDS += [("pynq_z2", "pynq_z2"), ("pynq_z1", "pynq_z2")] if pynq.__version__ < "4" else []


@pytest.mark.parametrize(("board", "hardware"), BOARDS)
def test_run_gives_the_values_of_the_golden_engine(
    picture: Path, checkpoint: Path, tmp_path: Path, board: str, hardware: str
) -> None:
    for device in (board, "golden"):
        words = ["run", str(picture), "--model", str(checkpoint), "--device", device, "--out", str(tmp_path / device)]
        assert cli.main([*words, "--no-panels"]) == 0
    report = json.loads((tmp_path / board / "run.json").read_text(encoding="utf-8"))
    assert report["engine"] == board
    assert report["hardware"] == hardware
    found, expected = (np.load(next((tmp_path / device).glob("*.npz"))) for device in (board, "golden"))
    assert set(found.files) == set(expected.files)
    assert all(np.array_equal(found[name], expected[name]) for name in expected.files)


def test_bench_says_that_it_was_simulated(picture: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ["bench", "--model", str(checkpoint), "--device", "kv260", "--frames", "2", "--seconds", "0.05", "--check"]
    assert cli.main([*words, "--input", str(picture), "--out", str(tmp_path / "bench.json")]) == 0
    report = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert (report["device"], report["hardware"], report["equal_to_golden"]) == ("kv260", "kv260", True)
    assert (report["facts"]["kind"], report["power"]) == ("simulated board through PYNQ", None)
