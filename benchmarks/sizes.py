"""Every size of model on every shape: the same integers on all engines, cycles, traffic: `make bench-sizes`.

Seeded random weights. Large frames take an hour of RTL simulation, so each figure is written down when it is there:
build/reports/sizes.json keeps it until model, shape or engine changes, and an interrupted run goes on. `--write` puts
each line into docs/evidence/sizes.md as soon as it is there, beside those of other runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.page_tables import write_table
from benchmarks.sizes_models import MODELS, Case, case, weights_formula
from benchmarks.sizes_table import Row, cells, joined, read_table, table
from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.traffic import traffic_of
from edgemoe.devices.csim import build as csim
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl import build as rtl
from edgemoe.frames import expert_loads, routings
from edgemoe.session import Session
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.isa import MEMORY_WORD
from edgemoe.spec.terminal import accept_all_text
from sim.common.random_checkpoint import random_checkpoint

REPORT, PAGE = Path("build/reports/sizes.json"), Path("docs/evidence/sizes.md")
ENGINES: Mapping[str, Callable[[HardwareConfig], Path]] = {"csim": csim.library_path, "rtl": rtl.library_path}
COMMAND = "python -m benchmarks.sizes --write"
MOST = 100.0  # million predicted cycles, about an hour of simulation


def planned(of: Case) -> Row:
    """What is known without running: predicted with experts that take equal shares, and both sides of the formula."""
    program = compile_model(hollow_model(of.config, of.hardware), of.tasks, of.hardware)
    cycles, traffic = predicted_cycles(program), traffic_of(program)
    total = sum(each.cycles for each in cycles)
    routing = sum(record.rows * MEMORY_WORD for record in program.manifest.routing)
    return {
        "model": of.name, "hardware": of.hardware.name, "as_shipped": of.as_shipped, "turns": of.turns,
        "predicted": total, "predicted_busy": sum(each.mac for each in cycles) / total, "weights": traffic.weights,
        "weights_formula": weights_formula(program, of.turns), "rows_formula": of.rows_bytes,
        "rows": traffic.loaded + traffic.stored - routing, "engines": {},
    }  # fmt: skip


def run(of: Case, engines: Sequence[str], checkpoints: Path) -> Iterator[tuple[str, Row]]:
    """One frame on golden and on each of the engines: whether all bytes are equal, and what the RTL counted.

    checkpoints: folder for those of this run, one for each model. Raises DeviceError and SessionError.
    """
    checkpoint = checkpoints / f"{of.config.hash():08x}"
    if not checkpoint.is_dir():
        random_checkpoint(of.config, checkpoint)
    program = compile_checkpoint(checkpoint, of.tasks, of.hardware)
    model = program.manifest.model
    frame = np.random.default_rng(5).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    with open_device("golden", of.hardware) as device, Session(program, device) as session:
        expected = session.run_raw(frame)
    loads = expert_loads(routings(expected, program.manifest), program) if program.manifest.routing else None
    for name in engines:
        with open_device(name, of.hardware) as device, Session(program, device, timeout=6 * 3600) as session:
            begun = time.perf_counter()
            found = session.run_raw(frame)
            seconds = time.perf_counter() - begun
            counters = session.counters() if name == "rtl" else {}
        counted: Row = {key: counters[key] for key in ("cycles", "mac_busy_cycles", "bytes_read", "bytes_written")
                   if key in counters}  # fmt: skip
        if counted:
            counted["predicted"] = sum(each.cycles for each in predicted_cycles(program, loads))
        yield name, {"equal": bool(np.array_equal(found, expected)), "seconds": seconds, **counted}


def key(of: Case, engine: str) -> str:
    """Names all that a figure depends on; the engine by its build, which is made if it is new. Raises DeviceError."""
    build = ENGINES[engine](of.hardware).parent.name
    return f"{of.config.hash():08x}-{len(of.tasks)}-{of.hardware.hash():08x}-{build}"


def remembered() -> dict[str, Row]:
    """Figures of earlier runs by their key; nothing where there are none."""
    try:
        return dict(json.loads(REPORT.read_text(encoding="utf-8"))["engines"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; write the report; 1 when a frame differs from golden."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--hardware", nargs="+", choices=hardware_names(), default=list(hardware_names()))
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--most", type=float, default=MOST, help="million predicted cycles of a frame on the RTL")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    options = parser.parse_args(arguments)
    kept, rows = remembered(), list[Row]()
    with tempfile.TemporaryDirectory() as checkpoints:
        for model, name in product(options.models, options.hardware):
            of = case(model, load_hardware_config(name))
            rows.append(planned(of))
            wanted = {engine: key(of, engine) for engine in options.engines
                      if engine != "rtl" or rows[-1]["predicted"] <= options.most * 1e6}  # fmt: skip
            missing = [engine for engine, its in wanted.items() if its not in kept]
            for engine, row in run(of, missing, Path(checkpoints)) if missing else ():
                kept[wanted[engine]] = row
                write_text(REPORT, json.dumps({"engines": kept, "rows": rows}, indent=1) + "\n")
            rows[-1]["engines"] = {engine: kept[its] for engine, its in wanted.items()}
            write_text(REPORT, json.dumps({"engines": kept, "rows": rows}, indent=1) + "\n")
            print(*table([cells(rows[-1])]), sep="\n", flush=True)
            if options.write:
                earlier = read_table(PAGE.read_text(encoding="utf-8").splitlines())
                lines = table(joined(earlier, [cells(row) for row in rows], list(MODELS)))
                write_table(PAGE, "sizes", COMMAND, lines)
    print("", *table([cells(row) for row in rows]), sep="\n")
    return int(not all(engine["equal"] for row in rows for engine in row["engines"].values()))


if __name__ == "__main__":
    sys.exit(main())
