"""What quantising costs on three networks, and what each thing against it is worth: `make numbers DENSE=folder`.

Edge-MoE's dense weights (folder DENSE) with seeded stand-ins for its experts and DINOv2-small of `make real` on
photographs, our own `tiny` on drawn scenes; integers against the float network, on pictures that none of them was
calibrated on. Writes build/reports/numbers.json and three pictures of each; a run that was ended goes on row by row
from build/numbers, as long as no source has changed. What cannot be had here is left out, in one sentence.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate
from tqdm import tqdm

from benchmarks import numbers_networks as networks
from benchmarks.numbers_charts import draw_frontier, one_above_the_other
from benchmarks.numbers_networks import Network
from benchmarks.numbers_own import own
from benchmarks.numbers_settings import BEFORE, WHEN, Setting
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.spec.files import write_atomically, write_text
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.budget.picture import draw_choice
from edgemoe_golden.quantising.gains import table as gains_table

REPORT = Path("build/reports/numbers.json")
SHOWN_BUDGET = 0.15
SCENES = 500
NETWORKS = ("edge_moe", "edge_moe_harder", "focus", "tiny")

Row = dict[str, Any]


def measured(of: Network) -> list[Row]:
    """A row per setting: its figures, cycles predicted, how many more than all on 8 bits, seconds that it took."""
    rows: list[Row] = []
    with tqdm(desc=of.title[:40], unit="part") as bar:
        for setting in of.comparison.settings(lambda: bar.update() and None):
            row = of.comparison.kept.value(f"row {setting.name}", partial(judged, of, setting))
            if left_out := row.get("left out"):
                bar.write(f"{setting.name} is left out: {left_out}")
                continue
            rows.append(row)
            bar.write(line(row))
    base = next(row["cycles"] for row in rows if row["setting"] == BEFORE)
    return [{**row, "more_cycles": row["cycles"] / base - 1} for row in rows]


def judged(of: Network, setting: Setting) -> Row:
    """One row, or why it is left out."""
    row = {"setting": setting.name, "cycles": setting.cycles, "seconds": round(setting.seconds, 1)}
    try:
        return {**row, **of.judge(setting), "wide": list(setting.tuned.calibration.wide)}
    except DoesNotFitError as error:
        return {**row, "left out": str(error).splitlines()[0]}


def line(row: Row) -> str:
    """A row as it comes."""
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{value}" for key, value in row.items()
                     if key != "wide")  # fmt: skip


def table(of: Network, rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines: list[tuple[Any, ...]] = []
    if of.float_figures:
        lines.append(("float", *(of.float_figures.get(key) for key in of.heads), None, None))
    for row in rows:
        lines.append((row["setting"], *(row[key] for key in of.heads), 100 * row["more_cycles"], row["seconds"]))
    digits = ".4f" if "miou" in of.heads or "correlation" in of.heads else ".2f"
    formats = ("", *[digits] * len(of.heads), "+.1f", ".0f")
    return tabulate(lines, ("setting", *of.heads.values(), "more cycles %", "found in s"), "plain", floatfmt=formats)


def report(name: str, of: Network, rows: Sequence[Row], seconds: float) -> Row:
    """One network's part of the file; its pictures are written beside it."""
    own = of.comparison
    shown = own.choices[max(budget for budget in own.choices if budget <= SHOWN_BUDGET)]
    for suffix, picture in {
        "frontier": draw_frontier(of.title, rows, *of.chart),
        "worst": one_above_the_other([own.kept.picture(f"worst {when}") for when in WHEN]),
        "choice": draw_choice(own.model.config, shown),
    }.items():
        path = REPORT.with_name(f"numbers_{name}_{suffix}.png")
        write_atomically(path, lambda temporary, drawn=picture: drawn.save(temporary, format="PNG"))  # type: ignore[misc]
    return {
        "is": of.title,
        "calibrated_on": len(own.frames),
        "compared_on": of.compared_on,
        "hardware": own.hardware.name,
        "float": of.float_figures,
        "rows": list(rows),
        "steps": {name: [asdict(each) for each in found] for name, found in own.found.items()},
        "worst": {when: own.kept.read(f"worst {when}") for when in WHEN},
        "seconds": round(seconds),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; write the report."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numbers", description=__doc__)
    parser.add_argument(
        "--networks", default="edge_moe,edge_moe_harder,focus,tiny", help="by commas (default: %(default)s)"
    )
    parser.add_argument("--dense", type=Path, help="folder of Edge-MoE's dense weights, *.float32.bin")
    parser.add_argument("--pictures", type=Path, help="folder of pictures to calibrate them on, at most 8 for the bars")
    parser.add_argument("--others", type=Path, help="folder of other pictures, to compare on")
    parser.add_argument("--scenes", type=int, default=SCENES, help="held-out scenes for tiny (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        known: dict[str, Callable[[], Network]] = {
            "edge_moe": lambda: _edge_moe(options, Path(folder) / "edge_moe"),
            "edge_moe_harder": lambda: _edge_moe(options, Path(folder) / "edge_moe_harder", harder=True),
            "focus": lambda: networks.focus(),
            "tiny": lambda: own(Path("models/tiny"), options.scenes),
        }
        for name in options.networks.split(","):
            start = time.perf_counter()
            try:
                of = known[name]()
            except KeyError:
                parser.exit(1, f"--networks {name}: there are {', '.join(known)}\n")
            except EdgeMoeError as error:
                print(f"{name} is left out: {error}")
                continue
            rows = measured(of)
            print(f"\n{of.title}; calibrated on {len(of.comparison.frames)}, compared on {of.compared_on} others")
            print(table(of, rows))
            for setting, found in of.comparison.found.items():
                print(f"\n{setting}\n{gains_table(found, len(of.comparison.frames))}\n")
            keep(name, report(name, of, rows, time.perf_counter() - start))


def _edge_moe(options: argparse.Namespace, folder: Path, harder: bool = False) -> Network:
    if options.dense is None:
        raise ArgumentError("its weights are not part of this repository; name their folder by DENSE=folder")
    return networks.edge_moe(options.dense, folder, options.pictures, options.others, harder)


def keep(name: str, part: Row) -> None:
    """Put one network's part into the file; those of earlier runs stay."""
    try:
        content = json.loads(REPORT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    write_text(REPORT, json.dumps({**content, name: part}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
