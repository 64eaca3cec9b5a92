"""Golden on a computer that has other work: `python -m benchmarks.golden_busy`, and part of benchmarks.golden_speed.

Two tasks of `tiny`, alone on one thread, and then beside one process per core that never rests, with as many threads as
NumPy and golden choose for a user who has set nothing.

A busy computer gives every process less of its time, which is not golden's doing: a loop of Python that computes as
long as a frame, without an array or a thread, takes turns with the frames and shows how much. The limit is on what
golden loses beyond that, as it does when threads wait for each other; and on the seconds that its threads compute, or
wait busily, which do not hang on the share that they get.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.golden.threads import VARIABLES
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.terminal import accept_all_text

LIMIT = 1.5  # of both: golden's slow-down over the loop's, and its computing time over that alone
MODEL, HARDWARE = Path(__file__).resolve().parents[1] / "models" / "tiny", "zcu102"
SPIN_UP_SECONDS = 1.0
WARMING = 5


def busy_row(rounds: int) -> dict[str, Any]:
    """Medians of both, measured in a process of its own without the variables that choose a number of threads."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "-m", "benchmarks.golden_busy", "--json", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(rounds: int) -> dict[str, Any]:
    """Alone and loaded; the load of others before it began."""
    others = os.getloadavg()[0]
    hardware = load_hardware_config(HARDWARE)
    program = compile_checkpoint(MODEL, None, hardware)
    config = program.manifest.model
    shape = (config.image_height, config.image_width, 3)
    frame = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with open_device("golden", hardware) as device, Session(program, device) as session:
        session.run(frame)
        with threadpool_limits(1, user_api="blas"):
            steps = _steps_of(median(_timed(lambda: session.run(frame))[1] for _ in range(WARMING)))
            calls = (lambda: session.run(frame), lambda: _loop(steps))
            alone, loop = _turns(calls, rounds)
        with _all_cores_busy():
            loaded, loaded_loop = _turns(calls, rounds)
    slower, loop_slower = loaded.wall_ms / alone.wall_ms, loaded_loop.wall_ms / loop.wall_ms
    return {
        "model": config.name,
        "hardware": HARDWARE,
        "tasks": [task.name for task in config.tasks],
        "alone_ms": alone.wall_ms,
        "loaded_ms": loaded.wall_ms,
        "slower": slower,
        "loop_slower": loop_slower,
        "ratio": slower / loop_slower,
        "alone_cpu_ms": alone.cpu_ms,
        "loaded_cpu_ms": loaded.cpu_ms,
        "cpu_ratio": loaded.cpu_ms / alone.cpu_ms,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "load_of_others": others,
    }


@dataclass(frozen=True)
class Times:
    """Milliseconds of one call by the clock, and those that this process' threads were computing."""

    wall_ms: float
    cpu_ms: float


def _turns(calls: Sequence[Callable[[], object]], rounds: int) -> list[Times]:
    """Medians of each call; they take turns, so that they meet the same load."""
    found: list[list[tuple[float, float]]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, times in zip(calls, found, strict=True):
            times.append(_timed(call))
    return [Times(median(wall for wall, _ in times), median(cpu for _, cpu in times)) for times in found]


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    start = time.perf_counter(), time.process_time()
    call()
    return (time.perf_counter() - start[0]) * 1e3, (time.process_time() - start[1]) * 1e3


def _loop(steps: int) -> int:
    """Compute, and touch no memory."""
    number = 0
    for step in range(steps):
        number += step
    return number


def _steps_of(milliseconds: float) -> int:
    """Of the loop, to take so long."""
    steps = 1_000_000
    return round(steps * milliseconds / median(_timed(lambda: _loop(steps))[1] for _ in range(WARMING)))


@contextmanager
def _all_cores_busy() -> Iterator[None]:
    """One process per core that never rests."""
    workers = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for worker in workers:
        worker.start()
    time.sleep(SPIN_UP_SECONDS)
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _spin() -> None:
    while True:
        pass


def line(row: dict[str, Any]) -> str:
    """In words."""
    tasks, cores = " and ".join(row["tasks"]), row["cores"]
    return (
        f"golden, {row['model']} with {tasks}: {row['alone_ms']:.0f} ms alone, {row['loaded_ms']:.0f} ms with {cores} "
        f"cores busy, {row['slower']:.2f} × where a plain loop takes {row['loop_slower']:.2f} ×, so that "
        f"{row['ratio']:.2f} × is golden's own; it computes {row['alone_cpu_ms']:.0f} and {row['loaded_cpu_ms']:.0f} "
        f"ms, {row['cpu_ratio']:.2f} × (limit of both {LIMIT:g}); load of others before: {row['load_of_others']:.1f}"
    )


def main() -> None:
    """Measure and print."""
    accept_all_text()
    if sys.argv[1:2] == ["--json"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        print(line(busy_row(rounds=10)))


if __name__ == "__main__":
    main()
