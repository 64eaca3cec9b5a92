"""Tables of docs/evidence/quantising.md, from what `make numbers` found: `python -m benchmarks.numbers_page`.

They stand between `<!-- NAME -->` and `<!-- end of NAME -->`; pictures that docs/images has are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.numbers_settings import AFTER, ALL_W4, EXPERTS_W4, FINE, WIDE
from benchmarks.page_tables import placed
from edgemoe.spec.files import write_bytes, write_text
from edgemoe.spec.terminal import accept_all_text

REPORT, PAGE, IMAGES = Path("build/reports/numbers.json"), Path("docs/evidence/quantising.md"), Path("docs/images")

Part = Mapping[str, Any]
"""One network's part of the report."""

COLUMNS = {
    "sqnr_db": ("SQNR after block 11", "{:.1f} dB"),
    "worst_db": ("least", "{:.1f} dB"),
    "miou": ("mIoU", "{:.4f}"),
    "rmse": ("depth RMSE", "{:.4f}"),
    "same_experts": ("same experts", "{:.2f} %"),
    "first_gate": ("at the first gate", "{:.2f} %"),
    "correlation": ("correlation, mean", "{:.4f}"),
    "least": ("least", "{:.4f}"),
    "iou": ("IoU > 0.5", "{:.3f}"),
}


@dataclass(frozen=True)
class Bar:
    """settings: name of one, or a share of more cycles that mixed ones may take. least: by figure; one of mIoU counts
    from the float network's.
    """

    settings: str | float
    least: Mapping[str, float]


_FOREIGN = (
    Bar(0.15, {"sqnr_db": 22, "same_experts": 96.5, "first_gate": 99}),
    Bar(0.35, {"sqnr_db": 25, "same_experts": 98}),
    Bar(WIDE, {"sqnr_db": 28}),
    Bar(FINE, {"sqnr_db": 45}),
)
BARS = {
    "edge_moe": _FOREIGN,
    "edge_moe_harder": _FOREIGN,
    "focus": (
        Bar(AFTER, {"correlation": 0.996}),
        Bar(0.15, {"correlation": 0.998, "least": 0.995, "iou": 0.96}),
        Bar(ALL_W4, {"correlation": 0.985}),
    ),
    "tiny": (
        Bar(0.20, {"miou": -0.001, "same_experts": 98.5}),
        Bar(EXPERTS_W4, {"miou": -0.003, "same_experts": 97}),
    ),
}


def rows(part: Part) -> Iterator[str]:
    """A line per setting."""
    keys = [key for key in COLUMNS if key in part["rows"][0]]
    heads = ["setting", *(COLUMNS[key][0] for key in keys), "more cycles", "found in"]
    yield _line(heads)
    yield _line(["---"] * len(heads))
    if part["float"]:
        yield _line(["float", *(_figure(key, part["float"].get(key)) for key in keys), "", ""])
    for row in part["rows"]:
        figures = (_figure(key, row[key]) for key in keys)
        yield _line([row["setting"], *figures, f"{100 * row['more_cycles']:.1f} %", f"{row['seconds']:.0f} s"])


def steps(part: Part) -> Iterator[str]:
    """A line per step of the quantiser, with what it adds on pictures that it has not seen."""
    eight, four = part["steps"][AFTER], part["steps"][ALL_W4]
    yield _line(["step, added to those kept above", "on pictures learned on", "on the others", ALL_W4])
    yield _line(["---"] * 4)
    known = {step["step"]: (step, text) for step, text in zip(eight, _unseen(eight), strict=True)}
    for step, narrow in zip(four, _unseen(four), strict=True):
        own, text = known.get(step["step"], ({}, ""))
        yield _line([step["step"], f"{own['learned_db']:.1f} dB" if own else "", text, narrow])


def _unseen(found: Sequence[Part]) -> Iterator[str]:
    """What pictures that were not learned on have with each step, and its change."""
    before = found[0]["unseen_db"]
    for step in found:
        change = f" ({step['unseen_db'] - before:+.1f})".replace("-", "−") if step is not found[0] else ""
        yield f"{step['unseen_db']:.1f} dB{change}{'' if step['kept'] else ', left out'}"
        before = step["unseen_db"] if step["kept"] else before


def bars(part: Part, wanted: Sequence[Bar]) -> Iterator[str]:
    """A line per setting that a bar is for; what is missed is bold."""
    yield _line(["bar", "setting", "reached"])
    yield _line(["---"] * 3)
    for bar in wanted:
        name = bar.settings if isinstance(bar.settings, str) else f"within {100 * bar.settings:g} % more cycles"
        least = {key: value + (part["float"][key] if key == "miou" else 0) for key, value in bar.least.items()}
        text = ", ".join(f"{COLUMNS[key][0]} {_figure(key, value)}" for key, value in least.items())
        for row in part["rows"]:
            if _counts(bar, row):
                reached = (
                    _figure(key, row[key]) if row[key] >= value else f"**{_figure(key, row[key])}**"
                    for key, value in least.items()
                )
                yield _line([f"{name}: {text}", row["setting"], ", ".join(reached)])


def _counts(bar: Bar, row: Part) -> bool:
    if isinstance(bar.settings, str):
        return bool(row["setting"] == bar.settings)
    return bool(row["setting"].startswith("mixed") and row["more_cycles"] <= bar.settings)


def _figure(key: str, value: float | None) -> str:
    return "" if value is None else COLUMNS[key][1].format(value)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def updated(page: str, report: Mapping[str, Part]) -> str:
    """The page with the tables of all networks in the report; raises ArgumentError where it has no place for one."""
    for name, part in report.items():
        tables = {name: rows(part), f"{name}, steps": steps(part), f"{name}, bars": bars(part, BARS[name])}
        for table, lines in tables.items():
            page = placed(page, table, "make numbers", lines, PAGE)
    return page


def main() -> None:
    """Rewrite the page, copy the pictures."""
    accept_all_text()
    if not REPORT.is_file():
        print(f"{REPORT}: no such file; call `make numbers` first")
        return
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    write_text(PAGE, updated(PAGE.read_text(encoding="utf-8"), report))
    for shown in sorted(IMAGES.glob("numbers_*.png")):
        if (drawn := REPORT.with_name(shown.name)).is_file():
            write_bytes(shown, drawn.read_bytes())
    print(f"{PAGE}: {', '.join(report)}")


if __name__ == "__main__":
    main()
