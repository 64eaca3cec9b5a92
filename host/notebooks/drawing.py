"""What the notebooks draw: tables and bars as HTML in the colours of the page they stand on, the rest as pictures.

Pictures are what every viewer of notebooks shows; some leave styles out of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from edgemoe.media.canvas import LIGHT, Canvas
from edgemoe.media.typeface import text_width

Picture = NDArray[np.uint8]

PALETTE = ("#4c8dd6", "#e0893b", "#5aa469", "#b569c2", "#c9b037", "#d1605e", "#6cc0c4", "#8f8f8f")
_BAR = "width:380px;background:rgba(128,128,128,.16);text-align:left;line-height:0;white-space:nowrap"
_CELL = "padding:2px 12px 2px 0;border:0"
_TEXT, _LINE, _BOX, _GAP = 13, 22, 38, 14  # pixels


@dataclass(frozen=True, repr=False)
class _Shown:
    text: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.text):,} characters>"


class Html(_Shown):
    """HTML that Jupyter shows as the value of a cell."""

    def _repr_html_(self) -> str:
        return self.text


class Svg(_Shown):
    """A drawing that Jupyter shows as the value of a cell."""

    def _repr_svg_(self) -> str:
        return self.text


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """Rows under a header; columns of numbers, or of nothing, to the right, thousands separated."""
    columns = [[row[index] for row in rows] for index in range(len(header))]
    numeric = [all(isinstance(cell, int | float) or cell == "" for cell in column) for column in columns]
    sides = ["right" if each else "left" for each in numeric]

    def line(tag: str, cells: Sequence[object]) -> str:
        shown = (
            f'<{tag} style="{_CELL};text-align:{side};font-variant-numeric:tabular-nums">{_text(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{''.join(shown)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return Html(f'<table style="border-collapse:collapse">{line("th", header)}{body}</table>')


def bars(labels: Sequence[str], parts: Mapping[str, Sequence[float]], unit: str = "") -> Html:
    """A horizontal bar for each label, made of parts in the order given; the sum stands behind it."""
    sums = [sum(values) for values in zip(*parts.values(), strict=True)]
    widest = max(sums, default=0) or 1
    lines = []
    for index, label in enumerate(labels):
        pieces = "".join(
            f'<span title="{escape(name)}: {_text(values[index])}" style="display:inline-block;height:12px;'
            f'width:{100 * values[index] / widest:.2f}%;background:{colour}"></span>'
            for (name, values), colour in zip(parts.items(), PALETTE, strict=False)
        )
        track = f'<div style="{_BAR}">{pieces}</div>'
        total = f"{_text(sums[index])} {escape(unit)}"
        lines.append(f'<tr><td style="{_CELL};text-align:left">{escape(label)}</td>{_cell(track)}{_cell(total)}</tr>')
    return Html(f'{_legend(parts)}<table style="border-collapse:collapse">{"".join(lines)}</table>')


def heat_map(rows: Sequence[str], columns: Sequence[str], values: NDArray[np.integer], title: str) -> Image.Image:
    """A box for each of rows × columns counts, the darker the more, with its number; none stays empty."""
    left, top = max(text_width(name, _TEXT) for name in rows) + _GAP, 2 * _LINE + _GAP
    canvas = Canvas(left + _BOX * len(columns) + _GAP, top + _LINE * len(rows) + _GAP, LIGHT)
    canvas.text(left, _LINE - 4, title, _TEXT, canvas.theme.muted)
    for column, name in enumerate(columns):
        canvas.text(left + _BOX * (column + 0.5), 2 * _LINE, name, _TEXT, canvas.theme.muted, "ms")
    page, full, most = np.array(canvas.theme.page), np.array(ImageColor.getrgb(PALETTE[0])), max(int(values.max()), 1)
    for row, name in enumerate(rows):
        y = top + _LINE * row
        canvas.text(left - _GAP / 2, y + _LINE - 7, name, _TEXT, canvas.theme.ink, "rs")
        for column, value in enumerate(values[row].tolist()):
            red, green, blue = (page + (full - page) * value // most).tolist()
            canvas.box(left + _BOX * column, y, _BOX - 1, _LINE - 1, (red, green, blue), 3)
            canvas.text(left + _BOX * (column + 0.5), y + _LINE - 7, str(value or ""), _TEXT, canvas.theme.ink, "ms")
    return Image.fromarray(canvas.to_array())


def waveform(rows: Mapping[str, Sequence[object]], first: int = 0, marked: int | None = None, cell: int = 44) -> Svg:
    """Signals over cycles first, first + 1, …: levels where all values are 0 or 1, boxes with their values elsewhere.

    marked: a cycle to be shaded.
    """
    left, high, count = 150, 30, max(map(len, rows.values()))
    parts = []
    if marked is not None:
        at = left + (marked - first) * cell
        parts.append(f'<rect x="{at}" y="0" width="{cell}" height="{high * (len(rows) + 1)}" fill="#e0893b55"/>')
    for number, (name, values) in enumerate([("cycle", range(first, first + count)), *rows.items()]):
        top, bottom = high * number + 6, high * (number + 1) - 6
        parts.append(f'<text x="0" y="{bottom - 3}" fill="currentColor">{escape(name)}</text>')
        if number and set(values) <= {0, 1}:
            places = [(left + index * cell, bottom if not value else top) for index, value in enumerate(values)]
            line = " ".join(f"{x},{y} {x + cell},{y}" for x, y in places)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{PALETTE[0]}" stroke-width="2"/>')
            continue
        for index, value in enumerate(values):
            x = left + index * cell
            if number:
                box = f'x="{x}" y="{top}" width="{cell}" height="{bottom - top}"'
                parts.append(f'<rect {box} fill="none" stroke="{PALETTE[2]}"/>')
            centre = f'x="{x + cell / 2}" y="{bottom - 4}" text-anchor="middle"'
            parts.append(f'<text {centre} fill="currentColor">{value}</text>')
    size = f'width="{left + count * cell}" height="{high * (len(rows) + 1)}"'
    style = 'font-size="11" font-family="sans-serif"'
    return Svg(f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>')


def pictures(named: Mapping[str, Picture], width: int = 380) -> Image.Image:
    """Pictures side by side at one width, each with its caption; small ones are enlarged without smoothing."""
    heights = [round(picture.shape[0] * width / picture.shape[1]) for picture in named.values()]
    canvas = Canvas((width + _GAP) * len(named) - _GAP, max(heights) + _LINE + 4, LIGHT)
    for index, (caption, picture) in enumerate(named.items()):
        shown = Image.fromarray(picture).resize((width, heights[index]), Image.Resampling.NEAREST)
        canvas.picture((width + _GAP) * index, 0, np.asarray(shown))
        canvas.text((width + _GAP) * index, heights[index] + _LINE - 4, caption, _TEXT, canvas.theme.ink)
    return Image.fromarray(canvas.to_array())


def _cell(content: str) -> str:
    return f'<td style="{_CELL}">{content}</td>'


def _legend(parts: Mapping[str, Sequence[float]]) -> str:
    if len(parts) < 2:
        return ""
    entries = (
        f'<span style="margin-right:16px"><span style="display:inline-block;width:11px;height:11px;'
        f'background:{colour};margin-right:5px"></span>{escape(name)}</span>'
        for name, colour in zip(parts, PALETTE, strict=False)
    )
    return f"<div>{''.join(entries)}</div>"


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escape(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
