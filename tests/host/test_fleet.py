"""Frames over several devices: in order and equal to those of one, whoever drops out in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe import Accelerator
from edgemoe.errors import ArgumentError
from edgemoe.fleet import Fleet, Member
from edgemoe.picture_result import PictureResult
from edgemoe.session import SessionError
from tests.examples.program import write_checkpoint

FRAMES = list(np.random.default_rng(11).integers(0, 256, (9, 60, 100, 3), dtype=np.uint8))
GOLDEN = Member("golden", "micro")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture(scope="module")
def alone(checkpoint: Path) -> list[PictureResult]:
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        return [accelerator(frame) for frame in FRAMES]


def same(results: list[PictureResult], expected: list[PictureResult]) -> bool:
    return len(results) == len(expected) and all(
        np.array_equal(one.outputs[task], other.outputs[task])
        for one, other in zip(results, expected, strict=True)
        for task in other.outputs
    )


def test_results_come_in_the_order_of_the_frames(checkpoint: Path, alone: list[PictureResult]) -> None:
    with Fleet([GOLDEN, GOLDEN], checkpoint) as fleet:
        assert same(list(fleet.stream(FRAMES)), alone)
        assert [list(result.outputs) for result in fleet.stream(FRAMES[:2], ("depth",))] == [["depth"]] * 2
        assert fleet.retired == []


def test_a_member_whose_process_is_killed_is_retired_and_its_frame_runs_again(
    checkpoint: Path, alone: list[PictureResult]
) -> None:
    with Fleet([GOLDEN, GOLDEN], checkpoint) as fleet:
        victim = next(iter(fleet._active))

        def frames() -> Iterator[Any]:
            for number, frame in enumerate(FRAMES):
                if number == 5:
                    os.kill(next(iter(victim._pool._processes)), signal.SIGKILL)
                yield frame

        assert same(list(fleet.stream(frames())), alone)
        assert [(each.member, each.reason) for each in fleet.retired] == [(GOLDEN, "its process ended")]


def test_a_member_that_died_between_two_streams_is_retired(checkpoint: Path, alone: list[PictureResult]) -> None:
    with Fleet([GOLDEN, GOLDEN], checkpoint) as fleet:
        assert same(list(fleet.stream(FRAMES[:4])), alone[:4])
        (process,) = next(iter(fleet._active))._pool._processes.values()
        process.kill()
        process.join()
        assert same(list(fleet.stream(FRAMES)), alone)
        assert [each.reason for each in fleet.retired] == ["its process ended"]


def test_a_member_that_cannot_be_opened_is_retired(checkpoint: Path, alone: list[PictureResult]) -> None:
    board = Member("no board", "micro")
    with Fleet([board, GOLDEN], checkpoint) as fleet:
        assert same(list(fleet.stream(FRAMES)), alone)
        (retired,) = fleet.retired
    assert retired.member == board
    assert "no board" in retired.reason


def test_when_all_have_dropped_out_the_stream_ends_with_the_last_reason(checkpoint: Path) -> None:
    with Fleet([Member("no board"), Member("nobody")], checkpoint) as fleet:
        with pytest.raises(SessionError, match=r"^all 2 members of the fleet dropped out, at last (no board|nobody): "):
            list(fleet.stream(FRAMES))
        assert len(fleet.retired) == 2


def test_a_frame_that_is_none_is_refused_at_its_turn_and_retires_nobody(
    checkpoint: Path, alone: list[PictureResult]
) -> None:
    with Fleet([GOLDEN, GOLDEN], checkpoint) as fleet:
        stream = fleet.stream([FRAMES[0], FRAMES[1], "no such picture.jpg", FRAMES[2]])
        assert same([next(stream), next(stream)], alone[:2])
        with pytest.raises(Exception, match=r"no such picture\.jpg"):
            next(stream)
        assert fleet.retired == []


def test_no_member_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least one member"):
        Fleet([])
