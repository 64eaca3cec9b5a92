"""The drawn drive as a source of frames: drawn ahead in a process of its own, and kept after the first lap."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.sources import SourceFrame
from edgemoe_golden.scenes import Drive

_AHEAD = 12
_MOST_KEPT = 128 << 20  # bytes of pictures


def draw(drive: Drive, number: int) -> NDArray[np.uint8]:
    """The picture of one frame; at the top level, for the other process."""
    return drive.frame(number).image


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C comes when this ends, where a system can have it wait."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class DrawnDrive:
    """Laps of a drive without end. A context manager: leaving it ends the process that draws."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._keeps = drive.frames * drive.height * drive.width * 3 <= _MOST_KEPT
        self._kept: dict[int, NDArray[np.uint8]] = {}
        # Not forked: the program that shows has threads. Ctrl-C, which both get, is for that program to see, also while
        # the other one still starts: a process begins with the signals blocked that were so where it was made.
        spawned = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawned, signal.signal, (signal.SIGINT, signal.SIG_IGN))
        with _interrupts_wait():
            self._pool.submit(int)

    def __enter__(self) -> DrawnDrive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def lap(self) -> Iterator[SourceFrame]:
        """One lap, from the first frame."""
        ahead: deque[tuple[int, Future[NDArray[np.uint8]]]] = deque()
        wanted = iter(number for number in range(self._drive.frames) if number not in self._kept)
        for number in range(self._drive.frames):
            if number not in self._kept:
                while len(ahead) < _AHEAD and (following := next(wanted, None)) is not None:
                    ahead.append((following, self._pool.submit(draw, self._drive, following)))
                picture = ahead.popleft()[1].result()
                if self._keeps:
                    self._kept[number] = picture
            else:
                picture = self._kept[number]
            yield SourceFrame(f"drive-{number:06d}", picture, "a drawn drive")
