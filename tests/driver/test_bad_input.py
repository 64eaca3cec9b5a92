"""Using a board: what goes wrong is said in a sentence, buffers are freed and the next call works."""

from __future__ import annotations

import _thread
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import BOARD, HANDSHAKES, simulated

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.media.camera import read_camera
from edgemoe.media.errors import MediaError
from edgemoe.pynq.device import PynqDevice
from edgemoe.pynq.lock import ProcessLock
from edgemoe.pynq.simulated.board import SimulatedBoard
from edgemoe.pynq.simulated.install import install, write_simulated_overlay
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config

MICRO = load_hardware_config("micro")


def works(device: Any, program: Program, frames: Any, expected: list[Bytes]) -> bool:
    with Session(program, device, timeout=60) as session:
        return bool(np.array_equal(session.run_raw(frames[0]), expected[0]))


def test_a_program_for_another_build(board: Any, program: Program, frames: Any, expected: list[Bytes]) -> None:
    other = replace(MICRO, prefetch_bytes=MICRO.prefetch_bytes * 2)
    manifest = replace(program.manifest, hardware=other, config_hash=other.hash())
    with pytest.raises(ProgramError, match=r"program was built for hardware .* compile for 'micro'"):
        Session(replace(program, manifest=manifest), board)
    assert board.buffers == 0
    assert works(board, program, frames, expected)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("wrong", ["shape", "dtype"])
def test_a_frame_of_the_wrong_kind(
    board: Any, program: Program, frames: Any, expected: list[Bytes], wrong: str, streamed: bool
) -> None:
    bad = frames[0][:-1] if wrong == "shape" else frames[0].astype(np.float32)
    with Session(program, board) as session:
        with pytest.raises(ValueError, match=r"takes uint8 \(32, 48, 3\), RGB"):
            list(session.stream([frames[0], bad])) if streamed else session.run(bad)
        assert not simulated(board).accelerator.running
        assert np.array_equal(session.run_raw(frames[0]), expected[0])


def test_memory_that_is_not_aligned_is_given_back(
    board: Any, program: Program, frames: Any, expected: list[Bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    under = simulated(board)
    with monkeypatch.context() as patched:
        patched.setattr("edgemoe.devices.flat_memory._BASE", 0x1000_0010)
        patched.setattr(under.engine._memory, "_next", 0x1000_0010)
        with pytest.raises(DeviceError, match="gave a buffer at 0x10000010, which is not aligned to 4096") as refused:
            board.allocate(64)
        assert (board.buffers, under.buffers) == (0, 0), "at once, not when the error is forgotten"
        del refused
    under.engine._memory._next = 0x2000_0000
    assert works(board, program, frames, expected)


def test_too_little_contiguous_memory(
    make_board: Callable[..., Any],
    program: Program,
    frames: Any,
    expected: list[Bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = make_board(memory_limit=program.stream.size)
    (tmp_path / "meminfo").write_text("Unknown: a: b\nCmaTotal:  1024 kB\nCmaFree:  3 kB\n", encoding="ascii")
    monkeypatch.setattr("edgemoe.pynq.buffers._MEMORY_FACTS", tmp_path / "meminfo")
    message = r"bytes of contiguous memory were refused \(3,072 of 1,048,576 bytes are free\); close .* cma=512M"
    with pytest.raises(DeviceError, match=message):
        Session(program, board)
    assert board.buffers == 0
    simulated(board).memory_limit = 1 << 30
    assert works(board, program, frames, expected)


def test_a_second_process(make_board: Callable[..., Any], tmp_path: Path) -> None:
    """A lock that another process holds, with whatever temporary folder, is refused with its number; it is free when
    that process was killed."""
    tag = f"test_{os.getpid()}"
    code = (
        "import sys; from edgemoe.pynq.lock import ProcessLock\n"
        f"lock = ProcessLock('{tag}-here'); print('held', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DeviceError, match=rf"process {other.pid} uses the accelerator .* end it, or wait"):
            make_board(tag=tag)
        other.kill()
    make_board(tag=tag).close()


def test_a_second_accelerator_in_this_process(make_board: Callable[..., Any]) -> None:
    first = make_board()
    with pytest.raises(DeviceError, match=r"this process already uses the accelerator; call close\(\) on its other"):
        make_board()
    first.close()
    make_board().close()


def test_a_lock_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgemoe.pynq.lock._FOLDERS", (tmp_path / "file" / "nowhere",))
    (tmp_path / "file").touch()
    message = (
        r"cannot lock the accelerator: .*edgemoe-x.lock: Not a directory; make .*nowhere writable .*, or run as root"
    )
    with pytest.raises(DeviceError, match=message):
        ProcessLock("x")


def test_a_forked_child_does_not_hold_the_lock_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    name = f"test_{os.getpid()}"
    code = (
        "import os, signal, time; from edgemoe.pynq.lock import ProcessLock\n"
        f"lock = ProcessLock('{name}')\n"
        "heard, said = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    lock.release()\n"
        "    os.write(said, b'.')\n"
        "    time.sleep(60)\n"
        "os.read(heard, 1)\n"  # on a busy machine the child may not have run until now
        "print(child, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            with pytest.raises(DeviceError, match=rf"process {parent.pid} uses the accelerator"):
                ProcessLock(name)
            parent.kill()
            parent.wait()
            os.kill(child, 0)
            lock = ProcessLock(name)
        finally:
            os.kill(child, signal.SIGKILL)
    with pytest.raises(DeviceError, match="this process already uses"):
        ProcessLock(name)
    lock.release()
    lock.release()
    assert not lock.path.exists()


def test_a_lock_file_that_was_left_behind_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that vanishes, or a folder that only root may write to, where users would look elsewhere."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr("edgemoe.pynq.lock._FOLDERS", (Path("/"), tmp_path))
    left = tmp_path / "edgemoe-x.lock"
    left.write_text("1" * 30, encoding="ascii")
    lock = ProcessLock("x")
    assert lock.path == left
    assert left.read_text(encoding="ascii") == str(os.getpid())
    assert left.stat().st_mode & 0o777 == 0o644, "as it was found"
    left.unlink()
    other = ProcessLock("x")
    assert left.stat().st_mode & 0o777 == 0o666, "for every user"
    other.release()
    lock.release()
    flock = fcntl.flock

    def late(*arguments: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        left.unlink()  # as its holder does, between the opening and the locking
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    lock = ProcessLock("x")
    with pytest.raises(DeviceError, match="this process already uses"):
        ProcessLock("x")
    lock.release()
    left.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError, match=r"cannot lock the accelerator: .*x\.lock: Too many levels of symbolic links"):
        ProcessLock("x")


def test_who_holds_a_lock_is_named_if_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may say nothing yet, or what a process wrote that has ended; asking leaves no file open."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr("edgemoe.pynq.lock._FOLDERS", (tmp_path,))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with subprocess.Popen(["sleep", "60"]) as other, (tmp_path / "edgemoe-x.lock").open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        opened = _open_files()
        for said, who in (("", "another process"), ("nobody", "another process"), (str(ended.pid), "another process"),
                          (str(other.pid), f"process {other.pid}")):  # fmt: skip
            file.truncate(0)
            os.pwrite(file.fileno(), said.encode(), 0)
            with pytest.raises(DeviceError, match=f"^{who} uses the accelerator"):
                ProcessLock("x")
        assert (other.poll(), _open_files()) == (None, opened)
        monkeypatch.setattr("edgemoe.pynq.lock.os.kill", _refused)
        with pytest.raises(DeviceError, match=f"^process {other.pid} uses the accelerator"):
            ProcessLock("x")
        monkeypatch.undo()
        other.kill()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _refused(process: int, number: int) -> None:
    """What the system says about another user's process."""
    raise PermissionError


def test_a_device_that_was_forgotten_gives_everything_back(make_board: Callable[..., Any], tmp_path: Path) -> None:
    """Without close: the lock is free and the memory given back when the last reference has gone."""
    folder = tmp_path / "forgotten"
    folder.mkdir()
    under = SimulatedBoard(GoldenDevice(MICRO))
    device: PynqDevice | None = install(under, write_simulated_overlay(folder, BOARD, MICRO))
    assert device is not None
    device.allocate(100)
    assert under.buffers == 1
    device = None
    assert under.buffers == 0
    make_board()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgemoe.pynq.resources._REST_SECONDS", 0.05)


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_device_that_never_finishes(
    board: Any, program: Program, frames: Any, expected: list[Bytes], impatient: None, streamed: bool
) -> None:
    under = simulated(board)
    under.accelerator.stuck = True
    with Session(program, board, timeout=0.1) as session:
        with pytest.raises(SessionError, match=r"'zcu102' did not finish within 0\.1 s; it stands at instruction \d+"):
            list(session.stream(iter(frames))) if streamed else session.run(frames[0])
        assert (under.accelerator.running, under.downloads) == (False, 2), "the bitstream was loaded again"
        under.accelerator.stuck = False
        session.timeout = 60
        assert np.array_equal(session.run_raw(frames[0]), expected[0])
    assert under.buffers == 0


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("stuck", [False, True])
def test_ctrl_c_in_mid_frame(
    board: Any,
    program: Program,
    frames: Any,
    expected: list[Bytes],
    stuck: bool,
    streamed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A frame that ends soon is waited for; one that does not is ended by loading the bitstream again."""
    monkeypatch.setattr("edgemoe.pynq.resources._REST_SECONDS", 0.05 if stuck else 60.0)
    under = simulated(board)
    under.accelerator.stuck = stuck
    start = under.accelerator._start

    def interrupted_start() -> None:
        under.accelerator._start = start
        start()
        threading.Timer(0.002, _thread.interrupt_main).start()

    with Session(program, board) as session:
        under.accelerator._start = interrupted_start
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (it may come with any frame)
            while True:
                list(session.stream(iter(frames))) if streamed else session.run(frames[0])
        assert not under.accelerator.running
        assert under.downloads == (2 if stuck else 1)
        under.accelerator.stuck = False
        assert np.array_equal(session.run_raw(frames[1]), expected[1])
    assert under.buffers == 0


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_ctrl_c_inside_the_wait_for_the_interrupt_is_raised_once(
    board: Any, program: Program, frames: Any, expected: list[Bytes]
) -> None:
    """No task of the event loop keeps it: raised again while the driver stops the accelerator, it would run on."""
    under = simulated(board)
    interrupt = board.ip.interrupt

    async def interrupted() -> None:
        board.ip.interrupt = interrupt
        raise KeyboardInterrupt

    with Session(program, board) as session:
        board.ip.interrupt = SimpleNamespace(wait=interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.run(frames[0])
        assert (under.accelerator.running, under.downloads) == (False, 1)
        assert np.array_equal(session.run_raw(frames[1]), expected[1])


@pytest.mark.parametrize("board", HANDSHAKES, indirect=True)
def test_ctrl_c_ends_the_accelerator_before_its_memory_is_given_back(
    board: Any, program: Program, frames: Any, impatient: None
) -> None:
    """Closing while a run goes on: the simulated board refuses to release a buffer in use."""
    under = simulated(board)
    under.accelerator.stuck = True
    session = Session(program, board)
    session._start(session._prepare(frames[0], 0))
    assert under.accelerator.running
    board.close()
    assert (under.buffers, under.accelerator.running) == (0, False)


class _Camera:
    """OpenCV as far as a camera needs it: two frames, then it is unplugged."""

    COLOR_BGR2RGB = 0

    def __init__(self, frames: Any) -> None:
        self._frames = [*frames[:2], None]

    def VideoCapture(self, index: int) -> _Camera:  # noqa: N802 (OpenCV's name)
        return self

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        return True

    def read(self) -> tuple[bool, Any]:
        frame = self._frames.pop(0)
        return frame is not None, frame

    def cvtColor(self, frame: Any, code: int) -> Any:  # noqa: N802 (OpenCV's name)
        return frame

    def release(self) -> None:
        return


def test_an_unplugged_camera(
    board: Any, program: Program, frames: Any, expected: list[Bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgemoe.media.camera.load_opencv", lambda: _Camera(frames))
    with Session(program, board) as session:
        seen = 0
        with pytest.raises(MediaError, match="camera 0 stopped giving frames; check"):  # noqa: PT012 (after a result)
            for _ in session.stream(read_camera(0)):
                seen += 1
        assert seen == 1
        assert not simulated(board).accelerator.running
        assert np.array_equal(session.run_raw(frames[0]), expected[0])


def test_a_closed_device_says_so(board: Any) -> None:
    board.close()
    board.close()
    with pytest.raises(DeviceError, match="device 'zcu102' is closed; open it again"):
        board.read_register(0)
