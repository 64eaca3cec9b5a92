"""Clock of the RTL, estimated: `make timing`, `python -m benchmarks.timing [--shape zcu102] [--top edgemoe_top]`.

Over the whole machine, flattened, with a delay for every net that grows with what it drives (see timing_delays): which
endpoints are late, by how much, and why, ranked in ns. An estimate before place and route by delays that were judged,
not measured: trust the order of the paths more than their nanoseconds. What open synthesis does not do, vendor tools
may: copy registers of wide fan-out, move registers across logic, optimise across modules.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.area_synthesis import ROOT, elaborate, synthesise
from benchmarks.timing_delays import ARC_LEVELS
from benchmarks.timing_netlist import Graph, flatten
from benchmarks.timing_paths import Timing, analyse, path_to
from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.build import TOP
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.terminal import accept_all_text

REPORT = ROOT / "build" / "reports" / "timing.json"
SHAPES = ("zcu102", "kv260")
CLOCKS_MHZ = (300, 250, 200)
BAR_NS = 1000 / CLOCKS_MHZ[0]
PATHS = 10


@dataclass(frozen=True)
class Path:
    """The latest of all paths from one register into one module, all bits and copies taken as one.

    levels as area_levels counts them; fan_out: the largest on the way; modules: in the order in which it crosses them;
    nets: those on the way that have names, with their loads; endpoints: how many end such a path, of those that are
    later than the last path listed.
    """

    ns: float
    end: str
    start: str
    levels: float
    fan_out: int
    modules: tuple[str, ...]
    nets: tuple[str, ...]
    endpoints: int


@dataclass(frozen=True)
class Clock:
    """Endpoints that are too late for a clock."""

    mhz: int
    late: int
    share: float


@dataclass(frozen=True)
class Estimate:
    """One shape. worst: ns; mhz: the clock that it allows; by_module: the latest endpoint in each module, ns, and how
    many of its endpoints miss the bar; widest: nets with the most loads.
    """

    hardware: str
    part: str
    endpoints: int
    worst: float
    mhz: float
    clocks: tuple[Clock, ...]
    paths: tuple[Path, ...]
    by_module: dict[str, tuple[float, int]]
    widest: dict[str, int]


def estimate(hardware: HardwareConfig, top: str, paths: int = PATHS) -> Estimate:
    """Synthesise what changed and time it; raises RuntimeError when Yosys refuses, DeviceError without sources."""
    parts = elaborate(hardware, top)
    with tqdm(total=len(parts), desc=hardware.name, unit="module", leave=False) as bar:
        modules = synthesise(parts, hardware.dsp_block, bar.update)
    graph = flatten(modules)
    timing = analyse(graph)
    found = timing.endpoints[np.isfinite(timing.endpoints)]
    worst = float(found.max())
    late = {mhz: int((found > 1000 / mhz).sum()) for mhz in CLOCKS_MHZ}
    clocks = tuple(Clock(mhz, count, count / found.size) for mhz, count in late.items())
    return Estimate(hardware.name, hardware.part, int(found.size), round(worst, 3), round(1000 / worst, 1), clocks,
                    worst_paths(graph, timing, paths), _by_module(graph, timing), _widest(graph, timing))  # fmt: skip


def worst_paths(graph: Graph, timing: Timing, number: int) -> tuple[Path, ...]:
    """The latest pairs of a register and a module, the latest first."""
    seen: dict[tuple[str, str], int] = {}
    members: dict[tuple[str, str], int] = {}
    for end in np.argsort(-timing.endpoints, kind="stable"):
        if not np.isfinite(timing.endpoints[end]):
            break
        pair = _end(graph, int(end)).split(".")[0], _plain(_start(graph, timing, int(end)))
        members[pair] = members.get(pair, 0) + 1
        if pair not in seen:
            if len(seen) == number:
                break
            seen[pair] = int(end)
    return tuple(_path(graph, timing, end, members[pair]) for pair, end in seen.items())


def _end(graph: Graph, end: int) -> str:
    sampled = graph.tables["sampled"]
    if end >= len(sampled):
        return "an output"
    template = graph.instances[graph.instance_of("sampled", end)][1]
    return f"{template.name}.{template.sampled_labels[sampled[end, 1]]}"


def _start(graph: Graph, timing: Timing, end: int) -> str:
    row = int(timing.start[timing.ends[end]])
    if row < 0:
        return "an input"
    template = graph.instances[graph.instance_of("starts", row)][1]
    return f"{template.name}.{template.start_labels[graph.tables['starts'][row, 1]]}"


def _plain(label: str) -> str:
    """Without what tells bits and copies of one thing apart."""
    return re.sub(r"[\[_.]\d+\]?", "", label)


def _path(graph: Graph, timing: Timing, end: int, endpoints: int) -> Path:
    rows = path_to(timing, int(timing.ends[end]))
    nets = [*(int(timing.sources[row]) for row in rows), int(timing.ends[end])]
    names = [(graph.name_of(net).split(".")[-1], int(timing.loads[net])) for net in nets]
    modules = [_start(graph, timing, end).split(".")[0]]
    modules += [graph.instances[graph.instance_of("arcs", row)][1].name for row in rows]
    modules.append(_end(graph, end).split(".")[0])
    crossed = tuple(name for name, before in zip(modules, [None, *modules], strict=False) if name != before)
    levels = float(np.array(ARC_LEVELS)[graph.tables["arcs"][rows, 2]].sum())
    return Path(round(float(timing.endpoints[end]), 2), _end(graph, end), _start(graph, timing, end), round(levels, 1),
                max(int(timing.loads[net]) for net in nets), crossed,
                tuple(f"{name} ({loads})" for name, loads in names if name), endpoints)  # fmt: skip


def _by_module(graph: Graph, timing: Timing) -> dict[str, tuple[float, int]]:
    found: dict[str, tuple[float, int]] = {}
    bounds = [*graph.first["sampled"], len(graph.tables["sampled"])]
    for (_, template), begin, end in zip(graph.instances, bounds, bounds[1:], strict=False):
        if end > begin:
            worst, late = found.get(template.name, (0.0, 0))
            own = timing.endpoints[begin:end]
            found[template.name] = max(worst, round(float(own.max()), 3)), late + int((own > BAR_NS).sum())
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _widest(graph: Graph, timing: Timing) -> dict[str, int]:
    order = np.argsort(-timing.loads)[:2000]
    found: dict[str, int] = {}
    for net in order:
        if np.isfinite(timing.arrival[net]):
            found.setdefault(_plain(graph.name_of(int(net)) or "a net without a name"), int(timing.loads[net]))
    return found


def table(found: Estimate) -> str:
    """What is printed of one shape."""
    title = f"{found.hardware}, {found.part}: ESTIMATE over {found.endpoints:,} endpoints"
    lines = [title, f"  latest {found.worst:.2f} ns, which allows {found.mhz:.0f} MHz"]
    for clock in found.clocks:
        lines.append(f"  {clock.mhz} MHz, {1000 / clock.mhz:.2f} ns: {clock.late:,} endpoints late, {clock.share:.2%}")
    rows = [(f"{path.ns:.2f}", f"{path.levels:.1f}", f"{path.fan_out:,}", f"{path.end} ← {path.start}",
             f"{' → '.join(path.modules)}: {', '.join(path.nets)}") for path in found.paths]  # fmt: skip
    heads = ("ns", "levels", "fan-out", "end ← start", "modules: nets (loads)")
    return "\n".join([*lines, tabulate(rows, heads, disable_numparse=True, colalign=("right",) * 3 + ("left",) * 2)])


def main() -> int:
    """Print the latest paths of each shape; write build/reports/timing.json; 1 when one misses the bar of 300 MHz."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), help="hardware configurations")
    parser.add_argument("--top", default=TOP, help="a module, for a look at a part of the machine")
    parser.add_argument("--paths", type=int, default=PATHS, help="how many paths to print")
    parser.add_argument("--modules", action="store_true", help="also print the latest endpoint of every module")
    options = parser.parse_args()
    estimates = []
    for name in options.shape:
        try:
            found = estimate(load_hardware_config(name), options.top, options.paths)
        except (RuntimeError, DeviceError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(table(found))
        if options.modules:
            print(tabulate([(name, *row) for name, row in found.by_module.items()], ("module", "ns", "late")))
            print(tabulate(found.widest.items(), ("net", "loads")))
        estimates.append(found)
    if options.top == TOP:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps([asdict(found) for found in estimates], indent=1) + "\n", encoding="utf-8")
    return int(any(found.worst > BAR_NS for found in estimates))


if __name__ == "__main__":
    sys.exit(main())
