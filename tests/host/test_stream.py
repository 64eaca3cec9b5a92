"""Frames in flight: a stream gives what single runs give, and leaves the device usable however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgemoe.compiler.program import Program
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.measure import same_values
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.registers import AP_IDLE, CONTROL
from tests.examples.program import small_program

HARDWARE = load_hardware_config("micro")


@pytest.fixture(scope="module")
def program() -> Program:
    return small_program()


@pytest.fixture(scope="module")
def frames(program: Program) -> Any:
    model = program.manifest.model
    shape = (5, model.image_height, model.image_width, 3)
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_a_stream_gives_what_single_runs_give(program: Program, frames: Any, count: int) -> None:
    with Session(program, GoldenDevice(HARDWARE)) as session:
        streamed = list(session.stream(iter(frames[:count])))
        assert len(streamed) == count
        for frame, result in zip(frames, streamed, strict=False):
            assert same_values(result, session.run(frame))
            assert np.array_equal(result.frame, frame)
            assert result.timings_ms.keys() == session.run(frame).timings_ms.keys()


def test_a_result_comes_as_soon_as_the_next_frame_is_started(program: Program, frames: Any) -> None:
    taken = []

    def camera() -> Iterator[Any]:
        for number, frame in enumerate(frames):
            taken.append(number)
            yield frame

    with Session(program, GoldenDevice(HARDWARE)) as session:
        for number, _ in enumerate(session.stream(camera())):
            assert taken[-1] == min(number + 1, len(frames) - 1)


def test_what_the_source_raises_comes_through(program: Program, frames: Any) -> None:
    def broken() -> Iterator[Any]:
        yield frames[0]
        raise OSError("the cable")

    with Session(program, GoldenDevice(HARDWARE)) as session:
        with pytest.raises(OSError, match="the cable"):
            list(session.stream(broken()))
        assert same_values(session.run(frames[0]), session.run(frames[0]))


class _Stoppable(GoldenDevice):
    """Says that it is busy when told to, and counts how often it is stopped."""

    busy = False
    stops = 0

    def read_register(self, offset: int) -> int:
        value = super().read_register(offset)
        return value & ~AP_IDLE if offset == CONTROL and self.busy else value

    def stop(self) -> None:
        self.stops += 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_of_another_session_is_left_alone(program: Program, frames: Any, streamed: bool) -> None:
    """Only a run that this session started is stopped."""
    device = _Stoppable(HARDWARE)
    with Session(program, device) as session:
        device.busy = True
        with pytest.raises(SessionError, match="is busy"):
            list(session.stream(iter(frames))) if streamed else session.run(frames[0])
        assert device.stops == 0
        device.busy = False
        results = session.stream(iter(frames))
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert device.stops == 1
