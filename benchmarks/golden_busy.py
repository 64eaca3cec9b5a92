"""Golden on a computer that has other work: `python -m benchmarks.golden_busy`, and part of benchmarks.golden_speed.

Two tasks of `tiny`, alone and then beside one process per core that never rests. NumPy chooses its number of threads as
it does for a user who has set nothing. The load of others is printed, because it counts in either figure; the time that
this process' threads were computing, or waiting for each other busily, hardly depends on it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.golden.threads import VARIABLES
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.terminal import accept_all_text

LIMIT = 1.5  # times its time alone
MODEL, HARDWARE = Path(__file__).resolve().parents[1] / "models" / "tiny", "zcu102"
SPIN_UP_SECONDS = 1.0


def busy_row(rounds: int) -> dict[str, Any]:
    """Medians of both, measured in a process of its own without the variables that choose a number of threads."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "-m", "benchmarks.golden_busy", "--json", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(rounds: int) -> dict[str, Any]:
    """Alone, loaded and alone again; the load of others before it began."""
    others = os.getloadavg()[0]
    hardware = load_hardware_config(HARDWARE)
    program = compile_checkpoint(MODEL, None, hardware)
    config = program.manifest.model
    shape = (config.image_height, config.image_width, 3)
    frame = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with open_device("golden", hardware) as device, Session(program, device) as session:
        session.run(frame)
        alone = [_times(session, frame, rounds)]
        with _all_cores_busy():
            loaded_ms, loaded_cpu_ms = _times(session, frame, rounds)
        alone.append(_times(session, frame, rounds))
    alone_ms, alone_cpu_ms = (sum(each) / 2 for each in zip(*alone, strict=True))
    return {
        "model": config.name,
        "hardware": HARDWARE,
        "tasks": [task.name for task in config.tasks],
        "alone_ms": alone_ms,
        "loaded_ms": loaded_ms,
        "ratio": loaded_ms / alone_ms,
        "alone_cpu_ms": alone_cpu_ms,
        "loaded_cpu_ms": loaded_cpu_ms,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "load_of_others": others,
    }


def _times(session: Session, frame: np.ndarray, rounds: int) -> tuple[float, float]:
    """Median milliseconds of a frame, and those that this process' threads were computing."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        session.run(frame)
        found.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, computing = np.median(found, axis=0) * 1e3
    return float(wall), float(computing)


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
        f"cores busy, {row['ratio']:.2f} × (limit {LIMIT:g}); its threads compute {row['alone_cpu_ms']:.0f} and "
        f"{row['loaded_cpu_ms']:.0f} ms of it; load of others before: {row['load_of_others']:.1f}"
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
