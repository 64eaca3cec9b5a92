"""The PYNQ driver as a PYNQ user meets it: Overlay, allocate, flush, start, wait, invalidate, read."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import ENGINES, HANDSHAKES, simulated

from edgemoe.compiler.program import Program
from edgemoe.devices.base import POLL_SECONDS, Bytes, DeviceError
from edgemoe.devices.registry import open_device
from edgemoe.frames import input_image
from edgemoe.overlay.manifest import Timing
from edgemoe.pynq.driver import INTERRUPT_SECONDS, EdgeMoeIp
from edgemoe.pynq.simulated.board import MisuseError, SimulatedBoard
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import INSTRUCTION_BYTES
from edgemoe.spec.memory import stripe
from edgemoe.spec.registers import (
    COUNTERS,
    GLOBAL_INTERRUPT,
    IDENTITY,
    INTERRUPT_ENABLE,
    INTERRUPT_STATUS,
    OFFSETS,
    REGISTER_SPACE,
)


def regions(program: Program, frame: Any) -> dict[str, Bytes]:
    """What a frame needs in memory, by pointer; the output has only its size."""
    weights = stripe(program.stream, program.manifest.hardware.ports)
    return {
        "program": program.image,
        "input": input_image(frame, program.manifest.model),
        "output": np.zeros(program.manifest.output_bytes, dtype=np.uint8),
        **{f"weights_{port}": region for port, region in enumerate(weights)},
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frame_by_hand(
    make_board: Callable[..., Any], program: Program, frames: Any, expected: list[Bytes], engine: str
) -> None:
    overlay = make_board(engine).overlay
    ip = overlay.edgemoe_0
    assert isinstance(ip, EdgeMoeIp)
    buffers = {}
    for name, data in regions(program, frames[0]).items():
        buffers[name] = pynq.allocate((data.size,), dtype="u1")
        if name != "output":
            buffers[name][:] = data
            buffers[name].flush()
    ip.start({name: buffer.device_address for name, buffer in buffers.items()})
    ip.wait(30.0)
    buffers["output"].invalidate()
    assert np.array_equal(buffers["output"], expected[0])
    assert ip.control.value("identity") == IDENTITY
    assert ip.control.value("config_hash") == program.manifest.config_hash
    counters = ip.control.counters()
    assert set(counters) <= set(COUNTERS)
    assert counters["experts_run"] + counters["segments_dropped"] == 4
    assert ip.register_map.CTRL.AP_IDLE == 1
    assert overlay.clock_dict[0]["frequency"] == pytest.approx(250, abs=0.01)


@pytest.mark.parametrize("engine", ENGINES)
def test_upper_memory(
    make_board: Callable[..., Any], program: Program, frames: Any, expected: list[Bytes], engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Buffers of a ZCU102 may lie at 0x8_0000_0000 and above: both halves of every pointer count."""
    monkeypatch.setattr("edgemoe.devices.flat_memory._BASE", 0x8_0000_0000)
    with Session(program, make_board(engine)) as session:
        assert min(session._addresses.values()) >= 0x8_0000_0000
        assert all(np.array_equal(session.run_raw(frame), raw) for frame, raw in zip(frames, expected, strict=True))


FORMS: dict[str, Callable[[Any], Any]] = {
    "mirrored": lambda frame: frame[:, ::-1],
    "BGR": lambda frame: frame[..., ::-1],
    "upside down": lambda frame: frame[::-1],
    "every second pixel": lambda frame: np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1)[::2, ::2],
    "column by column": np.asfortranarray,
    "a buffer of PYNQ": lambda frame: _in_buffer(frame),
    "a part of a buffer": lambda frame: _in_buffer(np.pad(frame, ((3, 1), (2, 5), (0, 0))))[3:-1, 2:-5],
    "a mirrored buffer": lambda frame: _in_buffer(frame)[:, ::-1],
}


def _in_buffer(frame: Any) -> Any:
    buffer = pynq.allocate(frame.shape, dtype="u1")
    buffer[:] = frame
    return buffer


@pytest.mark.parametrize("form", FORMS)
def test_frames_as_notebooks_and_cameras_have_them(board: Any, program: Program, frames: Any, form: str) -> None:
    """Views with strides of any sign, and `pynq.allocate`: the pixels count, not how they lie in memory."""
    frame = FORMS[form](frames[0])
    with Session(program, board) as session:
        found, same = session.run(frame), session.run(np.array(frame, order="C"))
    assert np.array_equal(found.frame, np.asarray(frame))
    assert all(np.array_equal(found.outputs[task], same.outputs[task]) for task in same.outputs)


def test_the_verilog_s_own_counters_come_through(make_board: Callable[..., Any], program: Program, frames: Any) -> None:
    """Those of the same frame without PYNQ, to the cycle; bytes as memory counts them."""
    board = make_board("rtl")
    engine = simulated(board).engine
    with open_device("rtl", program.manifest.hardware) as alone, Session(program, alone) as session:
        expected = session.run(frames[0]).counters
    with Session(program, board) as session:
        cycle, moved = engine.cycle, engine.bytes_moved
        found = session.run(frames[0]).counters
    assert found == expected
    assert 0 < found["cycles"] < engine.cycle - cycle
    assert (found["bytes_read"], found["bytes_written"]) == tuple(np.subtract(engine.bytes_moved, moved))


def test_a_board_is_opened_with_a_watchdog_of_a_second_and_its_interrupt(make_board: Callable[..., Any]) -> None:
    board = make_board()
    assert board.read_register(OFFSETS["watchdog_cycles"]) == board.hardware.clock_mhz * 1_000_000
    assert (board.read_register(INTERRUPT_ENABLE), board.read_register(GLOBAL_INTERRUPT)) == (1, 1)


def test_the_watchdog_of_a_clock_beyond_its_bits_is_the_longest(make_board: Callable[..., Any]) -> None:
    board = make_board(hardware=replace(load_hardware_config("micro"), clock_mhz=5_000))
    assert board.read_register(OFFSETS["watchdog_cycles"]) == 0xFFFFFFFF


def test_a_board_is_opened_with_an_empty_program_and_keeps_none_of_it(
    make_board: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Bytes] = []
    real = SimulatedBoard.flush

    def flush(board: SimulatedBoard, *where: int) -> None:
        real(board, *where)
        written.extend(copy.copy() for copy in board._copies.values())

    monkeypatch.setattr(SimulatedBoard, "flush", flush)
    board = make_board()
    assert [region.tolist() for region in written] == [[0] * INSTRUCTION_BYTES]
    assert (board.buffers, simulated(board).buffers) == (0, 0)


def test_an_accelerator_at_rest_is_left_alone_and_one_that_does_not_answer_is_loaded_and_configured(
    make_board: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board()
    under = simulated(board)
    assert (board._resources.bring_to_rest(), under.downloads) == (False, 1)
    with monkeypatch.context() as patched:
        patched.setattr(board.ip.control, "idle", _silent)
        assert (board._resources.bring_to_rest(), under.downloads) == (True, 2)
        board.stop()
    assert under.downloads == 3
    assert board.read_register(OFFSETS["watchdog_cycles"]) == board.hardware.clock_mhz * 1_000_000
    assert (board.read_register(INTERRUPT_ENABLE), board.read_register(GLOBAL_INTERRUPT)) == (1, 1)
    freed: list[str] = []
    monkeypatch.setattr(board.overlay, "free", lambda: freed.append("overlay"))
    board.close()
    assert freed == ["overlay"]


def _silent() -> bool:
    raise DeviceError("engine 'rtl' does not answer on its control port")


def test_a_board_s_registers_are_words_of_the_map(board: Any) -> None:
    for offset in (-4, 2, REGISTER_SPACE):
        with pytest.raises(DeviceError, match="outside the register map"):
            board.write_register(offset, 0)


def test_power_is_measured_where_the_board_is_none_of_this_computer(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a rail without a power sensor, voltage times current; of one with half of that, nothing."""

    def sensor(value: float) -> SimpleNamespace:
        return SimpleNamespace(value=value)

    rails = {
        "12V": SimpleNamespace(power=sensor(7.5), voltage=sensor(12.0), current=sensor(9.0)),
        "INT": SimpleNamespace(power=None, voltage=sensor(0.85), current=sensor(2.0)),
        "AUX": SimpleNamespace(voltage=sensor(1.8)),
        "DDR": SimpleNamespace(power=None, current=sensor(1.8)),
    }
    monkeypatch.setattr(pynq, "get_rails", lambda: rails, raising=False)
    assert board.power_rails() == {}
    facts = board.facts()
    assert (facts["kind"], facts["bitstream"]["timing"]) == ("simulated board through PYNQ", None)
    timing = Timing(met=True, clock_mhz=250.0, worst_slack_ns=0.1)
    built = replace(board._manifest, engine="rtl", timing=timing, utilisation={})
    monkeypatch.setattr(board, "_manifest", built)
    assert {name: read() for name, read in board.power_rails().items()} == {"12V": 7.5, "INT": pytest.approx(1.7)}
    facts = board.facts()
    assert (facts["kind"], facts["bitstream"]["timing"]) == (
        "board", {"met": True, "clock_mhz": 250.0, "worst_slack_ns": 0.1}
    )  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_that_the_watchdog_ended_is_loaded_afresh_before_its_memory_is_used_again(
    make_board: Callable[..., Any], program: Program, frames: Any, expected: list[Bytes], streamed: bool
) -> None:
    """It says that it is done with accesses in flight: whatever was given back then could still be written."""
    board = make_board("rtl")
    under = simulated(board)
    board.ip.configure(watchdog_cycles=2_000)
    session = Session(program, board, timeout=60)
    under.accelerator.stuck = True
    stop = board.stop

    def checked_stop() -> None:
        assert (under.accelerator.running, under.engine.quiet, under.downloads) == (False, False, 1)
        with pytest.raises(MisuseError, match="release of the program buffer while the accelerator uses it"):
            under.return_pointer(session._addresses["program"])
        stop()

    board.stop = checked_stop
    with pytest.raises(SessionError, match="with WATCHDOG"):
        list(session.stream(iter(frames))) if streamed else session.run(frames[0])
    assert (under.engine.quiet, under.downloads) == (True, 2)
    under.accelerator.stuck = False
    assert np.array_equal(session.run_raw(frames[0]), expected[0])
    session.close()
    board.close()
    assert (under.buffers, under.downloads) == (0, 2), "loaded once more when it was needed, and not again"


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_a_fault_is_a_sentence_with_the_instruction(board: Any, program: Program, frames: Any) -> None:
    ip, addresses = board.ip, {}
    words = program.words.copy()
    words[3, 0] |= 0xFF  # an opcode that does not exist
    data = regions(program, frames[0])
    data["program"][64:] = words.reshape(-1).astype("<u4").view(np.uint8)
    for name, region in data.items():
        addresses[name] = board.allocate(region.size)
        board.write(addresses[name], region)
    ip.start(addresses)
    with pytest.raises(DeviceError, match=r"stopped at instruction 3: ILLEGAL_OPCODE: the opcode is unknown"):
        ip.wait(30.0)


def test_pynq_finds_the_driver_without_an_import() -> None:
    """Through the entry point `pynq.lib`; in a process that has not imported the driver itself."""
    program = (
        "import sys, pynq, pynq.overlay\n"
        "pynq.overlay.Overlay._register_drivers(None)\n"
        "print(pynq.overlay._ip_drivers['edgemoe.org:kernel:edgemoe:1.0'].__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["EdgeMoeIp", "False"]


class _Pauses:
    """Counts how often the driver waits."""

    def __init__(self, ip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._pause = ip.pause
        monkeypatch.setattr(ip, "pause", self)

    def __call__(self, seconds: float) -> None:
        self.count += 1
        self._pause(seconds)


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_the_driver_sleeps_on_the_interrupt(
    board: Any, program: Program, frames: Any, expected: list[Bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through PYNQ's own interrupt classes and a model of the interrupt controller; polling would look 100 times.

    Two waits a run are allowed beyond the time-outs: an interrupt may come just after its run was seen to be done.
    """
    assert board.ip.has_interrupt
    with Session(program, board) as session:
        for frame, region in zip(frames, expected, strict=True):
            pauses = _Pauses(board.ip, monkeypatch)
            start = time.monotonic()
            assert np.array_equal(session.run_raw(frame), region)
            assert pauses.count <= 2 + (time.monotonic() - start) / INTERRUPT_SECONDS


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_a_lost_interrupt_costs_only_time(
    board: Any, program: Program, frames: Any, expected: list[Bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated(board).interrupts, "set_level", lambda level: None)
    with Session(program, board) as session:
        assert np.array_equal(session.run_raw(frames[0]), expected[0])


def test_a_wait_that_ctrl_c_ends_leaves_no_task_behind(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It came while the loop slept, not inside of what waits."""
    loop = asyncio.new_event_loop()
    never = loop.create_future()
    tasks: list[asyncio.Task[None]] = []
    create = loop.create_task

    async def wait() -> None:
        await never

    def create_task(work: Any, **options: Any) -> asyncio.Task[None]:
        tasks.append(create(work, **options))
        return tasks[-1]

    def ctrl_c() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "create_task", create_task)
    monkeypatch.setattr(board.ip, "_loop", lambda: loop)
    monkeypatch.setattr(board.ip, "interrupt", SimpleNamespace(wait=wait))
    loop.call_soon(ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        board.pause(10.0)
    loop.run_until_complete(asyncio.sleep(0.001))
    assert tasks[0].cancelled()
    loop.close()


def test_the_driver_s_own_question_for_the_loop_warns_nobody(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions of Python warn of a question where no loop was made before."""
    loop = asyncio.new_event_loop()

    def asked() -> asyncio.AbstractEventLoop:
        warnings.warn("there is no current event loop", DeprecationWarning, stacklevel=2)
        return loop

    monkeypatch.setattr(asyncio, "get_event_loop", asked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert board.ip._loop() is loop
    loop.close()


def test_in_a_running_event_loop_the_driver_polls(
    board: Any, program: Program, frames: Any, expected: list[Bytes]
) -> None:
    """As in a notebook, where PYNQ's event loop is Jupyter's and is busy with the cell."""

    async def cell() -> Bytes:
        with Session(program, board) as session:
            return session.run_raw(frames[0])

    assert np.array_equal(asyncio.run(cell()), expected[0])


def test_without_an_interrupt_the_driver_rests_between_polls(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edgemoe.pynq.driver.time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(board.ip, "interrupt", None)
    for seconds in (60.0, POLL_SECONDS / 2, -1.0):
        board.pause(seconds)
    assert slept == [POLL_SECONDS, POLL_SECONDS / 2, 0.0]


@pytest.mark.parametrize(("status", "written"), [(0, []), (1, [1]), (2, []), (3, [1])])
def test_only_the_interrupt_that_came_is_cleared(
    board: Any, status: int, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing toggles it; and nothing of the wait is left to the event loop."""
    seen: list[tuple[int, int]] = []
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.new_event_loop()
    later = loop.call_later

    async def comes() -> None:
        return

    def call_later(*arguments: Any) -> asyncio.TimerHandle:
        timers.append(later(*arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", call_later)
    monkeypatch.setattr(board.ip, "_loop", lambda: loop)
    monkeypatch.setattr(board.ip, "interrupt", SimpleNamespace(wait=comes))
    monkeypatch.setattr(board.ip, "read_register", lambda offset: status)
    monkeypatch.setattr(board.ip, "write_register", lambda *what: seen.append(what))
    board.pause(10.0)
    loop.close()
    assert seen == [(INTERRUPT_STATUS, value) for value in written]
    assert [timer.cancelled() for timer in timers] == [True]
