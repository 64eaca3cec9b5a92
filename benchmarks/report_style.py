"""How the charts look: one style, and colours that change with the reader's light or dark page."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")

INK, MUTED, LINE, PAGE = "#22272e", "#626b76", "#dfe3e8", "#ffffff"
BLUE, PALE_BLUE, STEEL = "#1f5fa8", "#9cc3ea", "#5b93cf"
GREY, PALE_GREY, FAINT = "#8a939e", "#b9bec6", "#e3e6ea"
ORANGE, YELLOW, GREEN, PURPLE, RED, TEAL = "#c2571a", "#e2b04a", "#3a7d44", "#8e5aa8", "#b03a48", "#2a8c8c"

DARK = {
    INK: "#e3e7ec", MUTED: "#a3adb8", LINE: "#363d45", PAGE: "#14171b",
    BLUE: "#5a9be6", PALE_BLUE: "#35618f", STEEL: "#3f78b5",
    GREY: "#77808b", PALE_GREY: "#5a626c", FAINT: "#424950",
    ORANGE: "#df7a3f", YELLOW: "#d9a840", GREEN: "#58a566", PURPLE: "#ae7cc8", RED: "#d0606d", TEAL: "#42abab",
}  # fmt: skip
"""Colour on a light page → on a dark one."""

STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgemoe",
}
FONT = f"'{STYLE['font.family']}'"  # which a reader may not have


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in the style of the report."""

    @functools.wraps(draw)
    def wrapper(*arguments: Arguments.args, **named: Arguments.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*arguments, **named)

    return wrapper


def without_left_edge(axes: Axes) -> None:
    """For bars that have their names there."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def save(figure: Figure, path: Path) -> None:
    """Write an SVG whose colours follow the reader's light or dark page; the same figure gives the same file."""
    drawn = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    path.write_text(themed(drawn.getvalue()), encoding="utf-8")


def themed(drawing: str) -> str:
    """Replace every colour of `DARK` in an SVG by a variable that has a value for either page."""
    names = {colour: f"--c{place}" for place, colour in enumerate(DARK)}
    light, dark = (
        "".join(f"{names[colour]}:{other}" + ";" for colour, other in pairs)
        for pairs in (((colour, colour) for colour in DARK), DARK.items())
    )
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub("|".join(DARK), lambda found: f"var({names[found[0]]})", drawing)
    drawing = drawing.replace(FONT, f"{FONT}, system-ui, sans-serif")
    return re.sub(r"<svg [^>]*>", lambda found: found[0] + style, drawing, count=1)
