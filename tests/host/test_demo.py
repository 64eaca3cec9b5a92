"""The live demonstration: what runs when, who may look, what a page is told, and recordings."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgemoe import Accelerator
from edgemoe.cli import main
from edgemoe.demo.drawn import DrawnDrive
from edgemoe.demo.message import Pace, about_frame, about_model
from edgemoe.demo.show import Show
from edgemoe.errors import ArgumentError
from edgemoe.media.errors import MediaError
from edgemoe.media.sources import SourceFrame
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.scenes import Drive
from tests.examples.media import model, result
from tests.examples.program import write_checkpoint

tornado = pytest.importorskip("tornado", reason="needs the extra 'demo'")

from tornado.httpclient import AsyncHTTPClient, HTTPRequest  # noqa: E402 (after the skip)
from tornado.websocket import WebSocketClientConnection, websocket_connect  # noqa: E402

from edgemoe.demo.server import DemoServer, serve  # noqa: E402

FRAMES = [np.full((32, 48, 3), 60 * level, np.uint8) for level in range(3)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


def source() -> Iterator[SourceFrame]:
    return (SourceFrame(f"f{index}", frame, f"frame {index}") for index, frame in enumerate(FRAMES))


def read(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A frame's message as the page reads it."""
    (size,) = struct.unpack_from("<I", message)
    header, at = json.loads(message[4 : 4 + size]), 4 + size
    pictures = {}
    for each in header["pictures"]:
        count = each["height"] * each["width"] * 3
        flat = np.frombuffer(message, np.uint8, count, at)
        pictures[each["name"]] = flat.reshape(each["height"], each["width"], 3)
        at += count
    assert at == len(message)
    return header, pictures


def test_a_frame_tells_pictures_experts_and_times() -> None:
    config = model()
    frame = result(config)
    header, pictures = read(about_frame(frame, config, Pace(7, 12.5, False, "here"), {"depth": (0.0, 1.0)}))
    assert np.array_equal(pictures["input"], frame.frame)
    assert set(pictures) == {"input", "semseg", "depth"}
    assert (header["number"], header["frames_per_second"], header["source"]) == (7, 12.5, "here")
    assert (header["cycles"], header["counted"], header["accelerator_ms"]) == (1234567, True, None)
    assert sum(header["answers"]["semseg"]["shares"]) == pytest.approx(1, abs=1e-3)
    places = [place for place, _ in header["answers"]["depth"]["ticks"]]
    assert places == sorted(places)
    experts = np.array(header["experts"]["depth"]["1"])
    assert np.array_equal(experts, frame.routing["depth"][1][0][1:].T), "by choice, without the class token"
    about = about_model(config, "golden", "zcu102")
    assert [task["name"] for task in about["tasks"]] == ["semseg", "depth"]
    assert len(about["expert_colours"]) == 4
    assert json.dumps(about)


@pytest.mark.parametrize(
    "task",
    [
        TaskConfig("kind", "classification", 9, pool="class"),
        TaskConfig("normals", "regression", 3),
        TaskConfig("depth", "regression", 1, unit="m"),
    ],
    ids=lambda task: task.name,
)
def test_every_kind_of_task_can_be_told(task: TaskConfig) -> None:
    config = model(tasks=(task,), moe_blocks=())
    shape = config.output_shape(task.name)
    frame = result(model(tasks=(TaskConfig("depth", "regression", 1),), moe_blocks=()))
    frame.outputs.clear()
    frame.outputs[task.name] = np.random.default_rng(1).random(shape, np.float32)
    header, pictures = read(about_frame(frame, config, Pace(1, 0, False, ""), {task.name: (1.0, 0.0)}))
    assert set(pictures) == {"input"} | ({task.name} if task.kind != "classification" else set())
    assert set(header["answers"]) == {task.name}


@contextmanager
def showing(checkpoint: Path, frames: Callable[[], Iterator[SourceFrame]] = source) -> Iterator[tuple[Show, Any]]:
    """A show on golden that holds no frame; and a call that waits until `count` frames have been shown."""
    told: list[bytes] = []
    more = threading.Condition()

    def listen(message: bytes) -> None:
        with more:
            told.append(message)
            more.notify_all()

    def after(count: int) -> list[dict[str, Any]]:
        with more:
            assert more.wait_for(lambda: len(told) >= count, 20), f"{len(told)} of {count} frames"
            return [read(message)[0] for message in told]

    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        show = Show(accelerator, accelerator_model(checkpoint), frames, 0.0, listen)
        show.start()
        try:
            yield show, after
        finally:
            show.stop()


def accelerator_model(checkpoint: Path) -> Any:
    from edgemoe.spec.model import load_model_config

    return load_model_config(checkpoint / "config.json")


def test_a_show_runs_only_while_somebody_watches_and_begins_again_at_the_end(checkpoint: Path) -> None:
    with showing(checkpoint) as (show, after):
        with pytest.raises(AssertionError, match="0 of 1 frames"):
            _quickly(after, 1)
        show.watch(True)
        told = after(5)
        assert [header["source"] for header in told[:5]] == ["frame 0", "frame 1", "frame 2", "frame 0", "frame 1"]
        assert [header["number"] for header in told[:5]] == [1, 2, 3, 4, 5]


def _quickly(after: Callable[[int], Any], count: int) -> None:
    """`after` without its patience."""
    condition = after.__closure__ and next(
        cell.cell_contents for cell in after.__closure__ if isinstance(cell.cell_contents, threading.Condition)
    )
    wait_for, condition.wait_for = condition.wait_for, lambda predicate, timeout: wait_for(predicate, 0.5)
    try:
        after(count)
    finally:
        condition.wait_for = wait_for


def test_pause_and_step(checkpoint: Path) -> None:
    with showing(checkpoint) as (show, after):
        show.pause(True)
        show.watch(True)
        for count in (1, 2):
            show.step()
            assert [header["number"] for header in after(count)] == list(range(1, count + 1))
            assert after(count)[-1]["paused"] is True
        show.pause(False)
        assert after(4)[-1]["paused"] is False


def test_tasks_change_from_frame_to_frame_and_nonsense_changes_nothing(checkpoint: Path) -> None:
    with showing(checkpoint) as (show, after):
        show.pause(True)
        show.watch(True)
        wanted = [(["depth"], {"depth"}), (["semseg", "no such task"], {"semseg"}), ([], {"semseg"}),
                  (["semseg", "depth"], {"semseg", "depth"})]  # fmt: skip
        for count, (names, expected) in enumerate(wanted, start=1):
            show.choose(names)
            show.step()
            assert set(after(count)[-1]["answers"]) == expected
            assert set(show.tasks) == expected


def test_a_source_that_fails_ends_the_show_with_its_sentence(checkpoint: Path) -> None:
    def unplugged() -> Iterator[SourceFrame]:
        yield from source()
        raise MediaError("camera 0 stopped giving frames")

    with showing(checkpoint, unplugged) as (show, after):
        show.watch(True)
        after(3)
        show._thread.join(20)
        assert str(show.error) == "camera 0 stopped giving frames"


def test_a_fault_of_ours_ends_the_show_too(checkpoint: Path) -> None:
    def broken() -> Iterator[SourceFrame]:
        raise ZeroDivisionError
        yield

    with showing(checkpoint, broken) as (show, _):
        show._thread.join(20)
        assert isinstance(show.error, ZeroDivisionError)


def test_ctrl_c_in_a_terminal_ends_the_demonstration_quietly(checkpoint: Path) -> None:
    """It reaches every process of the terminal's group, also the one that draws."""
    command = [sys.executable, "-m", "edgemoe.cli", "demo", "--model", str(checkpoint), "--hardware", "micro"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, "--no-browser"], stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("look at http://127.0.0.1:")
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system cannot have signals wait")
def test_the_process_that_draws_never_sees_ctrl_c_not_even_while_it_starts() -> None:
    with DrawnDrive(Drive(height=32, width=48, frames=1)) as drive:
        blocked = drive._pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result(60)
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@asynccontextmanager
async def served(checkpoint: Path) -> AsyncIterator[tuple[DemoServer, Show]]:
    """A server with its show on golden."""
    config = accelerator_model(checkpoint)
    page = DemoServer(about_model(config, "golden", "micro"), "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        show = Show(
            accelerator, config, source, 0.0, lambda message: loop.call_soon_threadsafe(page.publish, message) and None
        )
        serving = asyncio.create_task(serve(page, show, lambda: None))
        await asyncio.sleep(0)
        try:
            yield page, show
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def fetch(url: str, cookie: str = "") -> Any:
    request = HTTPRequest(url, follow_redirects=False, headers={"Cookie": cookie} if cookie else {})
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def test_without_the_token_nothing_is_answered(checkpoint: Path) -> None:
    async def look() -> None:
        async with served(checkpoint) as (page, _):
            base = f"http://127.0.0.1:{page.port}"
            for path in ("/", "/page.js", "/page.css", "/paint.js", "/?token=wrong", "/?token="):
                answer = await fetch(base + path)
                assert answer.code == 403, path
                assert answer.body == b"Open the address that `edgemoe demo` has printed: it has the token."
            with pytest.raises(tornado.httpclient.HTTPClientError, match="403"):
                await websocket_connect(f"ws://127.0.0.1:{page.port}/frames")
            foreign = HTTPRequest(
                f"ws://127.0.0.1:{page.port}/frames?token={page.token}", headers={"Origin": "http://elsewhere.example"}
            )
            with pytest.raises(tornado.httpclient.HTTPClientError, match="403"):
                await websocket_connect(foreign)
            assert (await fetch(f"{base}/server.py?token={page.token}")).code == 404
            assert (await fetch(f"{base}/../server.py?token={page.token}")).code == 404

    asyncio.run(look())


def test_the_token_opens_the_page_and_leaves_the_address(checkpoint: Path) -> None:
    async def look() -> None:
        async with served(checkpoint) as (page, _):
            first = await fetch(page.url)
            assert (first.code, first.headers["Location"]) == (302, "/")
            cookie = first.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            kinds = {"": "text/html", "page.js": "javascript", "page.css": "css", "paint.js": "javascript"}
            for path, kind in kinds.items():
                answer = await fetch(f"http://127.0.0.1:{page.port}/{path}", cookie.split(";")[0])
                assert answer.code == 200, path
                assert kind in answer.headers["Content-Type"]
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["Cache-Control"] == "no-store"
                assert answer.headers["Referrer-Policy"] == "no-referrer"

    asyncio.run(look())


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    folder = Path(sys.modules["edgemoe.demo.server"].__file__ or "").parent / "page"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text.replace("http://www.w3.org", ""), path.name
        assert "https://" not in text, path.name
        assert " style=" not in text, f"{path.name}: its own security policy forbids it"


async def _next(socket: WebSocketClientConnection, kind: type) -> Any:
    """The next message of words or of bytes."""
    while True:
        message = await asyncio.wait_for(socket.read_message(), 20)
        assert message is not None
        if isinstance(message, kind):
            return message


def test_a_page_gets_a_frame_when_it_asks_and_its_commands_are_obeyed(checkpoint: Path) -> None:
    async def look() -> None:
        async with served(checkpoint) as (page, show):
            socket = await websocket_connect(f"ws://127.0.0.1:{page.port}/frames?token={page.token}")
            about = json.loads(await _next(socket, str))
            assert (about["type"], about["model"]) == ("model", "micro")
            state = json.loads(await _next(socket, str))
            assert state == {"type": "state", "paused": False, "tasks": ["semseg", "depth"]}
            first = read(await _next(socket, bytes))[0]["number"]
            await socket.write_message('{"ready": true}')
            assert read(await _next(socket, bytes))[0]["number"] > first
            for nonsense in ("", "[", "[1]", "7", '{"pause": 3, "tasks": "x", "ready": 1}', "x" * 5000, b"\xff"):
                await socket.write_message(nonsense, binary=isinstance(nonsense, bytes))
            await socket.write_message('{"pause": true, "tasks": ["depth"]}')
            while not (state := json.loads(await _next(socket, str)))["paused"]:
                assert state["tasks"] == ["semseg", "depth"]
            assert state["tasks"] == ["depth"]
            assert show.paused
            socket.close()
            while page.sockets:
                await asyncio.sleep(0.01)
            assert not show._watched.is_set(), "nobody watches any more"

    asyncio.run(look())


def test_an_address_that_cannot_be_served_gets_a_sentence() -> None:
    async def look() -> None:
        page = DemoServer({}, "127.0.0.1", 0)
        for host, port in (("127.0.0.1", page.port), ("192.0.2.1", 0), ("no such host", 0)):
            with pytest.raises(ArgumentError, match=r"cannot be served: .*; choose another --port"):
                DemoServer({}, host, port)
        page.close()

    asyncio.run(look())


def test_a_recording_of_the_drawn_drive(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from edgemoe.media.video import probe_video

    given = ["demo", "--model", str(checkpoint), "--hardware", "micro", "--record", str(tmp_path / "drive.mp4")]
    assert main([*given, "--frames", "3", "--rate", "8"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["drive.mp4"]
    facts = probe_video(tmp_path / "drive.mp4")
    assert (facts.length, facts.frames_per_second) == (3, 8)


def test_pictures_are_recorded_again_and_again(checkpoint: Path, tmp_path: Path) -> None:
    for number, frame in enumerate(FRAMES[:2]):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    model = ["--model", str(checkpoint), "--hardware", "micro", "--task", "depth"]
    assert main(["demo", str(tmp_path), *model, "--record", str(tmp_path / "a.webp"), "--frames", "4"]) == 0
    with Image.open(tmp_path / "a.webp") as shown:
        assert (shown.n_frames, shown.width) == (4, 1032)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--record", "a.avi"], "ends in .mp4 or .webp"),
        (["--frames", "0"], "--frames must be at least 1"),
        (["--rate", "0"], "--rate at most 120"),
        (["--port", "70000"], "--port at most 65535"),
        (["--device", "rtk"], "unknown device 'rtk'"),
        (["missing.png"], "'missing.png' does not exist"),
        (["--seed", "-1"], "a drive needs a seed from 0"),
        (["--task", "normals"], "has no task 'normals'"),
    ],
)
def test_what_cannot_be_shown_gets_one_sentence(
    arguments: list[str], words: str, checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--model", str(checkpoint), "--hardware", "micro", *arguments]) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_without_tornado_the_extra_is_named(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "edgemoe.demo.server")
    monkeypatch.setitem(sys.modules, "tornado.httpserver", None)
    assert main(["demo", "--model", str(checkpoint), "--hardware", "micro"]) == 1
    assert "the demonstration needs tornado" in capsys.readouterr().err
