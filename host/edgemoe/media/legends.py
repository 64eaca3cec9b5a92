"""What stands below the pictures of a panel: class legend, colour bar with ticks, load of the experts, facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.canvas import Canvas
from edgemoe.media.classes import ClassScore
from edgemoe.media.palette import DEPTH, ColourTable
from edgemoe.media.typeface import fit, text_width

TEXT = 16
SMALL = 13
_METRES = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200)


def class_legend(
    canvas: Canvas,
    x: int,
    y: int,
    width: int,
    labels: Sequence[str],
    shares: NDArray[np.float64],
    table: ColourTable,
    whole: bool = False,
    rows: int = 3,
) -> None:
    """Swatch, name and share of classes in the order of the model, on at most `rows` lines.

    whole: of all classes, else of those in the picture; where they are too many, of the largest.
    """
    named = [index for index in range(len(labels)) if whole or shares[index] > 0]
    names = [fit(label, TEXT, width - 120) for label in labels]
    # A share never needs more room than this, so that nothing moves when it changes.
    wide = [24 + text_width(name, TEXT) + 8 + text_width("100 %", TEXT) + 18 for name in names]
    shown = sorted(named, key=lambda index: (-shares[index], index))
    while _lines([wide[index] for index in sorted(shown)], width, len(named) - len(shown)) > rows:
        shown.pop()
    left, line = 0, 0
    for index in sorted(shown):
        if left and left + wide[index] - 18 > width:
            left, line = 0, line + 1
        top = y + line * 28
        percent = shares[index] * 100
        share = f"{percent:.0f} %" if percent >= 0.95 else "<1 %" if percent > 0 else ""
        there = percent > 0
        canvas.box(x + left, top, 16, 16, rgb(table[index]), 4)
        at = x + left + 24
        canvas.text(at, top + 14, names[index], TEXT, canvas.theme.ink if there else canvas.theme.faint)
        canvas.text(at + text_width(names[index], TEXT) + 8, top + 14, share, TEXT, canvas.theme.muted)
        left += wide[index]
    if len(shown) < len(named):
        more = f"+ {len(named) - len(shown)} more"
        if left + text_width(more, TEXT) > width:
            left, line = 0, line + 1
        canvas.text(x + left, y + line * 28 + 14, more, TEXT, canvas.theme.faint)


def _lines(widths: Sequence[int], width: int, left_out: int) -> int:
    """Lines that entries of these widths take, with the word about those left out."""
    extra = [text_width(f"+ {left_out} more", TEXT) + 18] if left_out else []
    left, lines = 0, 1
    for each in (*widths, *extra):
        if left and left + each - 18 > width:
            left, lines = 0, lines + 1
        left += each
    return lines


def rgb(colour: NDArray[np.uint8]) -> tuple[int, int, int]:
    """A row of a table of colours."""
    red, green, blue = (int(value) for value in colour)
    return red, green, blue


def colour_bar(canvas: Canvas, x: int, y: int, width: int, span: tuple[float, float], unit: str) -> None:
    """The depth colours over `span` with ticks: in metres when the unit is 1/m, else in the unit itself."""
    bar = np.repeat(DEPTH[np.linspace(0, 255, width).astype(np.intp)][None], 14, axis=0)
    canvas.picture(x, y, bar, 4)
    taken: list[tuple[float, float]] = []
    ticks = metre_ticks(span) if unit == "1/m" else value_ticks(span, unit)
    for value, label in ticks:
        half = text_width(label, TEXT) / 2
        at = (value - span[0]) / (span[1] - span[0]) * width
        middle = min(max(at, half), width - half)
        if any(middle - half < right + 14 and middle + half > left - 14 for left, right in taken):
            continue
        taken.append((middle - half, middle + half))
        mark = x + min(max(round(at), 1), width - 2)
        canvas.line(mark, y + 16, mark, y + 21, canvas.theme.faint)
        canvas.text(x + middle, y + 39, label, TEXT, canvas.theme.muted, "ms")


def metre_ticks(span: tuple[float, float]) -> list[tuple[float, str]]:
    """Ticks of inverse depth in 1/m, named by distance; the far end is `far` when it lies at 0 or below."""
    ticks = [(max(span[0], 0.0), "far")] if span[0] <= 0 else []
    ticks += [(1 / metres, f"{metres:g} m") for metres in _METRES if span[0] < 1 / metres <= span[1]]
    return ticks


def value_ticks(span: tuple[float, float], unit: str) -> list[tuple[float, str]]:
    """Ticks at round values (steps of 1, 2 or 5 times a power of ten), about five."""
    low, high = sorted(span)
    step = 10.0 ** np.floor(np.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5.5)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [(index * step, f"{index * step:.6g} {unit}".rstrip()) for index in range(first, last + 1)]


def load_bars(
    canvas: Canvas, x: int, y: int, width: int, counts: NDArray[np.int64], table: ColourTable, height: int = 40
) -> None:
    """A bar per expert: how many tokens chose it; numbers of experts below, of tokens above where there is room."""
    pitch = width / len(counts)
    numbered = pitch >= 22
    peak = max(int(counts.max()), 1)
    base = y + 16 + height
    canvas.line(x, base, x + width - 1, base, canvas.theme.line)
    for expert, count in enumerate(counts):
        left, right = round(x + expert * pitch), round(x + (expert + 1) * pitch)
        gap = max(1, round(pitch * 0.12))
        tall = round(int(count) / peak * height)
        canvas.box(left + gap, base - tall, right - left - 2 * gap, tall, rgb(table[expert]), 3)
        if numbered:
            middle = (left + right) / 2
            colour = canvas.theme.muted if count else canvas.theme.faint
            canvas.text(middle, base - tall - 5, str(int(count)), SMALL, colour, "ms")
            canvas.text(middle, base + 17, str(expert), SMALL, canvas.theme.ink if count else colour, "ms")
    said = "number of the expert, tokens that chose it" if numbered else f"tokens of experts 0 … {len(counts) - 1}"
    canvas.text(x + width / 2, base + 37, fit(said, SMALL, width), SMALL, canvas.theme.faint, "ms")


def class_bars(canvas: Canvas, x: int, y: int, width: int, height: int, classes: Sequence[ClassScore]) -> None:
    """The most likely classes, best first: name, probability, and a bar whose full width is certainty."""
    pitch = height // max(len(classes), 1)
    for index, each in enumerate(classes):
        base = y + index * pitch + pitch // 2
        ink = canvas.theme.ink if index == 0 else canvas.theme.muted
        percent = f"{100 * each.probability:.1f} %"
        canvas.text(x, base, fit(each.label, TEXT, width - text_width("100.0 %", TEXT) - 16), TEXT, ink)
        canvas.text(x + width, base, percent, TEXT, ink, "rs")
        canvas.box(x, base + 8, width, 8, canvas.theme.line, 4)
        if (filled := round(each.probability * width)) >= 2:
            canvas.box(x, base + 8, filled, 8, rgb(DEPTH[170]), 4)


def fact_list(canvas: Canvas, x: int, y: int, width: int, facts: Sequence[tuple[str, str]], pitch: int) -> None:
    """Lines of name and value, separated by fine rules; values are cut at `width`."""
    name_width = max(text_width(name, TEXT) for name, _ in facts) + 24
    for index, (name, value) in enumerate(facts):
        base = y + index * pitch + pitch // 2 + 6
        if index:
            canvas.line(x, y + index * pitch, x + width - 1, y + index * pitch, canvas.theme.line)
        canvas.text(x, base, name, TEXT, canvas.theme.muted)
        canvas.text(x + name_width, base, fit(value, TEXT, width - name_width), TEXT, canvas.theme.ink)
