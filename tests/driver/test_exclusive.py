"""One user of a board at a time; an accelerator is stopped before its memory goes, whatever interrupts that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import HANDSHAKES, simulated

from edgemoe.compiler.program import Program
from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.measure import same_values
from edgemoe.pynq.buffers import _PARENTS
from edgemoe.session import Session, SessionError


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_a_call_inside_a_stream_is_refused_and_disturbs_no_frame(board: Any, program: Program, frames: Any) -> None:
    with Session(program, board) as session:
        alone = [session.run(frame) for frame in frames]
        streamed = []
        for result in session.stream(iter(frames)):
            streamed.append(result)
            with pytest.raises(
                SessionError, match="device 'zcu102' is busy with a stream; take its results to the end"
            ):
                session.run(frames[0])
        assert all(same_values(*pair) for pair in zip(streamed, alone, strict=True))


class CtrlC:
    """Comes with the next waits of a driver, as many as are set."""

    def __init__(self, ip: Any) -> None:
        self.left = 0
        self._pause = ip.pause
        ip.pause = self

    def __call__(self, seconds: float) -> None:
        if self.left:
            self.left -= 1
            raise KeyboardInterrupt
        self._pause(seconds)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgemoe.pynq.resources._REST_SECONDS", 0.05)


@pytest.fixture
def stuck(board: Any, impatient: None) -> Iterator[Any]:
    """A board whose accelerator never ends a run."""
    accelerator = simulated(board).accelerator
    accelerator.stuck = True
    yield board
    accelerator.stuck = False


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("then", ["run", "close the session", "close the device"])
def test_ctrl_c_in_the_stop_frees_nothing_and_the_next_call_stops(
    stuck: Any, program: Program, frames: Any, expected: list[Bytes], streamed: bool, then: str
) -> None:
    """The simulated board refuses to release a buffer in use, or to start a run beside another."""
    under, ctrl_c = simulated(stuck), CtrlC(stuck.ip)
    session = Session(program, stuck)
    ctrl_c.left = 2
    with pytest.raises(KeyboardInterrupt):
        list(session.stream(iter(frames))) if streamed else session.run(frames[0])
    assert (under.accelerator.running, under.downloads) == (True, 1)
    if then == "run":
        under.accelerator.stuck = False
        assert np.array_equal(session.run_raw(frames[1]), expected[1])
        assert under.downloads == 2
    ctrl_c.left = 0 if then == "run" else 1
    close = stuck.close if then == "close the device" else session.close
    if then != "run":
        buffers = under.buffers
        with pytest.raises(KeyboardInterrupt):
            close()
        assert (under.accelerator.running, under.buffers) == (True, buffers)
    close()
    assert (under.accelerator.running, under.buffers, under.downloads) == (False, 0, 2)


def test_a_device_that_was_interrupted_while_it_closed_is_still_taken(
    stuck: Any, make_board: Callable[..., Any], program: Program, frames: Any
) -> None:
    ctrl_c = CtrlC(stuck.ip)
    session = Session(program, stuck)
    ctrl_c.left = 3
    for interrupted in (lambda: session.run(frames[0]), stuck.close):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    with pytest.raises(DeviceError, match="this process already uses the accelerator"):
        make_board()
    stuck.close()
    make_board()


def test_an_accelerator_that_cannot_be_stopped_is_said_and_keeps_its_memory(
    stuck: Any, program: Program, frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    under = simulated(stuck)
    session = Session(program, stuck, timeout=0.05)
    buffers = under.buffers

    def asked() -> bool:
        raise AssertionError("a half-loaded accelerator was asked for its registers")

    with monkeypatch.context() as patched:

        def broken() -> None:
            patched.setattr(stuck.ip.control, "idle", asked)
            raise RuntimeError("no firmware")

        patched.setattr(stuck.overlay, "download", broken)
        message = (
            r"could not be loaded again \(RuntimeError: no firmware\); its memory stays reserved: call close\(\) again"
        )
        for ask in (lambda: session.run(frames[0]), lambda: session.run(frames[0]), session.close, stuck.close):
            with pytest.raises(DeviceError, match=message):
                ask()
            assert (under.accelerator.running, under.buffers) == (True, buffers)
    session.close()
    assert (under.accelerator.running, under.buffers) == (False, 0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_refused_and_gives_nothing_back(
    make_board: Callable[..., Any], program: Program, frames: Any, expected: list[Bytes]
) -> None:
    """Not the session, not the device, not a second opening, and not the child's own end."""
    tag = f"test_{os.getpid()}"
    device = make_board(tag=tag)
    under = simulated(device)
    session = Session(program, device)
    before = under.buffers, under.downloads
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = []
            for ask in (
                lambda: session.run(frames[0]),
                lambda: device.allocate(64),
                lambda: device.read_register(0),
                device.stop,
                lambda: make_board(tag=tag),
            ):
                try:
                    ask()
                    said.append("was done")
                except (SessionError, DeviceError) as error:
                    said.append(str(error))
            held = [region.buffer for region in device._resources.buffers._regions.values()]
            session.close()
            device.close()
            untouched = (under.buffers, under.downloads) == before
            # Else PYNQ would free them with the device.
            untouched = untouched and not device._resources.buffers._regions
            untouched = untouched and held and all(buffer.pointer == 0 and buffer.freed for buffer in held)
            untouched = untouched and [*map(id, _PARENTS)] == [*map(id, held)]  # kept: none is collected
            os.write(writer, "\n".join([*said, str(bool(untouched))]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        *said, opened, untouched = pipe.read().splitlines()
    os.waitpid(child, 0)
    belongs = f"device 'zcu102' belongs to process {os.getpid()}, from which this process was forked; use it there, or "
    assert [sentence[: len(belongs)] for sentence in said] == [belongs] * 4
    assert opened.startswith(f"process {os.getpid()} uses the accelerator")
    assert untouched == "True"
    assert np.array_equal(session.run_raw(frames[0]), expected[0])
    with pytest.raises(DeviceError, match="this process already uses"):
        make_board(tag=tag)
    session.close()
