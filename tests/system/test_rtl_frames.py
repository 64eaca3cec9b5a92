"""`python -m benchmarks.rtl_frames`: what does not fit is named and left out; figures go where they are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import rtl_frames
from edgemoe.compiler.program import Program


def test_tasks_that_do_not_fit_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pynq_z2` has rows for one task of `tiny`."""

    def measure(program: Program) -> rtl_frames.Frame:
        counters = {"cycles": 8, "mac_busy_cycles": 6, "bytes_read": 64, "bytes_written": 16}
        return rtl_frames.Frame(program, [], counters, bit_exact=True, seconds=0.5)

    monkeypatch.setattr(rtl_frames, "measure", measure)
    monkeypatch.setattr(rtl_frames, "print_frame", lambda *_: None)
    path = tmp_path / "frames.json"
    monkeypatch.setattr("sys.argv", ["rtl_frames", "--hardware", "pynq_z2", "--report", str(path)])
    assert rtl_frames.main() == 0
    assert "left out: model 'tiny' does not fit hardware 'pynq_z2' for tasks" in capsys.readouterr().out
    assert [frame["tasks"] for frame in json.loads(path.read_text(encoding="utf-8"))["frames"]] == [["semseg"]]
