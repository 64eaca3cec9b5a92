"""Whole frames on the RTL engine, counted in cycles: `make bench`, or `python -m benchmarks.rtl_frames`.

Per frame: cycles and where they go, use of the array, bytes moved, both floors and the published designs beside; per
kind of instruction, and with --instructions for every one, cycles beside the compiler's prediction. Memory is the model
of the hardware configuration: bytes per cycle over all ports, cycles to the first beat.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks.rtl_settings import DEFAULT, NARROW, WIDE, Setting, program_of
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.compiler.program import Program
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.frames import expert_loads, routings
from edgemoe.session import Session
from edgemoe.spec.checkpoint import load_checkpoint
from edgemoe.spec.files import write_text
from edgemoe.spec.isa import MEMORY_WORD
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene
from sim.common.random_checkpoint import checkpoint_or_random

REPORT = Path("build/reports/bench.json")
BARS = {1: 440_000, 2: 775_000}  # by number of tasks, for `tiny` on `zcu102`
AIMS = {1: 420_000, 2: 755_000}
PUBLISHED = Path("docs/published.json")
PUBLISHED_BOARD = "ZCU102"
SPLIT = {"mac_busy": "MAC", "weight_wait": "weights", "post_wait": "post", "layernorm": "LN", "softmax": "softmax",
         "drain": "drain", "fill": "fill"}  # fmt: skip


@dataclass(frozen=True)
class Cycles:
    """Cycles of one instruction, or of several together. split: by what the array did, see docs/registers.md; `other`:
    copies, stores, legality, and loads before the array starts.
    """

    label: str
    cycles: int
    predicted: int
    split: dict[str, int]
    bytes_read: int

    @property
    def other(self) -> int:
        """Cycles that no counter claims."""
        return self.cycles - sum(self.split.values())

    def __add__(self, more: Cycles) -> Cycles:
        split = {name: self.split[name] + more.split[name] for name in self.split}
        read = self.bytes_read + more.bytes_read
        return Cycles(self.label, self.cycles + more.cycles, self.predicted + more.predicted, split, read)


@dataclass(frozen=True)
class Published:
    """One task's frame of somebody else's design."""

    name: str
    ms: float
    cycles: int


@dataclass(frozen=True)
class Frame:
    """One run. seconds: of simulation, on one core. label: of the setting, where widths differ from layer to layer."""

    program: Program
    instructions: list[Cycles]
    counters: dict[str, int]
    bit_exact: bool
    seconds: float
    label: str = ""

    @property
    def cycles(self) -> int:
        """From start to done."""
        return self.counters["cycles"]


def published_designs() -> list[Published]:
    """Accelerators of mixtures of experts on PUBLISHED_BOARD."""
    designs = json.loads(PUBLISHED.read_text(encoding="utf-8"))["moe"]
    return [
        Published(f"{d['name']} ({d['where'].split(',')[0]})", d["ms"], round(d["ms"] * d["mhz"] * 1000))
        for d in designs
        if d["board"] == PUBLISHED_BOARD
    ]


def measure(program: Program) -> Frame:
    """Run one frame on golden and on the RTL; raises DeviceError or SessionError when that fails."""
    model, hardware = program.manifest.model, program.manifest.hardware
    image = draw_scene(VALIDATION_SEEDS[0], model.image_height, model.image_width).image
    with open_device("golden", hardware) as device, Session(program, device) as session:
        expected = session.run_raw(image)
    rtl = RtlDevice(hardware)
    with rtl, Session(program, rtl) as session:
        start = time.perf_counter()
        region = session.run_raw(image)
        seconds = time.perf_counter() - start
        counters = session.counters()
        names, trace = rtl.take_trace()
    loads = expert_loads(routings(expected, program.manifest), program) if program.manifest.routing else None
    counted = _instructions(program, names, trace.astype(np.int64), counters, loads)
    return Frame(program, counted, counters, bool(np.array_equal(region, expected)), seconds)


def _instructions(
    program: Program, names: Sequence[str], trace: np.ndarray, counters: dict[str, int], loads: list[list[int]] | None
) -> list[Cycles]:
    """Differences of the counters between the instructions' beginnings; the last one lasts to the end of the run."""
    columns = {name: trace[:, index] for index, name in enumerate(names)}
    indices = columns["trace_index"].tolist()
    count = len(program.instructions)
    assert indices == list(range(count)), f"{count} instructions, but a trace of {indices}"
    registers = {"cycles": "cycles", "beats_read": "bytes_read"} | {name: f"{name}_cycles" for name in SPLIT}
    lasts = {
        name: counters.get(register, 0) // (16 if name == "beats_read" else 1) for name, register in registers.items()
    }
    spent = {name: np.diff(np.append(columns[name], lasts[name])) for name in lasts}
    spent["cycles"][0] += columns["cycles"][0]  # what comes before the first one belongs to it
    predicted, labels = predicted_cycles(program, loads), program.manifest.labels
    return [
        Cycles(labels[n], int(spent["cycles"][n]), predicted[n].cycles, {name: int(spent[name][n]) for name in SPLIT},
               MEMORY_WORD * int(spent["beats_read"][n]))
        for n in range(count)
    ]  # fmt: skip


def print_frame(frame: Frame, every: bool) -> None:
    """The tables of one frame."""
    manifest, hardware = frame.program.manifest, frame.program.manifest.hardware
    print(f"\n{manifest.model.name} on {frame.label or hardware.name}, {'+'.join(manifest.tasks)}:")
    print(f"{hardware.macs_per_cycle} MAC/cycle, {hardware.precision},")
    print(f"{hardware.prefetch_bytes // 1024} KiB prefetch, {hardware.ports} ports, at most")
    print(f"{hardware.bytes_per_cycle:g} bytes/cycle, {hardware.first_beat_cycles} cycles to the first beat")
    kinds: dict[str, Cycles] = {}
    times: dict[str, int] = defaultdict(int)
    for instruction, counted in zip(frame.program.instructions, frame.instructions, strict=True):
        kind = instruction.opcode.name.lower()
        if instruction.opcode.name == "LINEAR":
            kind += f" {instruction.epilogue.name.lower()}"
        kinds[kind] = kinds[kind] + counted if kind in kinds else replace(counted, label=kind)
        times[kind] += 1
    rows = [_row(counted) for counted in frame.instructions] if every else []
    rows += [_row(each, times[each.label]) for each in sorted(kinds.values(), key=lambda counted: -counted.cycles)]
    total = sum(frame.instructions[1:], frame.instructions[0])
    rows.append(_row(replace(total, label="frame"), len(frame.instructions)))
    heads = ("instruction", "times", "cycles", "predicted", "off, %", *SPLIT.values(), "other", "kB read")
    digits = ("", "", "", "", ".1f", *[""] * (len(SPLIT) + 1), ",.0f")
    print(tabulate(rows, heads, intfmt=",", floatfmt=digits))
    slowest = max(frame.instructions, key=lambda counted: counted.cycles)
    print(f"slowest instruction: {slowest.label}, {slowest.cycles:,} cycles")


def _row(counted: Cycles, times: int | None = None) -> tuple[object, ...]:
    off = 100 * (counted.predicted / counted.cycles - 1) if counted.cycles else 0.0
    split = (*counted.split.values(), counted.other)
    return (counted.label, times, counted.cycles, counted.predicted, off, *split, counted.bytes_read / 1000)


def report(frame: Frame) -> dict[str, object]:
    """One entry of `frames` in bench.json."""
    manifest, hardware = frame.program.manifest, frame.program.manifest.hardware
    cycles = frame.cycles
    return {
        "model": manifest.model.name,
        "hardware": hardware.name,
        "setting": frame.label,
        "predicted": sum(counted.predicted for counted in frame.instructions),
        "part": hardware.part,
        "precision": hardware.precision,
        "tasks": list(manifest.tasks),
        "cycles": cycles,
        "ms": milliseconds(frame),
        "mac_busy_cycles": frame.counters["mac_busy_cycles"],
        "bytes_read": frame.counters["bytes_read"],
        "bytes_written": frame.counters["bytes_written"],
        "bytes_per_cycle": frame.counters["bytes_read"] / cycles,
        "prefetch_bytes": hardware.prefetch_bytes,
        "memory_floor_cycles": round(frame.counters["bytes_read"] / hardware.bytes_per_cycle),
        "utilisation": frame.counters["mac_busy_cycles"] / cycles,
        "bit_exact": frame.bit_exact,
        "seconds": frame.seconds,
        "counters": frame.counters,
        "instructions": [asdict(counted) | {"other": counted.other} for counted in frame.instructions],
    }


def print_summary(frames: list[Frame]) -> None:
    """All frames beside the bars, the floors and the published designs."""
    rows: list[tuple[object, ...]] = []
    for frame in frames:
        manifest, counters = frame.program.manifest, frame.counters
        hardware, cycles, read = manifest.hardware, frame.cycles, frame.counters["bytes_read"]
        rated = manifest.model.name == "tiny" and hardware.name == "zcu102" and not frame.label
        bar, aim = (limits[len(manifest.tasks)] if rated else None for limits in (BARS, AIMS))
        busy = counters["mac_busy_cycles"]
        rows.append((manifest.model.name, frame.label or hardware.name, "+".join(manifest.tasks),
                     hardware.prefetch_bytes // 1024, cycles, milliseconds(frame), bar, aim, 100 * busy / cycles,
                     read / 1e6, read / cycles,
                     read / hardware.bytes_per_cycle, busy, frame.bit_exact, frame.seconds))  # fmt: skip
    rows += [(design.name, "published", "", None, design.cycles, design.ms) for design in published_designs()]
    heads = ("model", "hardware", "tasks", "prefetch KiB", "cycles", "ms", "bar", "aim", "MAC use, %", "MB read",
             "B/cycle", "memory floor", "MAC floor", "equal", "s")  # fmt: skip
    digits = ("", "", "", "", "", ".2f", "", "", ".1f", ".2f", ".1f", ",.0f", "", "", ".1f")
    print(f"\n{tabulate(rows, heads, intfmt=',', floatfmt=digits)}")


def milliseconds(frame: Frame) -> float:
    """At the clock that the configuration is meant for."""
    return frame.cycles / frame.program.manifest.hardware.clock_mhz / 1000


def main() -> int:
    """Print the tables; write build/reports/bench.json, or --report; 1 when a frame differs from golden."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"), help="folder; random weights if missing")
    parser.add_argument("--hardware", nargs="+", help="shapes (default: those of the report, two with mixed widths)")
    parser.add_argument("--narrow", choices=NARROW, default="none", help="layers with weights of 4 bits")
    parser.add_argument("--wide", choices=WIDE, default="none", help="activations of 16 bits")
    parser.add_argument("--instructions", action="store_true", help="also print every instruction")
    parser.add_argument("--report", type=Path, default=REPORT, help="file that gets the figures")
    options = parser.parse_args()
    named = [Setting(name, options.narrow, options.wide) for name in options.hardware or ()]
    frames = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkpoint_or_random(options.model, Path(temporary))
        tasks = [task.name for task in load_checkpoint(folder)[0].tasks]
        for setting in named or DEFAULT:
            for chosen in (tasks[:1], tasks):
                try:
                    program = program_of(folder, chosen, setting)
                except DoesNotFitError as error:
                    print(f"left out: {error.sentence}")
                    continue
                measured = measure(program)
                frames.append(replace(measured, label=setting.label if setting.mixed else ""))
                print_frame(frames[-1], options.instructions)
    print_summary(frames)
    memory = {
        frame.program.manifest.hardware.name: {
            "ports": frame.program.manifest.hardware.ports,
            "port_bytes": 16,
            "bytes_per_cycle": frame.program.manifest.hardware.bytes_per_cycle,
            "first_beat_cycles": frame.program.manifest.hardware.first_beat_cycles,
        }
        for frame in frames
    }
    plain, mixed = ([report(frame) for frame in frames if bool(frame.label) == wanted] for wanted in (False, True))
    found = {"memory": memory, "frames": plain, "mixed": mixed}
    write_text(options.report, json.dumps(found, indent=1) + "\n")
    return int(not all(frame.bit_exact for frame in frames))


if __name__ == "__main__":
    sys.exit(main())
