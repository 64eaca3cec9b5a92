"""The report's charts, drawn from what the benches wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.report_html import DRAWN_IN
from benchmarks.report_inputs import Inputs, Row

OURS, OTHERS, SOFT, INK = "#1f5fa8", "#b9bec6", "#9cc3ea", "#333333"
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "font.family": DRAWN_IN,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": "#999999",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgemoe",
}
SPLIT = {
    "mac_busy": ("array busy", "#1f5fa8"),
    "weight_wait": ("waits for weights", "#c2571a"),
    "post_wait": ("waits for post lanes", "#e2b04a"),
    "layernorm": ("LayerNorm", "#3a7d44"),
    "softmax": ("softmax", "#8e5aa8"),
    "drain": ("drain", "#8a939e"),
    "fill": ("fill", "#bcc3cb"),
    "other": ("other", "#e3e6ea"),
}
ARITHMETICS = {"edge_moe": ("Edge-MoE's", "#c2571a"), "w16a16": ("W16A16", "#3a7d44"), "w8a8": ("W8A8", OURS)}


def save(figure: Figure, path: Path) -> None:
    """As SVG for the page and as PNG for the README, beside each other."""
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=130)
    plt.close(figure)


def _bare(axes: Axes) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def draw_comparison(inputs: Inputs, path: Path) -> None:
    """Milliseconds of a frame on a ZCU102, logarithmic, with both floors of our shape."""
    ours = inputs.frame(inputs.hardware, 1)
    rows = [(f"{d['name']} ({d['where'].split(',')[0]})", d["ms"], OTHERS) for d in inputs.published["moe"]
            if d["board"] == "ZCU102"]  # fmt: skip
    rows.append((f"this design, {ours['precision'].upper()}, counted", ours["ms"], OURS))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9, 2.7), layout="constrained")
        for place, (name, ms, colour) in enumerate(reversed(rows)):
            axes.barh(place, ms, color=colour, height=0.62, left=0)
            axes.annotate(f"{ms:.2f} ms", (ms, place), xytext=(5, 0), textcoords="offset points", va="center",
                          weight="bold" if colour == OURS else "normal")  # fmt: skip
            axes.annotate(name, (0, place), xytext=(-6, 0), textcoords="offset points", va="center", ha="right",
                          annotation_clip=False)  # fmt: skip
        floor = ours["memory_floor_cycles"] / ours["cycles"] * ours["ms"]
        axes.axvline(floor, color=INK, linestyle=":", linewidth=1.2)
        axes.set_ylim(-0.6, len(rows) - 0.1)
        axes.annotate(f"memory alone: {floor:.2f} ms", (floor, len(rows) - 0.4), xytext=(4, 0),
                      textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
        axes.set_yticks([])
        axes.set_xlabel(f"milliseconds per frame, one task, ZCU102 at {inputs.ablation['clock_mhz']} MHz")
        axes.set_xlim(0, max(ms for _, ms, _ in rows) * 1.12)
        _bare(axes)
        save(figure, path)


def draw_ladder(inputs: Inputs, path: Path) -> None:
    """Both ladders side by side."""
    rungs = inputs.ablation["ladder"]
    clock = inputs.ablation["clock_mhz"] * 1000
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", sharey=True)
        places = range(len(rungs))[::-1]
        for place, rung in zip(places, rungs, strict=True):
            ms, modelled = rung["cycles"] / clock, rung["modelled"] / clock
            left.barh(place, rung["paper_ms"], color=OTHERS, height=0.62)
            left.annotate(f"{rung['paper_ms']:.1f}", (rung["paper_ms"], place), xytext=(4, 0),
                          textcoords="offset points", va="center")  # fmt: skip
            right.barh(place, ms - modelled, color=OURS, height=0.62)
            right.barh(place, modelled, left=ms - modelled, color=SOFT, height=0.62)
            right.annotate(f"{ms:.2f}", (ms, place), xytext=(4, 0), textcoords="offset points", va="center")
        left.set_yticks(list(places), [rung["rung"] for rung in rungs])
        left.set_title("Edge-MoE's own machine, published: ms", fontsize=9.5)
        right.set_title(f"this machine: ms at {inputs.ablation['clock_mhz']} MHz", fontsize=9.5)
        right.legend(handles=[Patch(color=OURS, label="counted on the RTL"), Patch(color=SOFT, label="modelled")],
                     loc="lower right")  # fmt: skip
        for axes in (left, right):
            axes.set_xlim(0, axes.get_xlim()[1] * 1.08)
            _bare(axes)
        save(figure, path)


def draw_split(inputs: Inputs, path: Path) -> None:
    """Where the cycles of each kind of instruction go."""
    frame = inputs.frame(inputs.hardware, 1)
    kinds: dict[str, dict[str, int]] = {}
    for instruction in frame["instructions"]:
        total = kinds.setdefault(kind_of(instruction["label"]), dict.fromkeys(SPLIT, 0))
        for name, value in (instruction["split"] | {"other": instruction["other"]}).items():
            total[name] += value
    ordered = sorted(kinds.items(), key=lambda item: sum(item[1].values()))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(10, 0.36 * len(ordered) + 1.3), layout="constrained")
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
        _bare(axes)
        save(figure, path)


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


def draw_reads(inputs: Inputs, path: Path) -> None:
    """Vectors of keys and values read per step against queries in flight."""
    reads = inputs.ablation["reads"]
    tokens = sorted({read["tokens"] for read in reads})
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, len(tokens), figsize=(9, 3), layout="constrained", sharey=True)
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
        save(figure, path)


def _line(axes: Axes, places: range, values: Sequence[float], colour: str, label: str) -> None:
    axes.plot(list(places), values, "o-", color=colour, linewidth=2, label=label)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.3g}", (place, value), xytext=(0, 6), textcoords="offset points", ha="center",
                      fontsize=8)  # fmt: skip


def draw_layers(inputs: Inputs, path: Path) -> None:
    """Signal over error of the residual stream after each block, three arithmetics, first task."""
    layers = inputs.arithmetics["layers"]
    task = layers[0]["task"]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
        for name, (label, colour) in ARITHMETICS.items():
            rows = [row for row in layers if is_residual(row, name, task)]
            axes.plot(range(len(rows)), [row["sqnr_db"] for row in rows], "o-", color=colour, label=label, markersize=4)
            ticks = [row["tensor"].removeprefix("blocks.").replace(".residual", "") for row in rows]
        axes.set_xticks(range(len(ticks)), ticks, rotation=40, ha="right", fontsize=8)
        axes.set_ylabel("dB against float")
        axes.set_ylim(0)
        axes.grid(axis="y", color="#e8e8e8")
        axes.legend(ncols=3)
        save(figure, path)


def is_residual(row: Row, arithmetic: str, task: str) -> bool:
    """Whether a layer of the accuracy figures is the residual stream of this task in this arithmetic."""
    place = row["arithmetic"], row["task"], str(row["tensor"]).endswith(".residual")
    return place == (arithmetic, task, True)
