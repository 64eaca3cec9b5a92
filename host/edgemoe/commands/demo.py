"""`edgemoe demo`: frames through an engine, live in the browser of this computer, or recorded as a video."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgemoe.accelerator import Accelerator
from edgemoe.commands.common import add_model_arguments, task_names
from edgemoe.devices.registry import described_engines, require_engine
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.media.files import require_writable
from edgemoe.media.inputs import open_sources
from edgemoe.media.sources import FrameSource, SourceFrame
from edgemoe.shipped import model_folder
from edgemoe.spec.checkpoint import CONFIG_FILE
from edgemoe.spec.model import ModelConfig, load_model_config

_LOOPBACK = "127.0.0.1"
_HOLD = {"picture": 1.0, "folder": 2.0, "inputs": 2.0, "camera": 0.0, "video": 0.0}  # seconds that a frame stays
_DRIVE_HOLD = 1 / 24
_MODEL = "mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument(
        "input", nargs="*", help="pictures, folders, videos or camera:0, shown again and again (default: a drawn drive)"
    )
    add_model_arguments(parser)
    parser.add_argument("--device", default="golden", help=f"{described_engines()} (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which drawn street (default: %(default)s)")
    page = parser.add_argument_group("the page")
    page.add_argument(
        "--host", default=_LOOPBACK, help="address to serve at; %(default)s, the default, is for this computer alone"
    )
    page.add_argument("--port", type=int, default=0, help="port to serve at (default: one that is free)")
    page.add_argument("--no-browser", action="store_true", help="only print the address")
    record = parser.add_argument_group("or a recording, without a page")
    record.add_argument("--record", type=Path, metavar="FILE", help="write the panels as FILE.mp4 or FILE.webp")
    record.add_argument("--frames", type=int, default=120, help="of the recording (default: %(default)s)")
    record.add_argument("--rate", type=float, default=12.0, help="its frames per second (default: %(default)s)")


def main(options: argparse.Namespace) -> int:
    """Show or record; returns the exit status."""
    require_engine(options.device)
    if options.frames < 1 or not 0 < options.rate <= 120 or not 0 <= options.port <= 65535:
        raise ArgumentError("--frames must be at least 1, --rate at most 120 and --port at most 65535")
    folder = model_folder(options.model or _MODEL)
    if not (folder / CONFIG_FILE).is_file():
        raise ArgumentError(f"{folder}: no checkpoint; the demonstration compiles for the tasks that are chosen in it")
    model = load_model_config(folder / CONFIG_FILE)
    for name in task_names(options.task) or ():
        model.task_index(name)
    if options.record is None:
        server = _module("server")
    else:
        require_writable(options.record.parent)
    with contextlib.ExitStack() as stack:
        source, hold = _source(options, model, stack)
        accelerator = stack.enter_context(Accelerator(options.device, options.hardware))
        accelerator.load(folder)
        if options.record is not None:
            count = _module("record").record(
                accelerator, model, source, options.record, options.frames, options.rate, task_names(options.task)
            )
            print(f"{options.record}: {count} frames")
            return 0
        return _show(server, accelerator, model, source, hold, options)


def _module(name: str) -> Any:
    """A module of the demonstration; raises ArgumentError where its library is missing."""
    try:
        return importlib.import_module(f"edgemoe.demo.{name}")
    except ModuleNotFoundError as error:
        raise ArgumentError(f"the demonstration needs {error.name}; run: {how_to_install('demo')}") from error


def _source(
    options: argparse.Namespace, model: ModelConfig, stack: contextlib.ExitStack
) -> tuple[Callable[[], Iterator[SourceFrame]], float]:
    """What gives the frames, from the beginning each time, and how long one stays at least."""
    if not options.input:
        from edgemoe.demo.drawn import DrawnDrive
        from edgemoe_golden.scenes import Drive

        drive = Drive(options.seed, model.image_height, model.image_width)
        return stack.enter_context(DrawnDrive(drive)).lap, _DRIVE_HOLD
    given: FrameSource = open_sources(options.input)
    for note in given.notes:
        print(f"edgemoe: note: {note}", file=sys.stderr)
    return lambda: iter(given), _HOLD[given.kind]


def _has_screen() -> bool:
    """Whether a browser has a window to open; elsewhere one for terminals would take this one."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _show(
    server: Any,
    accelerator: Accelerator,
    model: ModelConfig,
    source: Callable[[], Iterator[SourceFrame]],
    hold: float,
    options: argparse.Namespace,
) -> int:
    async def run() -> None:
        from edgemoe.demo.message import about_model
        from edgemoe.demo.show import Show

        about = about_model(model, options.device, accelerator.hardware.name)
        page = server.DemoServer(about, options.host, options.port)
        loop = asyncio.get_running_loop()

        def listen(message: bytes) -> None:
            loop.call_soon_threadsafe(page.publish, message)

        show = Show(accelerator, model, source, hold, listen)
        if options.task:
            show.choose(list(task_names(options.task) or ()))

        def ready() -> None:
            print(f"look at {page.url} (Ctrl-C ends it)", flush=True)
            if options.host != _LOOPBACK:
                print(f"edgemoe: note: whoever reaches {options.host} and has this address can look", file=sys.stderr)
            if not options.no_browser and _has_screen():
                webbrowser.open(page.url)

        await server.serve(page, show, ready)
        if show.error is not None:
            raise show.error

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
    return 0
