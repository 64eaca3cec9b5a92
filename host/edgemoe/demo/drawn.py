"""The drawn drive as a source of frames: drawn ahead in a process of its own, and kept after the first lap."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.sources import SourceFrame
from edgemoe.processes import one_process
from edgemoe_golden.scenes import Drive

_AHEAD = 12
_MOST_KEPT = 128 << 20  # bytes of pictures


def draw(drive: Drive, number: int) -> NDArray[np.uint8]:
    """The picture of one frame; at the top level, for the other process."""
    return drive.frame(number).image


class DrawnDrive:
    """Laps of a drive without end. A context manager: leaving it ends the process that draws."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._keeps = drive.frames * drive.height * drive.width * 3 <= _MOST_KEPT
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._pool = one_process()

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
