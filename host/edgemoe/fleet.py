"""Frames spread over several boards or engines: results in order, and a board that drops out is retired.

Each member is a process of its own with one Accelerator, as PYNQ is made for one board a process. What a member cannot
finish, because its device fails, stops answering or its process dies, runs again on another one.

    with Fleet([Member("zcu102", remote="192.0.2.5"), Member("zcu102", remote="192.0.2.6")], "mini") as fleet:
        for result in fleet.stream(pictures):
            ...
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edgemoe.accelerator import Accelerator
from edgemoe.devices.base import DeviceError
from edgemoe.errors import ArgumentError
from edgemoe.picture_result import PictureResult
from edgemoe.processes import one_process
from edgemoe.session import SessionError
from edgemoe.shipped import model_folder

AHEAD = 4  # frames per member that may be on their way or done before the next result is taken
DROPPED = (DeviceError, SessionError, BrokenProcessPool)
_REMOTE = "PYNQ_REMOTE_DEVICES"


@dataclass(frozen=True)
class Member:
    """One device. engine, hardware, timeout: see Accelerator; remote: address of a board with PYNQ.remote."""

    engine: str = "golden"
    hardware: str | None = None
    remote: str | None = None
    timeout: float | None = None

    def __str__(self) -> str:
        return f"{self.engine} at {self.remote}" if self.remote else self.engine


@dataclass(frozen=True)
class Retired:
    """A member that dropped out, and why."""

    member: Member
    reason: str


class Fleet:
    """Several members with one model. model: a checkpoint folder or a shipped model's name; see Accelerator.load.

    retired: who dropped out so far, in that order. Members are opened when they get their first frame.
    Raises ArgumentError for no members, CheckpointError where there is no such model.
    """

    def __init__(self, members: Sequence[Member], model: str | Path | None = None) -> None:
        if not members:
            raise ArgumentError("a fleet needs at least one member")
        folder = model_folder(model)
        self.retired: list[Retired] = []
        self._active = {_Process(member, folder) for member in members}

    def stream(self, frames: Iterable[Any], tasks: Sequence[str] | None = None) -> Iterator[PictureResult]:
        """Pictures of any size → results in order, each equal to what one member alone gives.

        Raises what a call of an Accelerator raises for a frame or tasks that cannot be used, at its turn; SessionError
        when no member is left, with what the last one said.
        """
        source = enumerate(frames)
        again: list[tuple[int, Any]] = []  # a heap: what was lost, earliest first
        running: dict[Future[PictureResult], tuple[int, Any, _Process]] = {}
        ended: dict[int, Future[PictureResult]] = {}
        turn = 0
        try:
            while True:
                busy = {process for _, _, process in running.values()}
                for process in self._active - busy:
                    room = len(running) + len(ended) < AHEAD * len(self._active)
                    entry = heapq.heappop(again) if again else next(source, None) if room else None
                    if entry is not None:
                        running[process.submit(entry[1], tasks)] = (*entry, process)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    number, frame, process = running.pop(future)
                    error = future.exception()
                    if isinstance(error, DROPPED):
                        self._retire(process, error)
                        heapq.heappush(again, (number, frame))
                    else:
                        ended[number] = future
                while turn in ended:
                    yield ended.pop(turn).result()
                    turn += 1
        finally:
            wait(running)

    def close(self) -> None:
        """End all members; harmless to repeat."""
        while self._active:
            self._active.pop().close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _retire(self, process: _Process, error: BaseException) -> None:
        reason = "its process ended" if isinstance(error, BrokenProcessPool) else str(error)
        self.retired.append(Retired(process.member, reason))
        self._active.discard(process)
        process.close()
        if not self._active:
            raise SessionError(
                f"all {len(self.retired)} members of the fleet dropped out, at last {process.member}: {reason}"
            )


class _Process:
    """A member's process, which holds its Accelerator open."""

    def __init__(self, member: Member, folder: Path) -> None:
        self.member = member
        self._folder = folder
        self._pool = one_process()

    def submit(self, frame: Any, tasks: Sequence[str] | None) -> Future[PictureResult]:
        """One frame; the future has the result, or what was raised there."""
        try:
            return self._pool.submit(_run, self.member, self._folder, frame, tasks)
        except BrokenProcessPool as error:  # it died between two frames
            dead: Future[PictureResult] = Future()
            dead.set_exception(error)
            return dead

    def close(self) -> None:
        """Let the process end, with its Accelerator."""
        self._pool.shutdown(wait=True, cancel_futures=True)


_open: list[Accelerator] = []  # of this process, at most one


def _run(member: Member, folder: Path, frame: Any, tasks: Sequence[str] | None) -> PictureResult:
    """In the member's process."""
    if not _open:
        if member.remote is not None:
            os.environ[_REMOTE] = member.remote  # before anything imports pynq
        _open.append(Accelerator(member.engine, member.hardware, member.timeout).load(folder))
    return _open[0](frame, tasks)
