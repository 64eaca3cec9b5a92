"""What stands below the pictures of a panel: class legend, colour bar with ticks, load of the experts, facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.canvas import Canvas, fit, text_width
from edgemoe.media.classes import ClassScore
from edgemoe.media.palette import DEPTH, ColourTable

TEXT = 16
SMALL = 13
_METRES = (0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200)


def class_legend(
    canvas: Canvas,
    x: int,
    y: int,
    width: int,
    labels: Sequence[str],
    shares: NDArray[np.float64],
    table: ColourTable,
    rows: int = 3,
) -> None:
    """Swatch, name and share of every class in the picture, largest first, on at most `rows` lines."""
    present = [int(index) for index in np.argsort(-shares, kind="stable") if shares[index] > 0]
    left, line = 0, 0
    for position, index in enumerate(present):
        percent = shares[index] * 100
        share = f"{percent:.0f} %" if percent >= 0.95 else "<1 %"
        name = fit(labels[index], TEXT, width - 120)
        needed = 24 + text_width(name, TEXT) + 8 + text_width(share, TEXT)
        remaining = len(present) - position
        more = text_width(f"+ {remaining} more", TEXT) + 22
        last_line_full = line == rows - 1 and remaining > 1 and left + needed + 22 + more > width
        if left and (left + needed > width or last_line_full):
            if line == rows - 1:
                canvas.text(x + left, y + line * 28 + 14, f"+ {remaining} more", TEXT, canvas.theme.faint)
                return
            left, line = 0, line + 1
        top = y + line * 28
        red, green, blue = (int(value) for value in table[index])
        canvas.box(x + left, top, 16, 16, (red, green, blue), 4)
        canvas.text(x + left + 24, top + 14, name, TEXT, canvas.theme.ink)
        canvas.text(x + left + needed, top + 14, share, TEXT, canvas.theme.muted, "rs")
        left += needed + 22


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
    canvas: Canvas, x: int, y: int, width: int, counts: NDArray[np.int64], table: ColourTable, height: int = 44
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
        red, green, blue = (int(value) for value in table[expert])
        canvas.box(left + gap, base - tall, right - left - 2 * gap, tall, (red, green, blue), 3)
        if numbered:
            middle = (left + right) / 2
            colour = canvas.theme.muted if count else canvas.theme.faint
            canvas.text(middle, base - tall - 5, str(int(count)), SMALL, colour, "ms")
            canvas.text(middle, base + 17, str(expert), SMALL, canvas.theme.ink if count else colour, "ms")


def class_bars(canvas: Canvas, x: int, y: int, width: int, height: int, classes: Sequence[ClassScore]) -> None:
    """The most likely classes, best first: name, probability, and a bar whose full width is certainty."""
    pitch = height // max(len(classes), 1)
    red, green, blue = (int(value) for value in DEPTH[170])
    for index, each in enumerate(classes):
        base = y + index * pitch + pitch // 2
        ink = canvas.theme.ink if index == 0 else canvas.theme.muted
        percent = f"{100 * each.probability:.1f} %"
        canvas.text(x, base, fit(each.label, TEXT, width - text_width("100.0 %", TEXT) - 16), TEXT, ink)
        canvas.text(x + width, base, percent, TEXT, ink, "rs")
        canvas.box(x, base + 8, width, 8, canvas.theme.line, 4)
        if (filled := round(each.probability * width)) >= 2:
            canvas.box(x, base + 8, filled, 8, (red, green, blue), 4)


def fact_list(canvas: Canvas, x: int, y: int, width: int, facts: Sequence[tuple[str, str]], pitch: int) -> None:
    """Lines of name and value, separated by fine rules; values are cut at `width`."""
    name_width = max(text_width(name, TEXT) for name, _ in facts) + 24
    for index, (name, value) in enumerate(facts):
        base = y + index * pitch + pitch // 2 + 6
        if index:
            canvas.line(x, y + index * pitch, x + width - 1, y + index * pitch, canvas.theme.line)
        canvas.text(x, base, name, TEXT, canvas.theme.muted)
        canvas.text(x + name_width, base, fit(value, TEXT, width - name_width), TEXT, canvas.theme.ink)
