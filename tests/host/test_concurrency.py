"""Two at once on one device: who comes second is refused before anything is written, and the first is not disturbed.

A call inside a stream, two streams, a second thread, a signal handler, a forked child, on every engine; and on a device
that is as late as a board, which is where a frame overwritten in flight shows.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from edgemoe import Accelerator
from edgemoe.compiler.program import Program
from edgemoe.devices.base import Device, MissingToolError
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.registry import open_device
from edgemoe.results import FrameResult
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.registers import AP_START, CONTROL
from tests.examples.program import small_program, write_checkpoint

HARDWARE = load_hardware_config("micro")
ENGINES = ("golden", "csim", "rtl", "late")


class LateDevice(GoldenDevice):
    """Golden, beside the processor as a board is: a run reads its input some polls after its start.

    interrupted_stops: so many calls of `stop` are ended by Ctrl-C before they do anything.
    """

    name = "late"
    _LATENCY = 5

    def __init__(self) -> None:
        super().__init__(HARDWARE)
        self._left = 0
        self.stops = 0
        self.interrupted_stops = 0

    @property
    def running(self) -> bool:
        return self._left > 0

    def write_register(self, offset: int, value: int) -> None:
        if offset == CONTROL and value & AP_START:
            assert not self.running, "started while it runs"
            self._left = self._LATENCY
        else:
            assert not self.running, f"register {offset:#x} written while it runs"
            super().write_register(offset, value)

    def read_register(self, offset: int) -> int:
        if offset == CONTROL and self.running:
            self._left -= 1
            if self.running:
                return AP_START
            super().write_register(CONTROL, AP_START)
        return super().read_register(offset)

    def free(self, address: int) -> None:
        assert not (self.running and address in self._registers.values()), "memory of a run given back"
        super().free(address)

    def stop(self) -> None:
        if self.interrupted_stops:
            self.interrupted_stops -= 1
            raise KeyboardInterrupt
        self.stops += 1
        self._left = 0


def make_device(engine: str) -> Device:
    if engine == "late":
        return LateDevice()
    try:
        return open_device(engine, HARDWARE)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def program() -> Program:
    return small_program()


@pytest.fixture(scope="module")
def frames(program: Program) -> Any:
    model = program.manifest.model
    shape = (5, model.image_height, model.image_width, 3)
    return np.random.default_rng(11).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(program: Program, frames: Any) -> list[Any]:
    """The outputs of every frame, one at a time on the golden engine."""
    with GoldenDevice(HARDWARE) as device, Session(program, device) as session:
        return [session.run(frame).outputs for frame in frames]


@pytest.fixture(params=ENGINES)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    with make_device(request.param) as made:
        yield made


class Touches:
    """Lists what is asked of a device. Made before the session, which binds the registers."""

    def __init__(self, device: Device) -> None:
        self.calls: list[str] = []
        for name in ("allocate", "free", "write", "read", "write_register", "read_register", "stop"):
            setattr(device, name, self._listed(name, getattr(device, name)))

    def _listed(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            return real(*arguments)

        return call

    def refused(self, message: str, *asked: Callable[[], object]) -> None:
        """Each of `asked` is refused with that message, and none of them touches the device."""
        before = list(self.calls)
        for ask in asked:
            with pytest.raises(SessionError, match=message) as refusal:
                ask()
            assert "\n" not in str(refusal.value)
        assert self.calls == before


def same(result: FrameResult, outputs: Any) -> bool:
    return all(np.array_equal(values, outputs[task]) for task, values in result.outputs.items())


def all_same(results: list[FrameResult], expected: list[Any]) -> list[bool]:
    return [same(result, outputs) for result, outputs in zip(results, expected, strict=True)]


def test_whatever_is_asked_inside_a_stream_is_refused_and_disturbs_no_frame(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    touches = Touches(device)
    with Session(program, device, timeout=10) as session, Session(program, device) as other:
        streamed = []
        for result in session.stream(iter(frames)):
            streamed.append(result)
            touches.refused(
                "is busy with a stream; take its results to the end first, or close",
                lambda: session.run(255 - frames[0]),
                lambda: other.run_raw(frames[0]),
                lambda: next(iter(session.stream(iter(frames)))),
                lambda: next(iter(other.stream(iter(frames)))),
                lambda: Session(program, device),
                session.counters,
            )
        assert all_same(streamed, expected) == [True] * 5
        assert same(other.run(frames[0]), expected[0]), "afterwards it works"


def test_of_two_streams_the_second_is_refused_and_the_first_goes_on(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    with Session(program, device, timeout=10) as session:
        first, second = session.stream(iter(frames)), session.stream(iter(frames[::-1]))
        streamed = []
        with pytest.raises(SessionError, match="is busy with a stream"):  # noqa: PT012 (in the first turn)
            for result, _ in zip((streamed.append(each) or each for each in first), second, strict=True):
                raise AssertionError(result)
        streamed.extend(first)
        assert all_same(streamed, expected) == [True] * 5


def test_a_source_that_uses_the_device_itself_is_refused(device: Device, program: Program, frames: Any) -> None:
    touches = Touches(device)

    def source() -> Iterator[Any]:
        for frame in frames:  # some are asked for before the first result, the others behind one
            inside = "is busy with a stream, inside which this call was made; make it afterwards"
            touches.refused(inside, lambda frame=frame: session.run(frame), session.close)
            yield frame

    with Session(program, device, timeout=10) as session:
        assert len(list(session.stream(source()))) == len(frames)


def test_a_second_thread_is_refused_whatever_it_asks(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    touches = Touches(device)
    begun, go_on = threading.Event(), threading.Event()
    streamed: list[FrameResult] = []

    def source() -> Iterator[Any]:
        for number, frame in enumerate(frames):
            if number == 2:
                begun.set()
                assert go_on.wait(60)
            yield frame

    with Session(program, device, timeout=60) as session:
        worker = threading.Thread(target=lambda: streamed.extend(session.stream(source())), name="worker")
        worker.start()
        try:
            assert begun.wait(60)
            touches.refused(
                "is busy with a stream of thread 'worker'; let one thread at a time use it",
                lambda: session.run(frames[0]),
                lambda: next(iter(session.stream(iter(frames)))),
                lambda: Session(program, device),
                session.counters,
                session.close,
            )
        finally:
            go_on.set()
            worker.join()
        assert all_same(streamed, expected) == [True] * 5
        assert same(session.run(frames[0]), expected[0])


def test_a_stream_between_results_is_its_thread_s_as_long_as_that_lives(program: Program, frames: Any) -> None:
    taken, go_on = threading.Event(), threading.Event()
    session = Session(program, LateDevice(), timeout=60)
    results = session.stream(iter(frames))

    def take_one() -> None:
        next(results)
        taken.set()
        go_on.wait(60)

    worker = threading.Thread(target=take_one, name="worker")
    worker.start()
    try:
        assert taken.wait(60)
        with pytest.raises(SessionError, match="is busy with a stream of thread 'worker'"):
            session.close()
    finally:
        go_on.set()
        worker.join()
    session.close()
    with pytest.raises(SessionError, match="this session is closed"):
        next(results)


def test_a_signal_handler_that_uses_the_device_is_refused(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    touches = Touches(device)
    handled: list[bool] = []

    def handler(number: int, frame: FrameType | None) -> None:
        touches.refused("is busy with a frame, inside which", lambda: session.run(frames[1]), session.close)
        handled.append(True)

    before = signal.signal(signal.SIGUSR1, handler)
    write = device.write

    def signalled(address: int, data: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)
        write(address, data)

    try:
        with Session(program, device, timeout=10) as session:
            device.write = signalled  # type: ignore[method-assign]
            assert same(session.run(frames[0]), expected[0])
            assert handled == [True]
    finally:
        signal.signal(signal.SIGUSR1, before)


def in_a_forked_child(work: Callable[[], str]) -> str:
    """What `work` returns in a child of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_refused_and_leaves_the_device_alone(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    touches = Touches(device)
    with Session(program, device, timeout=10) as session:
        results = session.stream(iter(frames))
        streamed = [next(results)]

        def child() -> str:
            message = rf"belongs to process {os.getppid()}, from which this process was forked; use it there, or open"
            touches.refused(message, lambda: session.run(frames[0]), lambda: Session(program, device), session.counters)
            before = list(touches.calls)
            results.close()  # type: ignore[attr-defined]
            session.close()
            return "left alone" if touches.calls == before else str(touches.calls)

        assert in_a_forked_child(child) == "left alone"
        streamed.extend(results)
        assert all_same(streamed, expected) == [True] * 5


def test_closing_a_session_ends_its_stream_before_memory_is_given_back(
    device: Device, program: Program, frames: Any, expected: list[Any]
) -> None:
    """The late device refuses to give memory back under a run."""
    session, other = Session(program, device, timeout=10), Session(program, device)
    results = session.stream(iter(frames))
    streamed = [next(results)]
    other.close()  # of another session, which takes no part in the run
    streamed.append(next(results))
    assert all_same(streamed, expected[:2]) == [True] * 2
    session.close()
    with pytest.raises(SessionError, match="this session is closed; open a new one"):
        next(results)
    with Session(program, device) as fresh:
        assert same(fresh.run(frames[3]), expected[3])


def test_results_are_the_caller_s_alone(device: Device, program: Program, frames: Any, expected: list[Any]) -> None:
    """A source may fill one array again and again, as cameras do; no result changes, and none shares memory."""
    reused = np.empty_like(frames[0])

    def camera() -> Iterator[Any]:
        for frame in frames:
            reused[:] = frame
            yield reused

    with Session(program, device, timeout=10) as session:
        results = [*session.stream(camera()), session.run(reused)]
        raw = session.run_raw(frames[0])
        held = raw.copy()
        session.run(255 - frames[0])
        assert np.array_equal(raw, held)
    reused[:] = 0
    assert all_same(results, [*expected, expected[-1]]) == [True] * 6
    for result, frame in zip(results, [*frames, frames[-1]], strict=True):
        assert np.array_equal(result.frame, frame)
        assert not np.shares_memory(result.frame, reused)
    for task in results[0].outputs:
        assert not np.shares_memory(results[0].outputs[task], results[1].outputs[task])


@pytest.mark.parametrize("again", ["close", "run"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_stop_that_is_interrupted_is_made_good_before_memory_is_touched(
    program: Program, frames: Any, expected: list[Any], streamed: bool, again: str
) -> None:
    """Ctrl-C in a run, Ctrl-C in the stop that follows: the accelerator still runs, and nothing it uses is freed."""
    device = LateDevice()
    session = Session(program, device)
    device.pause = _interrupt  # type: ignore[method-assign]
    device.interrupted_stops = 1
    with pytest.raises(KeyboardInterrupt):
        list(session.stream(iter(frames))) if streamed else session.run(frames[0])
    assert device.running
    del device.pause
    if again == "run":
        with Session(program, device) as other:
            assert device.stops == 1
            assert same(other.run(frames[1]), expected[1])
    device.interrupted_stops = 0 if again == "run" else 1
    if again == "close":
        with pytest.raises(KeyboardInterrupt):
            session.close()
        assert device.running
    session.close()
    assert not device.running
    assert device._memory.allocated == 0


def _interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


class QuickDevice(LateDevice):
    """Late, with hardly any work in a run: its output is its input."""

    def _run(self) -> None:
        at, to = self._pointer("input"), self._pointer("output")
        regions = self._memory._regions
        regions[to][:] = np.resize(regions[at], regions[to].size)


@pytest.mark.parametrize("streamed", [False, True])
def test_ctrl_c_anywhere_leaves_the_device_usable(program: Program, frames: Any, streamed: bool) -> None:
    """At the beginning of each function of the session and its device, once, and again in what follows."""
    places = ("session.py", "exclusive.py", "control.py", Path(__file__).name)
    with Session(program, QuickDevice()) as session:
        expected = session.run_raw(frames[1])

        def interrupted(at: list[int]) -> bool:
            count = 0

            def trace(frame: FrameType, event: str, argument: object) -> None:
                nonlocal count
                if frame.f_code.co_filename.endswith(places):
                    count += 1
                    if count - 1 in at:
                        raise KeyboardInterrupt

            before = sys.gettrace()
            sys.settrace(trace)
            try:
                list(session.stream(iter(frames[:2]))) if streamed else session.run(frames[0])
            except KeyboardInterrupt:
                return True
            finally:
                sys.settrace(before)
            return False

        first = 0
        while interrupted([first]):
            assert np.array_equal(session.run_raw(frames[1]), expected), f"after Ctrl-C at call {first}"
            for following in (1, 2, 3):
                interrupted([first, first + following])
                assert np.array_equal(session.run_raw(frames[1]), expected), f"after Ctrl-C at {first}, +{following}"
            first += 1
        assert first > 30, "calls of one frame"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


def test_an_accelerator_refuses_likewise(checkpoint: Path, frames: Any) -> None:
    """Before it compiles, too; loading another model would take the stream's memory away."""
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        touches = Touches(accelerator.device)
        alone = accelerator(frames[0])
        results = accelerator.stream(iter(frames))
        assert same(next(results), alone.outputs)
        touches.refused(
            "device 'golden' is busy with a stream",
            lambda: accelerator(frames[1]),
            lambda: accelerator(frames[1], tasks=("depth",)),
            lambda: accelerator.stream(iter(frames)),
            lambda: accelerator.load(checkpoint),
        )
        assert len(list(results)) == len(frames) - 1
        next(accelerator.stream(iter(frames)))
        results = accelerator.stream(iter(frames))
        next(results)
    with pytest.raises(SessionError, match="is closed"):
        next(results)


def test_of_two_threads_that_compile_the_second_is_refused(
    checkpoint: Path, frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgemoe.accelerator

    begun, go_on = threading.Event(), threading.Event()
    real, found = edgemoe.accelerator.compile_checkpoint, []

    def slow(*arguments: Any) -> Program:
        begun.set()
        assert go_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(edgemoe.accelerator, "compile_checkpoint", slow)
    accelerator = Accelerator("golden", "micro")
    accelerator.load(checkpoint)
    worker = threading.Thread(target=lambda: found.append(accelerator(frames[0])), name="worker")
    worker.start()
    try:
        assert begun.wait(60)
        for ask in (lambda: accelerator(frames[0]), lambda: accelerator.load(checkpoint), accelerator.close):
            with pytest.raises(
                SessionError, match="the accelerator on 'golden' is busy with a frame of thread 'worker'"
            ):
                ask()
    finally:
        go_on.set()
        worker.join()
    assert same(accelerator(frames[0]), found[0].outputs)
    accelerator.close()
