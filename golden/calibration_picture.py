"""A drawing of one tensor's distribution with the limits of its grid."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edgemoe_golden.ranges import Histogram

WIDTH, HEIGHT = 960, 460
LEFT, RIGHT, TOP, BOTTOM = 84, 28, 84, 64
PAGE, INK, MUTED, LINE = (250, 249, 246), (24, 26, 32), (92, 97, 108), (222, 219, 212)
INSIDE, OUTSIDE, LIMIT = (52, 101, 164), (214, 102, 60), (190, 30, 30)
TICKS = 8


def draw_distribution(histogram: Histogram, low: float, high: float, title: str, remark: str) -> Image.Image:
    """Histogram with logarithmic counts; values outside the grid low … high in another colour, its limits as lines."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAGE)
    pen = ImageDraw.Draw(picture)
    left, right = min(histogram.low, low), max(histogram.high, high)
    span = max(right - left, 1e-12)
    left, right = left - 0.02 * span, right + 0.02 * span
    columns, rows = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    ground = HEIGHT - BOTTOM

    def across(value: float) -> float:
        return LEFT + (value - left) / (right - left) * (columns - 1)

    centres, counts = histogram.bins()
    column = np.rint((centres - left) / (right - left) * (columns - 1)).astype(np.int64)
    shown = (counts > 0) & (column >= 0) & (column < columns)
    bars = np.bincount(column[shown], weights=counts[shown], minlength=columns)
    decades = max(1, math.ceil(math.log10(bars.max() + 1)))
    heights = np.log10(bars + 1) / decades * rows

    for decade in range(decades + 1):
        y = ground - decade / decades * rows
        pen.line((LEFT, y, WIDTH - RIGHT, y), fill=LINE)
        label = "0" if decade == 0 else f"{10**decade:,}"
        pen.text((LEFT - 8, y), label, fill=MUTED, font=_font(13), anchor="rm")
    for place in np.flatnonzero(bars).tolist():
        value = left + place / (columns - 1) * (right - left)
        colour = INSIDE if low <= value <= high else OUTSIDE
        pen.line((LEFT + place, ground, LEFT + place, ground - float(heights[place])), fill=colour)
    step = _round_step((right - left) / TICKS)
    for index in range(math.ceil(left / step), math.floor(right / step) + 1):
        x = across(index * step)
        pen.line((x, ground, x, ground + 5), fill=MUTED)
        pen.text((x, ground + 9), f"{index * step:.4g}", fill=MUTED, font=_font(13), anchor="ma")
    for limit in (low, high):
        x = across(limit)
        pen.line((x, TOP - 8, x, ground), fill=LIMIT, width=2)
        pen.text((x, TOP - 10), f"{limit:.3g}", fill=LIMIT, font=_font(13), anchor="mb")
    pen.text((LEFT, 16), title, fill=INK, font=_font(18))
    pen.text((LEFT, 42), f"{remark}; seen {histogram.low:.3g} to {histogram.high:.3g}", fill=MUTED, font=_font(14))
    legend = "value of the tensor; upwards: how many values (logarithmic). Red lines: limits of the grid"
    pen.text((LEFT, HEIGHT - 26), legend, fill=MUTED, font=_font(13))
    return picture


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
