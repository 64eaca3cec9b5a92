"""A fleet of boards on the network, through PYNQ's own client; one of them goes away in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import BOARD

from edgemoe import Accelerator
from edgemoe.fleet import Fleet, Member
from edgemoe.pynq.board import OVERLAY_VARIABLE, SIMULATED_VARIABLE
from edgemoe.pynq.simulated.install import write_simulated_overlay
from edgemoe.spec.hardware import load_hardware_config

HARDWARE = "micro"


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Two boards by their addresses, which are this computer's, as the port is fixed."""
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    write_simulated_overlay(overlay, BOARD, load_hardware_config(HARDWARE))
    monkeypatch.setenv(OVERLAY_VARIABLE, str(overlay))
    monkeypatch.delenv(SIMULATED_VARIABLE, raising=False)
    server = Path(__file__).with_name("remote_board.py")
    process_id = os.getpid()
    with ExitStack() as stack:
        found = {}
        for number in (251, 252):
            address = f"127.{number}.{1 + process_id // 250 % 250}.{1 + process_id % 250}"
            command = [sys.executable, "-W", "ignore", str(server), "golden", HARDWARE, address]
            board = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(board.kill)
            assert board.stdout is not None
            assert board.stdout.readline() == "ready\n"
            found[address] = board
        yield found


def test_a_board_that_goes_away_is_retired_and_its_frames_run_on_the_other(
    boards: dict[str, subprocess.Popen[str]], checkpoint: Path, frames: Any
) -> None:
    with Accelerator("golden", HARDWARE) as accelerator:
        accelerator.load(checkpoint)
        expected = [accelerator(frame) for frame in frames] * 3
    first, _ = boards
    with Fleet([Member(BOARD, remote=address, timeout=30) for address in boards], checkpoint) as fleet:

        def pictures() -> Iterator[Any]:
            for number, frame in enumerate([*frames, *frames, *frames]):
                if number == 9:
                    boards[first].kill()
                yield frame

        results = list(fleet.stream(pictures()))
        (retired,) = fleet.retired
    assert retired.member.remote == first
    assert "does not answer any more" in retired.reason
    for task in ("semseg", "depth"):
        assert [result.outputs[task].tobytes() for result in results] == [
            np.ascontiguousarray(result.outputs[task]).tobytes() for result in expected
        ]
