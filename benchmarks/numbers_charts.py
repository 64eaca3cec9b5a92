"""Pictures of `make numbers`: cycles against fidelity."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from benchmarks.numbers_settings import AFTER, ALL_W4, BEFORE, EXPERTS_W4, FINE, WIDE
from benchmarks.report_style import BLUE, GREEN, INK, ORANGE, styled

SINGLE = {
    BEFORE: ("s", ORANGE),
    WIDE: ("s", GREEN),
    FINE: ("D", GREEN),
    EXPERTS_W4: ("^", INK),
    ALL_W4: ("v", INK),
}


def draw_frontier(title: str, rows: Sequence[Mapping[str, Any]], key: str, label: str) -> Image.Image:
    """One point per setting: more cycles than all on 8 bits against a figure; the mixed ones are joined."""
    return _image(_frontier(title, rows, key, label))


@styled
def _frontier(title: str, rows: Sequence[Mapping[str, Any]], key: str, label: str) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    by_name = {row["setting"]: (100 * row["more_cycles"], row[key]) for row in rows}
    joined = [by_name[AFTER], *(point for name, point in by_name.items() if name.startswith("mixed"))]
    axes.plot(*zip(*joined, strict=True), "o-", color=BLUE, label="chosen within a budget, from 0 on")
    for name, (marker, colour) in SINGLE.items():
        if name in by_name:
            axes.plot(*by_name[name], marker, color=colour, label=name)
    axes.set(xlabel="more cycles of a frame than W8A8, predicted, %", ylabel=label)
    figure.suptitle(title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def one_above_the_other(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one width."""
    whole = Image.new("RGB", (pictures[0].width, sum(each.height for each in pictures)), "white")
    place = 0
    for each in pictures:
        whole.paste(each, (0, place))
        place += each.height
    return whole


def _image(figure: Figure) -> Image.Image:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return Image.open(content)
