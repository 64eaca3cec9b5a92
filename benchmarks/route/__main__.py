"""A complete small accelerator, placed and routed by open tools: `make route`, `python -m benchmarks.route`.

Synthesis by Yosys, place and route by nextpnr for a Gowin GW5AST-138C, the bitstream by Apicula; and the netlist that
is routed runs a program with every instruction, in simulation, with golden's bytes. Writes build/reports/route.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
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
Result = TypeVar("Result")


class Steps:
    """Runs steps one after the other and keeps how long each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """What `step` returns."""
        print(f"== {name}", flush=True)
        begun = time.monotonic()
        result = step()
        self.seconds[name] = round(time.monotonic() - begun, 1)
        return result


def report(
    hardware: HardwareConfig, routed: Routed, steps: Steps, seed: int, bitstream: Path, same: bool
) -> dict[str, object]:
    """What goes to route.json."""
    return {
        "device": DEVICE,
        "hardware": to_dict(hardware),
        "macs_per_cycle": hardware.macs_per_cycle,
        "seed": seed,
        "mhz": round(routed.mhz, 1),
        "worst_path": routed.worst.in_words(),
        "used": {kind: {"used": routed.used[kind][0], "of": routed.used[kind][1]} for kind in COUNTED},
        "bitstream_bytes": bitstream.stat().st_size,
        "netlist_equals_golden": same,
        "seconds": steps.seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def table(routed: Routed) -> str:
    """A line for each kind of cell."""
    rows = []
    for kind, name in COUNTED.items():
        used, there = routed.used[kind]
        rows.append((name, f"{used:,}", f"{there:,}", f"{100 * used / there:.1f}%"))
    return tabulate(rows, ("", "used", "of", ""), disable_numparse=True, colalign=("left", "right", "right", "right"))


def main(words: list[str] | None = None) -> int:
    """Route the machine, or a part of it; 0 when it is routed and its netlist gives golden's bytes."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.route", description=main.__doc__)
    parser.add_argument("--top", default=TOP, help="a module, for a look at a part of the machine; writes no report")
    parser.add_argument("--seed", type=int, default=1, help="of the placer")
    parser.add_argument("--minutes", type=float, default=40, help="after which nextpnr is ended")
    options = parser.parse_args(words)
    hardware, steps, whole = small(), Steps(), options.top == TOP
    folder = FOLDER / path_part(options.top)
    try:
        check_tools()
        netlists = steps.run("synthesis", lambda: synthesise(hardware, folder, options.top))
        routed = steps.run(
            "place and route", lambda: place_and_route(netlists.routed, options.seed, 60 * options.minutes)
        )
        print(f"{table(routed)}\n{routed.mhz:.1f} MHz on {DEVICE}; worst path: {routed.worst.in_words()}", flush=True)
        bitstream = steps.run("bitstream", lambda: pack(folder, PACKING_SECONDS))
        same = not whole or steps.run("netlist against golden", lambda: is_golden(hardware, for_simulation(folder)))
    except (RuntimeError, ValueError, EdgeMoeError) as error:
        print(error, file=sys.stderr)
        return 1
    if whole:
        print(f"the netlist {'equals' if same else 'DIFFERS FROM'} golden")
        write_text(REPORT, json.dumps(report(hardware, routed, steps, options.seed, bitstream, same), indent=1) + "\n")
    print(f"bitstream: {bitstream}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
