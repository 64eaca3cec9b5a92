"""One frame, instruction by instruction, as the RTL engine ran it: a row per block, a bar per instruction."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.report_charts import kind_of
from benchmarks.report_inputs import Inputs, Row
from benchmarks.report_style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PALE_GREY,
    PURPLE,
    RED,
    STEEL,
    TEAL,
    YELLOW,
    styled,
    without_left_edge,
)

COLOURS = {
    "patch embed": GREY,
    "norm": GREEN,
    "qkv": BLUE,
    "attention": PURPLE,
    "projection": STEEL,
    "mlp": YELLOW,
    "gate": RED,
    "experts": ORANGE,
    "head": TEAL,
    "copy, store": PALE_GREY,
}
GROUPS = {"norm1": "norm", "norm2": "norm", "head norm": "norm", "mlp up": "mlp", "mlp down": "mlp"}
WAIT = PAGE


def group_of(label: str) -> str:
    """The colour group of an instruction."""
    kind = kind_of(label)
    group = GROUPS.get(kind, kind)
    return group if group in COLOURS else "copy, store"


def row_of(label: str) -> str:
    """`block 3 …` → block 3; what comes before or after the blocks has rows of its own."""
    words = label.split()
    return " ".join(words[:2]) if words[0] == "block" else "heads" if words[0] in ("head", "halt") else "embedding"


def rows_of(frame: Row) -> dict[str, list[Row]]:
    """Instructions by row, in their order."""
    rows: dict[str, list[Row]] = {}
    for instruction in frame["instructions"]:
        rows.setdefault(row_of(instruction["label"]), []).append(instruction)
    return rows


@styled
def draw_timeline(inputs: Inputs) -> Figure:
    """Length: cycles of an instruction; white stripe: its waits for weights."""
    frame = inputs.frame(inputs.hardware, 1)
    rows = rows_of(frame)
    figure = Figure(figsize=(11, 0.34 * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    for place, (_, instructions) in zip(range(len(rows))[::-1], rows.items(), strict=True):
        start = 0.0
        for instruction in instructions:
            length = instruction["cycles"] / 1e3
            wait = instruction["split"]["weight_wait"] / 1e3
            axes.barh(place, length, left=start, color=COLOURS[group_of(instruction["label"])], height=0.74,
                      edgecolor=PAGE, linewidth=0.4)  # fmt: skip
            if wait:
                axes.barh(place - 0.24, wait, left=start + length - wait, color=WAIT, height=0.16)
            start += length
        axes.annotate(f"{start:,.1f}", (start, place), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=8.5)  # fmt: skip
    axes.set_yticks(range(len(rows))[::-1], list(rows))
    without_left_edge(axes)
    axes.set_xlabel("thousand cycles since the row began")
    handles = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, columnspacing=1.0,
                  handlelength=1.2)  # fmt: skip
    return figure
