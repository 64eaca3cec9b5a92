"""Caches and buffers: every flush and invalidate is needed, nothing in use is touched, nothing is left behind."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import ENGINES, HANDSHAKES, simulated

import edgemoe.session
from edgemoe.compiler.program import Program
from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.pynq.simulated.board import MisuseError, SimulatedBoard
from edgemoe.pynq.simulated.install import open_simulated_board
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.registers import CONTROL

# What one session with one frame needs, in order; the micro hardware has one port for weights.
SYNCHRONISATIONS = {"program": "flush", "weights": "flush", "frame": "flush", "result": "invalidate"}


class _Recorder:
    """Lists the synchronisations of a board and drops one of them."""

    def __init__(self, board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch, dropped: int | None) -> None:
        self.kinds: list[str] = []
        self._dropped = dropped
        for kind in ("flush", "invalidate"):
            monkeypatch.setattr(board, kind, self._wrap(kind, getattr(board, kind)))

    def _wrap(self, kind: str, real: Callable[..., None]) -> Callable[..., None]:
        def recorded(*arguments: Any) -> None:
            self.kinds.append(kind)
            if len(self.kinds) - 1 != self._dropped:
                real(*arguments)

        return recorded


def outcome(program: Program, board: Any, frames: Any) -> list[bytes] | str:
    """Output regions of some frames, or what went wrong."""
    try:
        with Session(program, board, timeout=60) as session:
            return [session.run_raw(frame).tobytes() for frame in frames]
    except (SessionError, DeviceError, ValueError) as error:
        return str(error)


def test_the_driver_synchronises_what_is_needed_and_no_more(
    board: Any, program: Program, frames: Any, expected: list[Bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = _Recorder(simulated(board), monkeypatch, dropped=None)
    assert outcome(program, board, frames[:1]) == [expected[0].tobytes()]
    assert recorder.kinds == list(SYNCHRONISATIONS.values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dropped", SYNCHRONISATIONS)
def test_every_forgotten_synchronisation_is_seen(
    make_board: Callable[..., Any],
    program: Program,
    frames: Any,
    expected: list[Bytes],
    engine: str,
    dropped: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = list(SYNCHRONISATIONS).index(dropped)
    board = make_board(engine)
    recorder = _Recorder(simulated(board), monkeypatch, number)
    assert outcome(program, board, frames[:1]) != [expected[0].tobytes()]
    assert len(recorder.kinds) > number


def test_the_next_frame_needs_its_own_synchronisations(
    make_board: Callable[..., Any],
    program: Program,
    frames: Any,
    expected: list[Bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without its flush the second result is that of the first frame; without its invalidate it is the first result."""
    once = len(SYNCHRONISATIONS)
    for dropped in (once, once + 1):
        board = make_board()
        _Recorder(simulated(board), monkeypatch, dropped)
        found = outcome(program, board, frames[:2])
        assert found == [expected[0].tobytes()] * 2
        board.close()


def test_memory_is_cached(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYNQ's default is not, and reading results from it is slow."""
    asked: list[dict[str, Any]] = []
    real = SimulatedBoard.allocate
    monkeypatch.setattr(
        SimulatedBoard, "allocate", lambda self, *what, **options: (asked.append(options), real(self, *what))[1]
    )
    board.allocate(64)
    assert asked == [{"cacheable": 1}]


def test_a_partial_write_keeps_what_the_accelerator_wrote(board: Any) -> None:
    address = board.allocate(64)
    simulated(board).engine.write(address, np.arange(64, dtype=np.uint8))
    board.write(address + 8, np.full(4, 99, dtype=np.uint8))
    assert board.read(address, 64).tolist() == [*range(8), 99, 99, 99, 99, *range(12, 64)]
    assert board.read(address + 7, 2).tolist() == [7, 99]


@pytest.fixture
def slow_board(board: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every run takes at least a fifth of a second, so that what the host does meanwhile does happen meanwhile.

    The Verilog's takes its time anyhow.
    """
    engine = simulated(board).engine
    real = engine.write_register

    def slow(offset: int, value: int) -> None:
        if offset == CONTROL:
            time.sleep(0.2)
        real(offset, value)

    if not isinstance(engine, RtlDevice):
        monkeypatch.setattr(engine, "write_register", slow)
    return board


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_frames_in_flight_are_copied_while_the_accelerator_runs(
    slow_board: Any, program: Program, frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    under = simulated(slow_board)
    running: list[tuple[str, bool]] = []
    for kind in ("flush", "invalidate"):
        real = getattr(under, kind)

        def recorded(*arguments: Any, kind: str = kind, real: Callable[..., None] = real) -> None:
            running.append((kind, under.accelerator.running))
            real(*arguments)

        monkeypatch.setattr(under, kind, recorded)
    with Session(program, slow_board) as session:
        reference = [session.run(frame) for frame in frames]
        running.clear()
        streamed = list(session.stream(iter(frames)))
    for one, other in zip(reference, streamed, strict=True):
        assert np.array_equal(one.frame, other.frame)
        assert all(np.array_equal(one.outputs[task], other.outputs[task]) for task in one.outputs)
        assert one.counters == other.counters
    assert ("flush", True) in running, "copies in"
    assert ("invalidate", True) in running, "copies out"


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_one_buffer_for_two_frames_in_flight_is_misuse(
    slow_board: Any, program: Program, frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulated board sees it, so the test above means something."""
    monkeypatch.setattr(edgemoe.session, "_SLOTS_IN_FLIGHT", 1)
    with (
        Session(program, slow_board) as session,
        pytest.raises(MisuseError, match="flush of the input buffer while the accelerator uses it"),
    ):
        list(session.stream(iter(frames)))


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_a_stream_that_is_left_early_leaves_the_accelerator_at_rest(
    board: Any, program: Program, frames: Any, expected: list[Bytes]
) -> None:
    with Session(program, board) as session:
        results = session.stream(iter(frames))
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert not simulated(board).accelerator.running
        assert np.array_equal(session.run_raw(frames[1]), expected[1])


def test_a_thousand_frames_leave_nothing_behind(make_board: Callable[..., Any], program: Program, frames: Any) -> None:
    """Buffers, bytes on the board, threads, open files, and Python's own count of live bytes."""
    board = make_board("csim")

    def endless(count: int) -> Iterator[Any]:
        for index in range(count):
            yield frames[index % len(frames)]

    def count() -> tuple[int, int, int, int]:
        under = simulated(board)
        return under.buffers, under.allocated, threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    with Session(program, board) as session:
        assert sum(1 for _ in session.stream(endless(20))) == 20
        tracemalloc.start()
        try:
            for _ in session.stream(endless(20)):
                pass
            gc.collect()
            before, held = tracemalloc.get_traced_memory()[0], count()
            assert sum(1 for _ in session.stream(endless(1000))) == 1000
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 50_000, "bytes"
        finally:
            tracemalloc.stop()
        assert count() == held
    under = simulated(board)
    assert (board.buffers, under.buffers, under.allocated) == (0, 0, 0)


@pytest.mark.parametrize("other", [False, True])
def test_a_closed_board_is_no_longer_the_one_that_pynq_uses(other: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PYNQ used before comes back, and the engine below is closed with the board, once."""
    before = object() if other else None
    if other:
        monkeypatch.setattr(pynq.Device, "_active_device", before, raising=False)
    device = open_simulated_board("zcu102", "golden", load_hardware_config("micro"))
    board = simulated(device)
    closed: list[SimulatedBoard] = []
    monkeypatch.setattr(board, "close", lambda: closed.append(board))
    assert pynq.Device._active_device is board
    for _ in range(2):
        device.close()
    assert getattr(pynq.Device, "_active_device", None) is before
    assert closed == [board]
