"""Syntheses that the area model is fitted to: `make area-points`, `python -m benchmarks.area_points`.

Each shape goes through the synthesis of benchmarks.area, module by module; what did not change comes from the cache.
Writes host/edgemoe/configs/area/w8a8.json after every shape; `edgemoe tune` reads it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.area import measure
from edgemoe.devices.rtl.build import TOP
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import to_dict
from edgemoe.spec.terminal import accept_all_text
from edgemoe.tuning.area import POINTS
from edgemoe.tuning.parts import part_named
from edgemoe.tuning.space import Choice, Target, shape

# LayerNorm lanes, ports, bytes a cycle: those of the shapes when the points were taken, so that all are of one Verilog.
SHIPPED = (("zcu102", 64, 4, 45.5), ("kv260", 16, 2, 25.6), ("micro", 16, 1, 16.0))
# Array, rows drained a cycle, LayerNorm lanes, ports, KiB of prefetch, UltraRAM; tasks of `tiny`.
CHOSEN = (
    (Choice((2, 8, 8), 1, 16, 1, 128, False), 1),
    (Choice((4, 16, 16), 2, 32, 4, 512, False), 1),
    (Choice((8, 8, 16), 2, 64, 2, 1024, False), 2),
    (Choice((16, 16, 16), 2, 32, 4, 1024, False), 2),
    (Choice((2, 16, 16), 1, 16, 2, 512, True), 1),
    (Choice((8, 16, 16), 1, 16, 1, 256, False), 1),
    (Choice((8, 8, 8), 2, 32, 2, 256, False), 2),
    (Choice((4, 8, 16), 4, 32, 2, 64, False), 1),
    (Choice((8, 16, 16), 4, 32, 4, 4096, True), 2),
)


def shapes() -> Iterator[HardwareConfig]:
    """Shipped shapes and others, spread over the space of `edgemoe.tuning.space`."""
    for name, lanes, ports, bandwidth in SHIPPED:
        yield replace(load_hardware_config(name), layernorm_lanes=lanes, ports=ports, bytes_per_cycle=bandwidth)
    model = load_model_config("tiny")
    names = tuple(task.name for task in model.tasks)
    for number, (choice, tasks) in enumerate(CHOSEN):
        target = Target(model, names[:tasks], part_named("xczu9eg"), 300)
        found = shape(choice, target, f"point_{number}")
        yield replace(found, part="simulation-only", bytes_per_cycle=16.0 * choice.ports)  # of neither is any area


def point(hardware: HardwareConfig) -> dict[str, object]:
    """One synthesis; raises RuntimeError with Yosys' complaint."""
    measured = measure(hardware, TOP)
    modules = {row.module: [row.instances, *row.used.values()] for row in measured.rows}
    return {
        "hardware": to_dict(hardware),
        "used": asdict(measured.used),
        "levels": measured.levels,
        "modules": modules,
    }


def main() -> None:
    """Synthesise and write."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=POINTS)
    options = parser.parse_args()
    points = []
    for hardware in shapes():
        points.append(point(hardware))
        write_text(
            options.out, json.dumps({"points": points}, separators=(",", ":")).replace('{"hard', '\n{"hard') + "\n"
        )
        print(f"{hardware.name}: {points[-1]['used']}")


if __name__ == "__main__":
    main()
