"""Pictures of build/reports/scaling.json: cycles and bytes against every size, and a roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.report_style import BLUE, GREEN, INK, ORANGE, PAGE, styled

Report = Mapping[str, Any]
Points = Sequence[Mapping[str, Any]]

PANELS = {
    "tokens": "tokens",
    "experts": "experts per MoE block",
    "tasks": "tasks of one frame, together",
    "top-k": "experts per token (top-k)",
    "MACs": "multiply-accumulates per cycle",
    "bandwidth": "memory, bytes per cycle",
}
BYTE_PANELS = ("tokens", "experts", "tasks")  # the others leave the bytes as they are
ONE, TWO, TOGETHER, ROOF = BLUE, ORANGE, GREEN, INK
COLOURS = {"one task": ONE, "two tasks": TWO, "together": TOGETHER}
FLOORS: dict[str, Literal["--", ":"]] = {"MAC": "--", "memory": ":"}
NEAR = 1.2  # tick labels closer than this ratio would touch


@styled
def draw_cycles(report: Report) -> Figure:
    """Predicted cycles and both floors, one panel per size that varies."""
    figure = Figure(figsize=(12, 7.4), layout="constrained")
    grid = figure.subplots(2, 3)
    for axes, (sweep, label) in zip(grid.flat, PANELS.items(), strict=True):
        for colour, line in _lines(report, sweep):
            _marked(axes, line, [point["cycles"] / 1e3 for point in line], colour)
            for name, style in FLOORS.items():
                floor = [point[f"{name.lower()}_floor"] / 1e3 for point in line]
                axes.plot([point["value"] for point in line], floor, style, color=colour, linewidth=1.3)
        _scales(axes, report, sweep, logarithmic=sweep in ("tokens", "MACs", "bandwidth"))
        axes.set_xlabel(label)
    for axes in grid[:, 0]:
        axes.set_ylabel("thousand cycles")
    _finish(figure, report, "Predicted cycles of one frame", floors=True)
    return figure


@styled
def draw_bytes(report: Report) -> Figure:
    """Bytes moved, for the sizes that change them."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    grid = figure.subplots(1, 3)
    for axes, sweep in zip(grid, BYTE_PANELS, strict=True):
        for colour, line in _lines(report, sweep):
            _marked(axes, line, [_moved(point) / 1e6 for point in line], colour)
        _scales(axes, report, sweep, logarithmic=False)
        axes.set_xlabel(PANELS[sweep])
    grid[0].set_ylabel("million bytes moved")
    _finish(figure, report, "Bytes moved by one frame; the other sizes leave them as they are")
    return figure


@styled
def draw_roofline(report: Report) -> Figure:
    """Multiply-accumulates per cycle against those per byte of the weight stream, under the roof of the base build."""
    base = next(point for point in report["points"] if point["sweep"] == "tasks")
    peak, rate = base["macs_per_cycle"], base["bytes_per_cycle"]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    grid = figure.subplots(1, 3, sharey=True)
    for axes, sweep in zip(grid, BYTE_PANELS, strict=True):
        axes.plot([5, peak / rate, 2000], [5 * rate, peak, peak], color=ROOF, linewidth=2)
        for colour, line in _lines(report, sweep):
            if colour != TWO:  # the tasks have a panel of their own
                _roofline_points(axes, line, colour)
        axes.set(xscale="log", yscale="log", xlim=(8, 1500), ylim=(300, 3000), xlabel="operations per byte of weights")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.set_yticks([500, 1000, 2000], ["500", "1,000", "2,000"])
        axes.set_xticks([10, 100, 1000], ["10", "100", "1,000"])
        axes.set_title(f"varied: {PANELS[sweep]}", fontsize=9)
    grid[0].set_ylabel("operations (multiply-accumulates) per cycle")
    roof = f"Roofline ({peak:,} operations and {rate:g} bytes per cycle), predicted"
    _finish(figure, report, roof, two_tasks=False)
    return figure


def _moved(point: Mapping[str, Any]) -> float:
    return float(point["bytes_read"] + point["bytes_written"])


def _lines(report: Report, sweep: str) -> list[tuple[str, Points]]:
    """(colour, points) of every series of a sweep."""
    points = [point for point in report["points"] if point["sweep"] == sweep]
    series = dict.fromkeys(point["series"] for point in points)
    return [(COLOURS[name], [point for point in points if point["series"] == name]) for name in series]


def _marked(axes: Axes, line: Points, heights: Sequence[float], colour: str) -> None:
    values = [point["value"] for point in line]
    axes.plot(values, heights, color=colour, linewidth=1.8)
    for value, height, point in zip(values, heights, line, strict=True):
        axes.plot(value, height, "o", color=colour, markersize=5.5, markerfacecolor=_face(point, colour))


def _face(point: Mapping[str, Any], colour: str) -> str:
    return PAGE if point["too_small"] else colour


def _roofline_points(axes: Axes, line: Points, colour: str) -> None:
    for point, after in zip(line, [*line[1:], None], strict=True):
        x = point["macs"] / (point["memory_floor"] * point["bytes_per_cycle"])
        y = point["macs"] / point["cycles"]
        axes.plot(x, y, "o", color=colour, markersize=6, markerfacecolor=_face(point, colour))
        if after is None or after["value"] / point["value"] > NEAR:
            text = f"{point['value']:g}"
            axes.annotate(
                text, (x, y), textcoords="offset points", xytext=(5, -14), color=colour, fontsize=8, ha="center"
            )


def _scales(axes: Axes, report: Report, sweep: str, logarithmic: bool) -> None:
    values = sorted({point["value"] for point in report["points"] if point["sweep"] == sweep})
    if sweep not in ("top-k", "tasks"):
        axes.set_xscale("log", base=2)
        values = [v for v, after in zip(values, [*values[1:], float("inf")], strict=True) if after / v > NEAR]
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: f"{value:,.0f}" if f"{value:g}"[0] in "25" else "")
        )
    else:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_minor_formatter(NullFormatter())


def _finish(figure: Figure, report: Report, title: str, floors: bool = False, two_tasks: bool = True) -> None:
    """Title, and one legend for all panels."""
    for axes in figure.axes:
        axes.grid(visible=True)
    names = {"one task": ONE} | ({"two tasks": TWO} if two_tasks else {}) | {"tasks of a frame together": TOGETHER}
    keys = [Line2D([], [], color=colour, marker="o", label=name) for name, colour in names.items()]
    if floors:
        keys += [Line2D([], [], color=ROOF, linestyle=style, label=f"{name} floor") for name, style in FLOORS.items()]
    beyond = "beyond the build's buffers"
    keys.append(Line2D([], [], color=ROOF, marker="o", markerfacecolor=PAGE, linestyle="", label=beyond))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    figure.suptitle(f"{title}: '{report['model']}' on '{report['hardware']}', {report['precision']}")
