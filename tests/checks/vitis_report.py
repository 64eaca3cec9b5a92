"""Sets a synthesis report of Vitis HLS beside what is expected: `python -m tests.checks.vitis_report REPORT`.

REPORT is csynth.xml, or the folder that holds it. Per loop: initiation interval and depth; then clock, DSP48E2, BRAM36
and URAM. Intervals are those of the sources' pragmas, depths those that the analytic schedule takes; resources are the
IR check's count of the shape (`make lint` writes it to build/reports/hls.json).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as Xml

from tabulate import tabulate

from edgemoe.compiler.hls_cycles import EPILOGUE_DEPTH, LOOP_FILL
from edgemoe.devices.csim.build import HLS_FOLDER
from edgemoe.spec.files import read_limited
from edgemoe.spec.hardware import DEFAULT_HARDWARE, hardware_names, load_hardware_config
from edgemoe.spec.terminal import accept_all_text

COUNTS = Path("build/reports/hls.json")
MAX_BYTES = 64 << 20
DEEPER = {"ARRAY": LOOP_FILL + EPILOGUE_DEPTH, "ROWS": LOOP_FILL + EPILOGUE_DEPTH, "ROOTS": 2 * LOOP_FILL}
ABOUT = 1.1  # what synthesis may take beyond the count before it is worth a look


class ReportError(ValueError):
    """Not a report; the message says what was found."""


@dataclass(frozen=True)
class Loop:
    """One pipelined loop of a report. depth: cycles of one turn, None where the report has none."""

    name: str
    interval: int
    depth: int | None


@dataclass(frozen=True)
class Report:
    """What a report says. clock: estimated period in ns; resources by the names of the IR check."""

    top: str
    part: str
    clock: float
    loops: tuple[Loop, ...]
    resources: dict[str, float]


class Row(NamedTuple):
    """One line of the comparison."""

    what: str
    expected: float | None
    found: float
    verdict: str


def read(path: Path) -> Report:
    """The report of a file, or of the folder that holds one; raises ReportError."""
    found = sorted(path.rglob("csynth.xml")) if path.is_dir() else [path]
    if not found:
        raise ReportError(f"{path}: no csynth.xml in this folder; give the folder that Vitis worked in")
    try:
        text = read_limited(found[0], MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{found[0]}: cannot be read ({error})") from error
    if len(text) >= MAX_BYTES or "<!DOCTYPE" in text:
        raise ReportError(f"{found[0]}: not a report of Vitis HLS (too long, or with a document type)")
    try:
        root = Xml.fromstring(text)
    except Xml.ParseError as error:
        raise ReportError(f"{found[0]}: not a report of Vitis HLS ({error})") from error
    return _report(root, found[0])


def _report(root: Xml.Element, path: Path) -> Report:
    areas, timing = root.find("AreaEstimates/Resources"), root.find("PerformanceEstimates/SummaryOfTimingAnalysis")
    if root.tag != "profile" or areas is None or timing is None:
        raise ReportError(f"{path}: not a report of Vitis HLS (no AreaEstimates or no timing); give csynth.xml")
    number = {name: _number(areas.findtext(name), path) for name in ("BRAM_18K", "DSP", "URAM")}
    return Report(
        top=root.findtext("UserAssignments/TopModelName", ""),
        part=root.findtext("UserAssignments/Part", ""),
        clock=_number(timing.findtext("EstimatedClockPeriod"), path),
        loops=tuple(_loops(root, path)),
        resources={"dsp": number["DSP"], "bram36": number["BRAM_18K"] / 2, "uram": number["URAM"]},
    )


def _loops(root: Xml.Element, path: Path) -> Iterator[Loop]:
    """Every element with an interval, in the top or in a module of its own; labels end the names of both."""
    seen = set()
    for element in root.iter():
        interval = element.findtext("PipelineII")
        if interval is None or element.findtext("TripCount") is None:
            continue
        depth = element.findtext("PipelineDepth") or element.findtext("IterationLatency")
        deep = int(_number(depth, path)) if depth and depth.strip().isdigit() else None
        loop = Loop((element.findtext("Name") or element.tag).strip(), int(_number(interval, path)), deep)
        if loop not in seen:
            seen.add(loop)
            yield loop


def _number(text: str | None, path: Path) -> float:
    if text is None or not re.fullmatch(r"\s*\d{1,15}(\.\d{1,9})?\s*", text):
        raise ReportError(f"{path}: {text!r} stands where a report of Vitis HLS has a number")
    return float(text)


def intervals(shape: str) -> dict[str, int]:
    """Label → interval that its pragma asks for; of labels that stand twice, the longest."""
    hardware = load_hardware_config(shape)
    names = {"ROUTE_INTERVAL": hardware.max_top_k}
    found: dict[str, int] = {}
    for path in HLS_FOLDER.glob("machine/*.hpp"):
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(
            r"^ *([A-Z_]+):\n[^\n]*\n(?:#pragma[^\n]*\n)*?#pragma HLS pipeline II=(\w+)", text, re.M
        ):
            meant = names.get(match[2]) or int(match[2])
            found[match[1]] = max(meant, found.get(match[1], 0))
    return found


def compare(report: Report, shape: str, counts: dict[str, float]) -> list[Row]:
    """Row by row; counts: resources of the shape, empty when they have not been counted."""
    hardware, rows = load_hardware_config(shape), []
    meant = intervals(shape)
    for loop in report.loops:
        label = next((name for name in meant if re.search(rf"(^|_){name}(_|$)", loop.name)), None)
        if label is None:
            rows.append(Row(f"{loop.name}: interval", None, loop.interval, "no loop of the sources"))
            continue
        verdict = "as expected" if loop.interval <= meant[label] else "SLOWER"
        rows.append(Row(f"{loop.name}: interval", meant[label], loop.interval, verdict))
        if loop.depth is not None:
            most = DEEPER.get(label, LOOP_FILL)
            rows.append(Row(f"{loop.name}: depth", most, loop.depth, "as expected" if loop.depth <= most else "DEEPER"))
    named = {name for name in meant for loop in report.loops if re.search(rf"(^|_){name}(_|$)", loop.name)}
    rows += [Row(f"{name}: interval", meant[name], 0, "MISSING") for name in ("ARRAY", "FETCH") if name not in named]
    period = 1000 / hardware.clock_mhz
    rows.append(Row("clock, ns", round(period, 3), report.clock, "as expected" if report.clock <= period else "SLOWER"))
    for name, value in report.resources.items():
        expected = counts.get(name)
        known = expected is not None
        verdict = "not counted here" if not known else "as expected" if value <= ABOUT * (expected or 0) else "MORE"
        rows.append(Row(name, expected, value, verdict))
    return rows


def counted(shape: str, path: Path = COUNTS) -> dict[str, float]:
    """What the IR check last counted for a shape; nothing when it has not run."""
    if not path.is_file():
        return {}
    return next((each for each in json.loads(path.read_text(encoding="utf-8")) if each["shape"] == shape), {})


def main() -> int:
    """Print the comparison; 1 when something is worse than expected, 2 when the file is no report."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--shape", choices=hardware_names(), default=DEFAULT_HARDWARE)
    options = parser.parse_args()
    try:
        report = read(options.report)
    except ReportError as error:
        print(error, file=sys.stderr)
        return 2
    part, counts = load_hardware_config(options.shape).part, counted(options.shape)
    if report.part != part:
        print(f"the report is for {report.part or 'no part'}, shape {options.shape} for {part}: compare with --shape")
    if not counts:
        print(f"{COUNTS} has no count of {options.shape}: run `python -m tests.checks.hls_ir --shape {options.shape}`")
    rows = compare(report, options.shape, counts)
    print(tabulate(rows, ("", "expected", "found", "")))
    worse = sum(row.verdict.isupper() for row in rows)
    print(f"\n{worse} of {len(rows)} worse than expected" if worse else f"\nall {len(rows)} as expected or unknown")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
