"""C simulation of the HLS engine: one frame on one core, `python -m benchmarks.csim_speed`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene
from sim.common.random_checkpoint import checkpoint_or_random

LIMIT_SECONDS = 3.0
UPSTREAM_SECONDS = 12.0  # Edge-MoE's own C simulation of the same frame on the same kind of core


def measure(folder: Path, hardware_name: str, rounds: int) -> list[dict[str, Any]]:
    """One row per choice of tasks; results are compared with the golden engine's."""
    hardware = load_hardware_config(hardware_name)
    rows: list[dict[str, Any]] = []
    program = compile_checkpoint(folder, None, hardware)
    names = program.manifest.tasks
    model = program.manifest.model
    frame = draw_scene(VALIDATION_SEEDS[0], model.image_height, model.image_width).image
    for tasks in (names[:1], names):
        program = compile_checkpoint(folder, tasks, hardware)
        with open_device("golden", hardware) as device, Session(program, device) as session:
            expected = session.run_raw(frame)
        times = []
        with open_device("csim", hardware) as device, Session(program, device) as session:
            for _ in tqdm(range(rounds), desc=f"{hardware.name} {','.join(tasks)}", unit="frame", leave=False):
                start = time.perf_counter()
                region = session.run_raw(frame)
                times.append(time.perf_counter() - start)
        rows.append(
            {
                "model": model.name,
                "hardware": hardware.name,
                "precision": hardware.precision,
                "tasks": list(tasks),
                "seconds": float(np.median(times)),
                "rounds": rounds,
                "bit_exact": bool(np.array_equal(region, expected)),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
            }
        )
    return rows


def main() -> None:
    """Print the table; write build/reports/bench-csim.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"), help="folder; random weights if missing")
    parser.add_argument("--hardware", nargs="+", default=["zcu102", "zcu102_w16a16", "kv260", "micro"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkpoint_or_random(options.model, Path(temporary))
        for name in options.hardware:
            rows += measure(folder, name, options.rounds)
    lines = [(r["model"], r["hardware"], ",".join(r["tasks"]), r["seconds"], r["bit_exact"]) for r in rows]
    print(tabulate(lines, ("model", "hardware", "tasks", "seconds", "equal to golden"), floatfmt=".2f"))
    print(f"bar: {LIMIT_SECONDS:g} s for one task; Edge-MoE's own C simulation: {UPSTREAM_SECONDS:g} s")
    path = Path("build/reports/bench-csim.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
