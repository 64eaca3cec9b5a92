"""Units of a small accelerator, placed and routed by open tools: `make route`, `python -m benchmarks.route`.

Synthesis by Yosys, place and route by nextpnr for a Gowin GW5AST-138C, the bitstream by Apicula. Writes
build/reports/route.json. `--top edgemoe_top` takes the whole machine, and runs a program with every instruction on the
netlist that is routed, which has to give golden's bytes.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tabulate import tabulate

from benchmarks.route.nextpnr import check_tools, pack, place_and_route
from benchmarks.route.nextpnr_report import Routed
from benchmarks.route.part import COUNTED, DEVICE
from benchmarks.route.same import is_golden
from benchmarks.route.synthesis import for_simulation, small, synthesise
from edgemoe.devices.rtl.build import TOP
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.names import path_part
from edgemoe.spec.places import BUILDS, REPOSITORY
from edgemoe.spec.strict import to_dict
from edgemoe.spec.terminal import accept_all_text

REPORT = REPOSITORY / "build" / "reports" / "route.json"
FOLDER = BUILDS / "route"
PACKING_SECONDS = 600.0
UNITS = (
    "layernorm",
    "gate",
    "instruction_unit",
    "weight_buffer",
    "attention",
    "softmax",
    "drain",
    "requantise",
)  # by their size
Result = TypeVar("Result")


class Steps:
    """Runs steps of a unit one after the other and keeps how long each took."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.seconds: dict[str, float] = {}

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """What `step` returns."""
        print(f"== {self.unit}: {name}", flush=True)
        begun = time.monotonic()
        result = step()
        self.seconds[name] = round(time.monotonic() - begun, 1)
        return result


def report(unit: str, routed: Routed, seconds: Mapping[str, float], seed: int, bitstream: Path) -> dict[str, object]:
    """What goes to route.json for one unit."""
    return {
        "unit": unit,
        "seed": seed,
        "mhz": round(routed.mhz, 1),
        "worst_path": routed.worst.in_words(),
        "used": {kind: {"used": routed.used[kind][0], "of": routed.used[kind][1]} for kind in COUNTED},
        "bitstream_bytes": bitstream.stat().st_size,
        "seconds": dict(seconds),
    }


def table(routed: Routed) -> str:
    """A line for each kind of cell."""
    rows = []
    for kind, name in COUNTED.items():
        used, there = routed.used[kind]
        rows.append((name, f"{used:,}", f"{there:,}", f"{100 * used / there:.1f}%"))
    return tabulate(rows, ("", "used", "of", ""), disable_numparse=True, colalign=("left", "right", "right", "right"))


def route(unit: str, hardware: HardwareConfig, seed: int, minutes: float) -> dict[str, object]:
    """Place, route and pack a module. Raises RuntimeError, ValueError or DeviceError with what a tool says; the whole
    machine has to give golden's bytes, too.
    """
    steps, folder = Steps(unit), FOLDER / path_part(unit)
    netlists = steps.run("synthesis", lambda: synthesise(hardware, folder, unit))
    routed = steps.run("place and route", lambda: place_and_route(netlists.routed, seed, 60 * minutes))
    bitstream = steps.run("bitstream", lambda: pack(folder, PACKING_SECONDS))
    print(f"{table(routed)}\n{routed.mhz:.1f} MHz on {DEVICE}; worst path: {routed.worst.in_words()}", flush=True)
    if unit == TOP and not steps.run("netlist against golden", lambda: is_golden(hardware, for_simulation(folder))):
        raise RuntimeError("the netlist that was routed does not give golden's bytes")
    return report(unit, routed, steps.seconds, seed, bitstream)


def main(words: list[str] | None = None) -> int:
    """Route units one by one; the report has those that are routed. 0 when all are, 1 otherwise."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.route", description=main.__doc__)
    parser.add_argument("--top", nargs="+", default=list(UNITS), help="modules; edgemoe_top is the whole machine")
    parser.add_argument("--seed", type=int, default=1, help="of the placer")
    parser.add_argument("--minutes", type=float, default=40, help="after which nextpnr is ended")
    options = parser.parse_args(words)
    hardware = small()
    units: list[dict[str, object]] = []
    try:
        check_tools()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for unit in options.top:
        try:
            units.append(route(unit, hardware, options.seed, options.minutes))
        except (RuntimeError, ValueError, EdgeMoeError) as error:
            print(f"{unit}: {error}", file=sys.stderr)
        facts = {
            "device": DEVICE,
            "hardware": to_dict(hardware),
            "units": units,
            "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
        write_text(REPORT, json.dumps(facts, indent=1) + "\n")
    return int(len(units) < len(options.top))


if __name__ == "__main__":
    sys.exit(main())
