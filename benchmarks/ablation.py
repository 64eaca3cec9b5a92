"""The paper's five techniques, one at a time and together: `make ablation`, or `python -m benchmarks.ablation`.

Each technique alone switched off in our machine, then the ladder from none to all in the paper's order, both described
in benchmarks.ablation_variants. What the models say of the machine as it is stands beside what the RTL counts. Writes
build/reports/ablation.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.ablation_area import load_area
from benchmarks.ablation_gelu import GeluUnit, as_rows, measure_units
from benchmarks.ablation_models import SEPARATE_UNITS
from benchmarks.ablation_programs import first_moe_block
from benchmarks.ablation_reads import Reads, measure_reads
from benchmarks.ablation_variants import Rung, Runs, Variant, checks, ladder, variants
from benchmarks.rtl_frames import Frame, measure
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.spec.hardware import DEFAULT_HARDWARE, HardwareConfig, load_hardware_config
from edgemoe.spec.terminal import accept_all_text
from sim.common.random_checkpoint import checkpoint_or_random

REPORT = Path("build/reports/ablation.json")


def quarter_of(hardware: HardwareConfig) -> HardwareConfig:
    """A shape with a SEPARATE_UNITS-th of the array: half the inputs and half the outputs."""
    return replace(hardware, in_par=hardware.in_par // 2, out_par=hardware.out_par // 2)


def run_all(folder: Path, hardware: HardwareConfig, tokens: int) -> Runs:
    """All runs on the RTL engine; raises RuntimeError when one differs from golden."""
    task = compile_checkpoint(folder, None, hardware).manifest.tasks[:1]
    whole = compile_checkpoint(folder, task, hardware)
    quarter = compile_checkpoint(folder, task, quarter_of(hardware))
    if quarter.manifest.hardware.macs_per_cycle * SEPARATE_UNITS != hardware.macs_per_cycle:
        raise RuntimeError("the shape of separate units does not have the same multipliers in all")
    return Runs(
        whole=_checked("the machine as it is", measure(whole)),
        quarter=_checked("a quarter of the array", measure(quarter)),
        token_by_token=_checked("experts token by token", measure(first_moe_block(whole, tokens))),
        tokens=tokens,
    )


def _checked(what: str, frame: Frame) -> Frame:
    if not frame.bit_exact:
        raise RuntimeError(f"RTL run '{what}' differs from golden; its cycles mean nothing")
    return frame


def show(runs: Runs, found: Sequence[Variant], rungs: Sequence[Rung]) -> None:
    """Print the tables."""
    base = runs.whole
    print(f"\nall five techniques: {base.cycles:,} cycles, {base.counters['bytes_read']:,} bytes read, counted\n")
    rows = []
    for v in found:
        area = ", ".join(f"{value:+,.0f} {name}" for name, value in (v.area or {}).items() if value)
        also = ", ".join(f"{name} {value:,.3g}" for name, value in v.also.items())
        rows.append((v.technique, v.instead, v.cycles, v.cycles_kind, v.cycles / base.cycles, v.bytes_read / 1e6,
                     "; ".join(filter(None, (area, also)))))  # fmt: skip
    heads = ("without", "instead", "cycles", "", "×", "MB read", "area")
    print(tabulate(rows, heads, intfmt=",", floatfmt=("", "", "", "", ".2f", ".1f", "")))
    steps = [(rung.rung, rung.cycles, rung.counted, rung.modelled, rungs[0].cycles / rung.cycles, rung.paper_ms,
              rungs[0].paper_ms / rung.paper_ms) for rung in rungs]  # fmt: skip
    heads = ("ladder", "cycles", "counted", "modelled", "gain", "paper ms", "gain")
    print(f"\n{tabulate(steps, heads, intfmt=',', floatfmt=('', '', '', '', '.2f', '.1f', '.2f'))}")
    for check in checks(runs):
        print(f"model of {check['what']}: {check['modelled']:,} cycles, counted {check['counted']:,}")


def as_report(
    runs: Runs, found: Sequence[Variant], units: Sequence[GeluUnit], reads: Sequence[Reads], trained: bool
) -> dict[str, Any]:
    """What goes to ablation.json."""
    manifest = runs.whole.program.manifest
    return {
        "model": manifest.model.name,
        "weights": "trained" if trained else "seeded random",
        "tasks": list(manifest.tasks),
        "hardware": manifest.hardware.name,
        "precision": manifest.hardware.precision,
        "clock_mhz": manifest.hardware.clock_mhz,
        "cycles": runs.whole.cycles,
        "bytes_read": runs.whole.counters["bytes_read"],
        "bit_exact": all(frame.bit_exact for frame in (runs.whole, runs.quarter, runs.token_by_token)),
        "techniques": [asdict(each) for each in found],
        "ladder": [asdict(rung) | {"cycles": rung.cycles} for rung in ladder(runs)],
        "checks": checks(runs),
        "reads": [asdict(r) | {"per_step": r.per_step, "plain_per_step": r.plain_per_step} for r in reads],
        "gelu": as_rows(units),
    }


def main() -> None:
    """Run, print, write build/reports/ablation.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"), help="folder; random weights if missing")
    parser.add_argument("--hardware", default=DEFAULT_HARDWARE)
    parser.add_argument("--tokens", type=int, default=32, help="tokens that go one by one (default: %(default)s)")
    options = parser.parse_args()
    hardware = load_hardware_config(options.hardware)
    area = load_area(options.hardware)
    if area is None:
        print("build/reports/area.json is missing: areas of array and exponentials are left out; `make area` writes it")
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkpoint_or_random(options.model, Path(temporary))
        runs = run_all(folder, hardware, options.tokens)
    reads = measure_reads(runs.whole.program.manifest.model, hardware)
    units = measure_units(hardware)
    found = variants(runs, units, reads, area)
    show(runs, found, ladder(runs))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    written = as_report(runs, found, units, reads, trained=folder == options.model)
    REPORT.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
