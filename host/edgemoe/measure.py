"""What a frame takes on a device: latency, frame rate, and power where the device has rails to read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.results import FrameResult
from edgemoe.session import Session

_SAMPLE_SECONDS = 0.05
_IN_FLIGHT = 2

Rails = Mapping[str, Callable[[], float]]


@dataclass(frozen=True)
class Spread:
    """Milliseconds over all frames."""

    median: float
    shortest: float
    p95: float
    longest: float


@dataclass(frozen=True)
class Power:
    """Watts by rail, mean while the accelerator rests and while it is kept busy.

    rested_watts, busy_watts: sums over the rails. joules_per_frame: of the difference, so the host's share of the work
    is in it where its rails are, and what the board takes anyhow is not. seconds: of each phase.
    """

    rested: dict[str, float]
    busy: dict[str, float]
    rested_watts: float
    busy_watts: float
    joules_per_frame: float
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """latency, engine: one frame at a time, from the frame in to real values out, and the accelerator's part of it.

    frames_per_second: with two frames in flight, over `streamed` frames. counters: of the last single frame.
    steady: whether every frame gave the same values. power: None where it was not measured.
    """

    frames: int
    streamed: int
    latency_ms: Spread
    engine_ms: Spread
    frames_per_second: float
    counters: dict[str, int]
    steady: bool
    power: Power | None


def measure(
    session: Session,
    frame: NDArray[np.uint8],
    frames: int,
    seconds: float,
    rails: Rails,
    progress: Callable[[], object] = lambda: None,
) -> tuple[Measurement, FrameResult]:
    """Run `frames` single frames, then a stream for at least `seconds`; returns the last result, too.

    frame: uint8 of the model's size. rails: what to sample, empty for none. progress: called once per single frame.
    Raises SessionError as Session.run does.
    """
    first = session.run(frame)
    results = []
    for _ in range(frames):
        results.append(session.run(frame))
        progress()
    steady = all(same_values(first, result) for result in results)
    rested = _sampled(rails, seconds, lambda: time.sleep(seconds)) if rails else {}
    streamed, elapsed, busy = 0, 0.0, {}

    def stream() -> None:
        nonlocal streamed, elapsed, steady
        start = time.perf_counter()
        for result in session.stream(_repeated(frame, seconds)):
            streamed += 1
            steady = steady and same_values(first, result)
        elapsed = time.perf_counter() - start

    if rails:
        busy = _sampled(rails, seconds, stream)
        again = _sampled(rails, seconds, lambda: time.sleep(seconds))
        rested = {name: (watts + again[name]) / 2 for name, watts in rested.items()}
    else:
        stream()
    return (
        Measurement(
            frames=frames,
            streamed=streamed,
            latency_ms=_spread([result.timings_ms["total"] for result in results]),
            engine_ms=_spread([result.timings_ms["engine"] for result in results]),
            frames_per_second=streamed / elapsed,
            counters=results[-1].counters,
            steady=steady,
            power=_power(rested, busy, elapsed, streamed) if rails else None,
        ),
        results[-1],
    )


def same_values(one: FrameResult, other: FrameResult) -> bool:
    """Whether two results agree in every value of every head and in all routing, with ==."""
    heads = one.outputs.keys() == other.outputs.keys() and all(
        np.array_equal(values, other.outputs[task]) for task, values in one.outputs.items()
    )
    return heads and all(
        np.array_equal(experts, other.routing[task][block][0]) and np.array_equal(scores, other.routing[task][block][1])
        for task, blocks in one.routing.items()
        for block, (experts, scores) in blocks.items()
    )


def _repeated(frame: NDArray[np.uint8], seconds: float) -> Iterator[NDArray[np.uint8]]:
    """The same frame for a while, and at least as often as frames are in flight."""
    start, count = time.perf_counter(), 0
    while count <= _IN_FLIGHT or time.perf_counter() - start < seconds:
        yield frame
        count += 1


def _spread(times: list[float]) -> Spread:
    return Spread(
        median=float(np.median(times)),
        shortest=min(times),
        p95=float(np.percentile(times, 95)),
        longest=max(times),
    )


def _sampled(rails: Rails, seconds: float, work: Callable[[], None]) -> dict[str, float]:
    """Mean watts by rail while `work` goes on, sampled beside it."""
    totals, count = dict.fromkeys(rails, 0.0), 0
    done = threading.Event()

    def sample() -> None:
        nonlocal count
        while True:
            for name, read in rails.items():
                totals[name] += read()
            count += 1
            if done.wait(min(_SAMPLE_SECONDS, seconds / 4)):
                return

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        work()
    finally:
        done.set()
        sampler.join()
    return {name: total / count for name, total in totals.items()}


def _power(rested: dict[str, float], busy: dict[str, float], elapsed: float, frames: int) -> Power:
    rested_watts, busy_watts = sum(rested.values()), sum(busy.values())
    return Power(
        rested=rested,
        busy=busy,
        rested_watts=rested_watts,
        busy_watts=busy_watts,
        joules_per_frame=(busy_watts - rested_watts) * elapsed / frames,
        seconds=elapsed,
    )
