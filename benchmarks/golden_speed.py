"""Golden integers against torch float32, the same frame on the same cores: `python -m benchmarks.golden_speed`.

Both are warmed up and take turns, so that other work on the machine meets both; the median of each is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.golden_busy import busy_row, line
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene
from sim.common.random_checkpoint import random_checkpoint

LIMIT = 5.0  # times torch's time


def measure(folder: Path, hardware_name: str, rounds: int) -> list[dict[str, Any]]:
    """One row per choice of tasks."""
    hardware = load_hardware_config(hardware_name)
    model = load_checkpoint_model(folder)
    config = model.config
    frame = draw_scene(VALIDATION_SEEDS[0], config.image_height, config.image_width).image
    image = torch.from_numpy(frame)[None]
    names = [task.name for task in config.tasks]
    rows: list[dict[str, Any]] = []
    for tasks in ([names[0]], names):
        program = compile_checkpoint(folder, tasks, hardware)
        with open_device("golden", hardware) as device, Session(program, device) as session, torch.inference_mode():
            golden_ms, torch_ms = _turns(
                lambda session=session: session.run(frame),  # type: ignore[misc]
                lambda tasks=tasks: model.forward_tasks(image, tasks),  # type: ignore[misc]
                rounds,
            )
        rows.append(
            {
                "model": config.name,
                "hardware": hardware.name,
                "precision": hardware.precision,
                "tasks": tasks,
                "golden_ms": golden_ms,
                "torch_ms": torch_ms,
                "ratio": golden_ms / torch_ms,
                "rounds": rounds,
                "threads": torch.get_num_threads(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            }
        )
    return rows


def _turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median milliseconds of each, by turns, after two unmeasured rounds."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in tqdm(range(rounds + 2), desc="golden and torch by turns", unit="round", leave=False):
        for call, found in zip((first, second), times, strict=True):
            start = time.perf_counter()
            call()
            found.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times[0][2:])), float(np.median(times[1][2:]))


def main() -> None:
    """Print the table and how a busy computer slows it down; write golden_speed.json and golden_busy.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="tiny", help="configuration, run with seeded random weights")
    parser.add_argument("--hardware", nargs="+", default=["zcu102", "zcu102_w16a16"])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(load_model_config(options.model), Path(folder) / options.model)
        for hardware in options.hardware:
            rows += measure(checkpoint, hardware, options.rounds)
    lines = [(r["model"], r["precision"], ",".join(r["tasks"]), r["golden_ms"], r["torch_ms"], r["ratio"])
             for r in rows]  # fmt: skip
    heads = ("model", "precision", "tasks", "golden ms", "torch ms", f"ratio (limit {LIMIT:g})")
    print(tabulate(lines, heads, floatfmt=("", "", "", ".1f", ".1f", ".2f")))
    path = Path("build/reports/golden_speed.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    busy = busy_row(options.rounds)
    path.with_name("golden_busy.json").write_text(json.dumps(busy, indent=1) + "\n", encoding="utf-8")
    print(line(busy))


if __name__ == "__main__":
    main()
