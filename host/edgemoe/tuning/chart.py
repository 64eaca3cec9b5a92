"""The picture of a search: time of a frame against the scarcest kind of cell. It brings its own light ground along."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.tuning.candidates import Candidate

INK, GROUND, LINE = "#22272e", "#ffffff", "#dfe3e8"
BEYOND, WITHIN, FRONTIER, CHOSEN, SHIPPED = "#b9bec6", "#5b93cf", "#1f5fa8", "#c2571a", "#3a7d44"
_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": GROUND,
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def drawn(
    title: str,
    judged: Sequence[Candidate],
    frontier: Sequence[Candidate],
    chosen: Candidate,
    shipped: Mapping[str, Candidate],
) -> bytes:
    """A PNG; shipped: shapes made by hand, by name. Raises ArgumentError where matplotlib is missing."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, NullFormatter
    except ImportError as error:
        raise ArgumentError(
            f"the picture needs matplotlib, which is not installed; run: {how_to_install('tune')}"
        ) from error
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.5, 5), layout="constrained")
        axes = figure.subplots()
        beyond = [each for each in judged if each.largest[1] > 1]
        within = [each for each in judged if each.largest[1] <= 1]
        for group, colour, name in ((beyond, BEYOND, "beyond the budget"), (within, WITHIN, "within the budget")):
            axes.plot(*_places(group), ".", color=colour, markersize=5, label=name)
        axes.plot(*_places(frontier), "o-", color=FRONTIER, markersize=5, linewidth=1.4, label="frontier")
        for array in dict.fromkeys(each.choice.array for each in frontier):
            first = next(each for each in frontier if each.choice.array == array)
            axes.annotate("×".join(map(str, array)), (first.milliseconds, 100 * first.largest[1]), xytext=(-5, -12),
                          textcoords="offset points", fontsize=8, color=FRONTIER, ha="right")  # fmt: skip
        for name, each in shipped.items():
            axes.plot(*_places([each]), "D", color=SHIPPED, markersize=7)
            axes.annotate(f"{name}, by hand", (each.milliseconds, 100 * each.largest[1]), xytext=(-9, -3),
                          textcoords="offset points", fontsize=8.5, color=SHIPPED, ha="right")  # fmt: skip
        axes.plot(*_places([chosen]), "*", color=CHOSEN, markersize=15, label="chosen")
        axes.axhline(100, color=INK, linewidth=1, linestyle="--")
        axes.set(xscale="log", xlabel="predicted milliseconds of a frame", title=title,
                 ylabel="of the budget, scarcest kind of cell, %", ylim=(0, 220))  # fmt: skip
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(
            NullFormatter() if _wide(judged) else FuncFormatter(lambda value, _: f"{value:g}")
        )
        axes.grid(visible=True)
        axes.legend(loc="upper right")
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()


def _places(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [each.milliseconds for each in candidates], [100 * each.largest[1] for each in candidates]


def _wide(candidates: Sequence[Candidate]) -> bool:
    """Whether ticks between powers of ten would touch."""
    times = [each.milliseconds for each in candidates]
    return max(times) > 30 * min(times)
