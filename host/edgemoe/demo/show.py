"""The show: one thread that takes frames, runs them and hands on the message of the newest."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from edgemoe.accelerator import Accelerator
from edgemoe.demo.message import Pace, about_frame
from edgemoe.media.sources import SourceFrame
from edgemoe.media.spans import Span, default_span, steady_span
from edgemoe.picture_result import PictureResult
from edgemoe.spec.model import ModelConfig

_RATE_OVER = 12  # frames that the frame rate is taken over
_IDLE = 0.2  # seconds between looks whether somebody watches

Listener = Callable[[bytes], None]


class Show:
    """Runs frames of `source` as long as somebody watches; everything that touches the engine happens in its thread.

    accelerator: with its model loaded, and used by nobody else meanwhile. source: gives the frames from the beginning
    whenever it is called. hold: seconds that a frame without a time stamp is shown at least. listen: called in the
    thread of the show with the message of every frame. error: what has ended the show, if anything has.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: ModelConfig,
        source: Callable[[], Iterator[SourceFrame]],
        hold: float,
        listen: Listener,
    ) -> None:
        self.error: Exception | None = None
        self.newest: bytes | None = None
        self._accelerator, self._model, self._source, self._listen = accelerator, model, source, listen
        self._hold = hold
        self._tasks: tuple[str, ...] | None = None
        self._spans: dict[str, Span] = {}
        self._watched, self._running, self._over = threading.Event(), threading.Event(), threading.Event()
        self._running.set()
        self._steps = 0
        self._number = 0
        self._times: deque[float] = deque(maxlen=_RATE_OVER)
        self._thread = threading.Thread(target=self._run, name="show", daemon=True)

    @property
    def paused(self) -> bool:
        """Whether the show stands at a frame."""
        return not self._running.is_set()

    @property
    def tasks(self) -> list[str]:
        """Tasks that the next frame is run for."""
        return [task.name for task in self._model.tasks if self._tasks is None or task.name in self._tasks]

    def start(self) -> None:
        """Begin; nothing is run before somebody watches."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the frame that is being run."""
        self._over.set()
        self._watched.set()
        self._running.set()
        if self._thread.is_alive():
            self._thread.join()

    def watch(self, watched: bool) -> None:
        """Whether anybody looks at the page."""
        self._watched.set() if watched else self._watched.clear()

    def pause(self, paused: bool) -> None:
        """Stop at the frame that is shown, or go on."""
        self._running.clear() if paused else self._running.set()
        self._times.clear()

    def step(self) -> None:
        """One frame more while paused."""
        self._steps += 1

    def choose(self, names: list[str]) -> None:
        """Run these tasks of the model from the next frame on; unknown ones and an empty choice are left alone."""
        known = tuple(task.name for task in self._model.tasks if task.name in names)
        if known:
            self._tasks = known if len(known) < len(self._model.tasks) else None

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._lap()
        except Exception as error:
            self.error = error  # whoever waits for the end raises it
            self._over.set()

    def _lap(self) -> None:
        """The source from its beginning to its end."""
        start, shown = time.monotonic(), 0.0
        for frame in self._source():
            if not self._wait():
                return
            begun = time.monotonic()
            result = self._accelerator(frame.picture, self._tasks)
            self._tell(result, frame)
            if frame.seconds is None:
                self._over.wait(max(0.0, begun + self._hold - time.monotonic()))
            else:
                # At the time stamps of a video, from the last frame on that came late.
                start = max(start, time.monotonic() - frame.seconds) if frame.seconds > shown else begun
                shown = frame.seconds
                self._over.wait(max(0.0, start + frame.seconds - time.monotonic()))

    def _wait(self) -> bool:
        """Wait until a frame is wanted; whether the show goes on."""
        while not self._over.is_set():
            if self._watched.is_set() and self._running.is_set():
                return True
            if self._watched.is_set() and self._steps:
                self._steps -= 1
                return True
            self._over.wait(_IDLE / 10 if self._watched.is_set() else _IDLE)
        return False

    def _tell(self, result: PictureResult, frame: SourceFrame) -> None:
        for task in self._model.tasks:
            if task.kind == "regression" and task.name in result.outputs:
                span = default_span(task, result.outputs[task.name])
                self._spans[task.name] = steady_span(task.unit, self._spans.get(task.name), span)
        self._times.append(time.monotonic())
        spent = self._times[-1] - self._times[0]
        rate = (len(self._times) - 1) / spent if spent else 0.0
        self._number += 1
        pace = Pace(self._number, rate, self.paused, frame.source)
        self.newest = about_frame(result, self._model, pace, self._spans)
        self._listen(self.newest)
