"""One frame on its way through a session, and how long each part of the way took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


class Clock:
    """Milliseconds by name, one after the other."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """The time since the last lap went into `name`."""
        now = time.perf_counter()
        self._laps[name] = (now - self._last) * 1e3
        self._last = now

    def result(self) -> dict[str, float]:
        """All laps, and their `total`."""
        return {**self._laps, "total": (self._last - self._start) * 1e3}


@dataclass(eq=False)
class FrameRun:
    """frame: a copy of the caller's. slot: names of its input and output regions. counters: known at its end."""

    frame: NDArray[np.uint8]
    slot: tuple[str, str]
    clock: Clock
    counters: dict[str, int] = field(default_factory=dict)
