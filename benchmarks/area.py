"""Area of the RTL by open synthesis: `make area`, `python -m benchmarks.area [--hardware zcu102] [--top edgemoe_top]`.

Per shape: LUT, FF, DSP, block RAM of every module, alone and times its instances, against the part's totals; and the
longest combinational path of every module in logic levels (see area_levels) against what its clock has time for.
Figures of Yosys for the part's family: an estimate before any vendor tool, pessimistic in LUT and FF, as registers and
adders of an UltraScale+'s DSP blocks stay unused, but for those of chains (DSP_CELL), and nothing is optimised across
modules.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

from benchmarks.area_levels import Timing, analyse
from benchmarks.area_synthesis import ROOT, Module, elaborate, synthesise
from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.build import TOP
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe.tuning.parts import Resources, part_of

REPORT = ROOT / "build" / "reports" / "area.json"
SHAPES = ("zcu102", "zcu102_w16a16", "kv260")
# Of a LUT and its routing, by DSP block: an UltraScale+ at speed grade −2, so that 3.33 ns at 300 MHz are 8 levels; a
# 7-series at −1, 10 ns at 100 MHz are 11. Both are assumptions.
LEVEL_NS = {"dsp48e2": 0.4, "dsp48e1": 0.9}
LIMITS = {"zcu102": Resources(lut=156_000, lutram=144_000, ff=548_160, dsp=1_400, bram36=912)}
COLUMNS = ("LUT", "LUTRAM", "FF", "DSP", "BRAM36", "URAM")


@dataclass(frozen=True)
class Row:
    """All instances of one module of the Verilog, whatever its parameters. used: of all of them, without what is inside
    them; levels: the longest path of any of them.
    """

    module: str
    instances: int
    used: Resources
    levels: float
    path: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """One hardware configuration."""

    hardware: HardwareConfig
    rows: list[Row]

    @property
    def used(self) -> Resources:
        """Everything."""
        return sum((row.used for row in self.rows), Resources())

    @property
    def levels(self) -> float:
        """The longest path of all."""
        return max(row.levels for row in self.rows)


def ceiling(hardware: HardwareConfig) -> float:
    """Logic levels that a cycle of its intended clock has time for."""
    return float(1000 / hardware.clock_mhz // LEVEL_NS[hardware.dsp])


def measure(hardware: HardwareConfig, top: str) -> Shape:
    """Synthesise what changed; raises RuntimeError when Yosys refuses, DeviceError when sources are missing."""
    parts = elaborate(hardware, top)
    with tqdm(total=len(parts), desc=hardware.name, unit="module", leave=False) as bar:
        modules = synthesise(parts, hardware.dsp_block, bar.update)
    timings: dict[str, Timing] = {}
    for name, module in modules.items():
        timings[name] = analyse(module.netlist, timings)
    counts = _instances(modules)
    grouped = defaultdict(list)
    for name, module in modules.items():
        grouped[module.name].append(name)
    rows = []
    for plain_name, names in sorted(grouped.items()):
        longest = max((timings[name] for name in names), key=lambda timing: timing.worst)
        used = sum((modules[name].own.times(counts[name]) for name in names), Resources())
        rows.append(Row(plain_name, sum(counts[name] for name in names), used, longest.worst, longest.path))
    return Shape(hardware, rows)


def _instances(modules: dict[str, Module]) -> dict[str, int]:
    counts = dict.fromkeys(modules, 0)
    *_, top = modules
    counts[top] = 1
    for name in reversed(modules):  # parents first
        for child, count in modules[name].inside.items():
            counts[child] += counts[name] * count
    return counts


def total_of(hardware: HardwareConfig) -> Resources | None:
    """Totals of the part that a configuration is for; None when it is for simulation only."""
    part = part_of(hardware.part)
    return part.total if part else None


def table(shape: Shape) -> str:
    """What is printed: a row per module, then all of them against the part and the project's own limit."""
    hardware = shape.hardware
    most = ceiling(hardware)
    title = (f"{hardware.name}: {hardware.macs_per_cycle} MAC/cycle, {hardware.precision}, "
             f"{hardware.prefetch_bytes // 1024} KiB prefetch, {hardware.part}")  # fmt: skip
    rows = [
        [row.module, str(row.instances), *_cells(row.used), f"{row.levels:.1f}{' *' * (row.levels > most)}"]
        for row in sorted(shape.rows, key=lambda row: (-row.used.lut, row.module))
    ]
    total, used = total_of(hardware), shape.used
    rows.append(["all", "", *_cells(used), f"{shape.levels:.1f}"])
    if total is not None:
        rows.append(["part", "", *_cells(total), f"{most:.1f}"])
        pairs = zip(used.values(), total.values(), strict=True)
        rows.append(["share", "", *(f"{100 * a / b:.1f}%" if b else "" for a, b in pairs)])
    if hardware.name in LIMITS:
        rows.append(["limit of the project", "", *_cells(LIMITS[hardware.name])])
    heads = ("module", "count", *COLUMNS, "levels")
    sides = ("left", *["right"] * (len(COLUMNS) + 1), "left")
    return f"{title}\n{tabulate(rows, heads, disable_numparse=True, colalign=sides)}"


def _cells(used: Resources) -> list[str]:
    return [f"{value:,.1f}" if column == "BRAM36" else f"{value:,.0f}"
            for column, value in zip(COLUMNS, used.values(), strict=True)]  # fmt: skip


def report(shape: Shape) -> dict[str, object]:
    """What goes to area.json."""
    hardware, total, used = shape.hardware, total_of(shape.hardware), shape.used
    limit = LIMITS.get(hardware.name, total)
    return {
        "hardware": hardware.name,
        "part": hardware.part,
        "precision": hardware.precision,
        "macs_per_cycle": hardware.macs_per_cycle,
        "prefetch_bytes": hardware.prefetch_bytes,
        "used": asdict(used),
        "total": total and asdict(total),
        "limit": limit and asdict(limit),
        "fits": limit is None or all(a <= b for a, b in zip(used.values(), limit.values(), strict=True)),
        "levels": shape.levels,
        "level_ceiling": ceiling(hardware),
        "modules": [asdict(row) for row in shape.rows],
    }


def main() -> int:
    """Print the tables; write build/reports/area.json; 1 when a shape does not fit or a path is too long."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--hardware", nargs="+", default=list(SHAPES))
    parser.add_argument("--report", type=Path, default=REPORT, help="file that gets the figures")
    parser.add_argument("--top", default=TOP, help="a module, for a look at a part of the machine")
    parser.add_argument(
        "--paths", action="store_true", help="also print the longest path of each module above the ceiling"
    )
    options = parser.parse_args()
    reports, failed = [], False
    for name in options.hardware:
        try:
            shape = measure(load_hardware_config(name), options.top)
        except (RuntimeError, DeviceError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(table(shape))
        for row in shape.rows if options.paths else ():
            if row.levels > ceiling(shape.hardware):
                print(f"{row.module}: {' → '.join(row.path)}")
        print()
        reports.append(report(shape))
        failed |= not reports[-1]["fits"] or shape.levels > ceiling(shape.hardware)
    print("Yosys synth_xilinx for the family, each module alone; * longer than the clock allows")
    if options.top == TOP:
        write_text(options.report, json.dumps(reports, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
