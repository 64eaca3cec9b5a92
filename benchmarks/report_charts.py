"""The report's charts, drawn from what the benches wrote."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.report_inputs import CLOCKS, Inputs, Row, milliseconds
from benchmarks.report_style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_GREY,
    PURPLE,
    YELLOW,
    styled,
    without_left_edge,
)

OURS, OTHERS = BLUE, PALE_GREY
SPLIT = {
    "mac_busy": ("array busy", BLUE),
    "weight_wait": ("waits for weights", ORANGE),
    "post_wait": ("waits for post lanes", YELLOW),
    "layernorm": ("LayerNorm", GREEN),
    "softmax": ("softmax", PURPLE),
    "drain": ("drain", GREY),
    "fill": ("fill", PALE_GREY),
    "other": ("other", FAINT),
}
ARITHMETICS = {"edge_moe": ("Edge-MoE's", ORANGE), "w16a16": ("W16A16", GREEN), "w8a8": ("W8A8", BLUE)}


@styled
def draw_comparison(inputs: Inputs) -> Figure:
    """Milliseconds of a frame on a ZCU102, precisions side by side; ours at the fastest to the slowest of CLOCKS."""
    slow, fast = min(CLOCKS), max(CLOCKS)
    rows = [(f"{d['name']} ({d['where'].split(',')[0]}), {d['precision']}", d["ms"], d["ms"])
            for d in inputs.published_on("ZCU102")]  # fmt: skip
    for frame in inputs.precisions():
        name = f"this design, {frame['precision'].upper()}, counted"
        rows.append((name, milliseconds(frame["cycles"], fast), milliseconds(frame["cycles"], slow)))
    figure = Figure(figsize=(9, 0.5 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots()
    for place, (name, ms, slower) in enumerate(reversed(rows)):
        ours = name.startswith("this design")
        axes.barh(place, slower, color=PALE_BLUE, height=0.62)
        axes.barh(place, ms, color=OURS if ours else OTHERS, height=0.62)
        text = f"{ms:.2f} ms at {fast} MHz, {slower:.2f} at {slow}" if ours else f"{ms:.2f} ms"
        axes.annotate(text, (slower, place), xytext=(5, 0), textcoords="offset points", va="center",
                      weight="bold" if ours else "normal")  # fmt: skip
    axes.set_yticks(range(len(rows))[::-1], [name for name, *_ in rows])
    axes.set_xlabel("milliseconds per frame, one task, ZCU102")
    axes.set_xlim(0, max(slower for *_, slower in rows) * 1.2)
    without_left_edge(axes)
    return figure


@styled
def draw_ladder(inputs: Inputs) -> Figure:
    """Both ladders side by side."""
    rungs = inputs.ablation["ladder"]
    clock = inputs.ablation["clock_mhz"] * 1000
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    (left, right) = figure.subplots(1, 2, sharey=True)
    places = range(len(rungs))[::-1]
    for place, rung in zip(places, rungs, strict=True):
        ms, modelled = rung["cycles"] / clock, rung["modelled"] / clock
        left.barh(place, rung["paper_ms"], color=OTHERS, height=0.62)
        left.annotate(f"{rung['paper_ms']:.1f}", (rung["paper_ms"], place), xytext=(4, 0),
                      textcoords="offset points", va="center")  # fmt: skip
        right.barh(place, ms - modelled, color=OURS, height=0.62)
        right.barh(place, modelled, left=ms - modelled, color=PALE_BLUE, height=0.62)
        right.annotate(f"{ms:.2f}", (ms, place), xytext=(4, 0), textcoords="offset points", va="center")
    left.set_yticks(list(places), [rung["rung"] for rung in rungs])
    left.set_title("Edge-MoE's own machine, published: ms", fontsize=9.5)
    right.set_title(f"this machine: ms at {inputs.ablation['clock_mhz']} MHz", fontsize=9.5)
    right.legend(handles=[Patch(color=OURS, label="counted on the RTL"), Patch(color=PALE_BLUE, label="modelled")],
                 loc="lower right")  # fmt: skip
    for axes in (left, right):
        axes.set_xlim(0, axes.get_xlim()[1] * 1.08)
        without_left_edge(axes)
    return figure


@styled
def draw_split(inputs: Inputs) -> Figure:
    """Where the cycles of each kind of instruction go."""
    frame = inputs.frame(inputs.hardware, 1)
    kinds: dict[str, dict[str, int]] = {}
    for instruction in frame["instructions"]:
        total = kinds.setdefault(kind_of(instruction["label"]), dict.fromkeys(SPLIT, 0))
        for name, value in (instruction["split"] | {"other": instruction["other"]}).items():
            total[name] += value
    ordered = sorted(kinds.items(), key=lambda item: sum(item[1].values()))
    figure = Figure(figsize=(10, 0.36 * len(ordered) + 1.3), layout="constrained")
    axes = figure.subplots()
    for place, (_, split) in enumerate(ordered):
        start = 0
        for name, (_, colour) in SPLIT.items():
            axes.barh(place, split[name] / 1e3, left=start / 1e3, color=colour, height=0.7)
            start += split[name]
        axes.annotate(f"{start / 1e3:,.1f}", (start / 1e3, place), xytext=(4, 0), textcoords="offset points",
                      va="center")  # fmt: skip
    axes.set_yticks(range(len(ordered)), [name for name, _ in ordered])
    axes.set_xlabel(f"thousand cycles of {frame['cycles'] / 1e3:,.1f}, all instructions of a kind")
    figure.legend(handles=[Patch(color=colour, label=name) for name, colour in SPLIT.values()],
                  loc="outside lower center", ncols=len(SPLIT), fontsize=8.5)  # fmt: skip
    without_left_edge(axes)
    return figure


def kind_of(label: str) -> str:
    """`block 3 mlp up rows 0…63` → mlp up; `head semseg norm` → head norm."""
    words = label.split()
    if words[0] == "head":
        return "head norm" if words[-1] == "norm" else "head"
    if words[0] != "block":
        return label
    if words[2] in ("gate", "copy", "attention", "experts", "qkv", "projection", "norm1", "norm2"):
        return words[2] if words[-1] != "routing" else "store of routing"
    return " ".join(words[2:4])


@styled
def draw_reads(inputs: Inputs) -> Figure:
    """Vectors of keys and values read per step against queries in flight."""
    reads = inputs.ablation["reads"]
    tokens = sorted({read["tokens"] for read in reads})
    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = figure.subplots(1, len(tokens), sharey=True)
    for axes, count in zip(panels, tokens, strict=True):
        line = [read for read in reads if read["tokens"] == count]
        places = range(len(line))
        _line(axes, places, [read["plain_per_step"] for read in line], OTHERS, "each lane reads its own: modelled")
        _line(axes, places, [read["per_step"] for read in line], OURS, "keys move from lane to lane: counted")
        axes.set_xticks(list(places), [f"{read['token_par']}" for read in line])
        axes.set_xlabel(f"queries in flight, {count} tokens")
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("vectors read per step")
    panels[0].legend(fontsize=8)
    return figure


def _line(axes: Axes, places: range, values: Sequence[float], colour: str, label: str) -> None:
    axes.plot(list(places), values, "o-", color=colour, linewidth=2, label=label)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.3g}", (place, value), xytext=(0, 6), textcoords="offset points", ha="center",
                      fontsize=8)  # fmt: skip


@styled
def draw_layers(inputs: Inputs) -> Figure:
    """Signal over error of the residual stream after each block, three arithmetics, first task."""
    layers = inputs.arithmetics["layers"]
    task = layers[0]["task"]
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    for name, (label, colour) in ARITHMETICS.items():
        rows = [row for row in layers if is_residual(row, name, task)]
        axes.plot(range(len(rows)), [row["sqnr_db"] for row in rows], "o-", color=colour, label=label, markersize=4)
        ticks = [row["tensor"].removeprefix("blocks.").replace(".residual", "") for row in rows]
    axes.set_xticks(range(len(ticks)), ticks, rotation=40, ha="right", fontsize=8)
    axes.set_ylabel("dB against float")
    axes.set_ylim(0)
    axes.grid(axis="y")
    axes.legend(ncols=3)
    return figure


def is_residual(row: Row, arithmetic: str, task: str) -> bool:
    """Whether a layer of the accuracy figures is the residual stream of this task in this arithmetic."""
    place = row["arithmetic"], row["task"], str(row["tensor"]).endswith(".residual")
    return place == (arithmetic, task, True)
