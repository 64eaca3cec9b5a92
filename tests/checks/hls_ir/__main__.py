"""Judges the HLS engine as far as one can without Vitis: `python -m tests.checks.hls_ir` (part of `make lint`).

For every pipelined loop: the initiation interval that the ports of its memories allow, dynamic indices into partitioned
dimensions, copies of structures, dependences without a promised distance, dividers. For every hardware shape:
multipliers as DSP48E2 and memories as BRAM36 and URAM, against the part. Only Vitis can tell the intervals that it
reaches, pipeline depths, lookup tables, whether it merges or shares what is counted here, and the clock.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tabulate import tabulate

from edgemoe.devices.csim.build import HLS_FOLDER
from edgemoe.kernels.vectors import KERNELS, write_bench
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.hardware import DEFAULT_HARDWARE, HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe.tuning.parts import part_of
from tests.checks.hls_ir.accesses import Resolver
from tests.checks.hls_ir.compile import ir_text, module_of
from tests.checks.hls_ir.flow import blocks_of, pipelined_loops
from tests.checks.hls_ir.layout import memories
from tests.checks.hls_ir.pragmas import read
from tests.checks.hls_ir.resources import arithmetic, stores, weight_stream
from tests.checks.hls_ir.rules import Judged, judge

REPORT = Path("build/reports/hls.json")
KINDS = ("dsp", "bram36", "uram", "lutram")
RTL_ALONE = ("pynq_z2", "ultra96", "zcu102_large")  # shapes that the HLS engine is too large for: the Verilog's
SIMULATION = "simulation-only"


def check(hardware: HardwareConfig, folder: Path = HLS_FOLDER) -> tuple[list[Judged], dict[str, Any]]:
    """The loops, and the resources of one shape."""
    with tempfile.TemporaryDirectory() as name:
        work, generated = Path(name) / "sources", Path(name)
        (generated / "edgemoe_spec.hpp").write_text(hls_header(hardware), encoding="utf-8")
        text = str(module_of(ir_text(folder, generated, work)))
        found = memories(generated, folder)
    pragmas, blocks = read(folder, hardware.ultra_ram), blocks_of(text, "edgemoe_top")
    resolver, operations = Resolver(text, blocks, found), arithmetic(blocks)
    names = {"ROUTE_INTERVAL": hardware.max_top_k}
    judged = []
    for loop in pipelined_loops(blocks):
        meant = names.get(loop.interval) or int(loop.interval)
        judged.append(judge(loop, blocks, resolver, operations, pragmas, meant))
    stream = weight_stream(hardware.prefetch_bytes, pragmas)
    kept = [stream, *stores(found, pragmas)]
    resources = {
        "shape": hardware.name,
        "part": hardware.part,
        "dsp": sum(each.dsp for each in operations),
        "dividers": sum(each.kind != "mul" for each in operations),
        **{kind: sum(getattr(each, kind) for each in kept) for kind in KINDS[1:]},
        "stream_bram36": stream.bram36,
        "memories": [
            vars(each) | {kind: getattr(each, kind) for kind in KINDS[1:]} for each in kept if each.impl != "register"
        ],
    }
    return judged, resources


def check_kernel(kernel: str, hardware: HardwareConfig, folder: Path = HLS_FOLDER) -> tuple[Judged, dict[str, int]]:
    """The loop of one kernel's top, whose every number has a port of its own; its multipliers and dividers."""
    with tempfile.TemporaryDirectory() as name:
        generated = Path(name)
        write_bench(kernel, hardware, generated)
        text = str(module_of(ir_text(folder, generated, generated / "sources", "tops/kernel_top.cpp")))
    blocks = blocks_of(text, "kernel_top")
    resolver, operations = Resolver(text, blocks, []), arithmetic(blocks)
    resolver.ports = []
    (loop,) = pipelined_loops(blocks)
    dividers = sum(each.kind != "mul" for each in operations)
    counted = {"dsp": sum(each.dsp for each in operations), "dividers": dividers}
    return judge(loop, blocks, resolver, operations, read(folder), 1), counted


def missing(resources: dict[str, Any]) -> list[str]:
    """What the part does not have, or that nobody knows what it has; of a shape for simulation alone nothing."""
    if resources["part"] == SIMULATION:
        return []
    part = part_of(resources["part"])
    if part is None:
        return [f"{resources['shape']}: nothing is known of its part {resources['part']}, see edgemoe.tuning.parts"]
    kinds = [(kind, getattr(part.total, kind)) for kind in KINDS]
    return [f"{resources['shape']}: {resources[kind]:g} {kind}, its part has {most}" for kind, most in kinds
            if resources[kind] > most]  # fmt: skip


def complaints(judged: list[Judged], resources: dict[str, Any]) -> list[str]:
    """Of the loops, and of what the part does not have; of a shape in RTL_ALONE, if it fits after all."""
    found, lacks = [text for each in judged for text in each.complaints], missing(resources)
    if resources["shape"] in RTL_ALONE:
        return found if lacks else [*found, f"{resources['shape']}: fits its part, so it does not belong to RTL_ALONE"]
    return found + lacks


def main() -> int:
    """Print tables and complaints, write build/reports/hls.json; 1 when there are complaints."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", nargs="+", default=hardware_names())
    parser.add_argument("--shape-only", action="store_true", help="leave out the kernels one by one")
    options = parser.parse_args()
    found, report, table = [], [], []
    for shape in options.shape:
        judged, resources = check(load_hardware_config(shape))
        rows = [(each.loop.name, each.meant, each.allowed, each.limit) for each in judged]
        print(f"\n{shape}\n" + tabulate(rows, ("loop", "meant", "allowed by ports", "because of")))
        counted = [resources[key] for key in ("part", "dsp", "dividers", "bram36", "stream_bram36", "uram", "lutram")]
        table.append([shape, *counted, "; ".join(text.split(": ")[1] for text in missing(resources)) or "yes"])
        found += complaints(judged, resources)
        loops = [{"loop": e.loop.name, "meant": e.meant, "allowed": e.allowed, "limit": e.limit} for e in judged]
        report.append({**resources, "loops": loops})
    heads = ("shape", "part", "DSP48E2", "dividers", "BRAM36", "of which stream", "URAM", "LUTRAM", "fits")
    print("\n" + tabulate(table, heads))
    if not options.shape_only:
        kernels = {kernel: check_kernel(kernel, load_hardware_config(DEFAULT_HARDWARE)) for kernel in KERNELS}
        found += [f"kernel {name}: {text}" for name, (judged_, _) in kernels.items() for text in judged_.complaints]
        counts = [(name, *each.values()) for name, (_, each) in kernels.items()]
        print(f"\n{DEFAULT_HARDWARE}\n" + tabulate(counts, ("kernel", "DSP48E2", "dividers")))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n" + ("\n".join(found) or "HLS schedule: no complaints"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
