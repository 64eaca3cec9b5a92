"""A drawing of one tensor's distribution with the limits of its grid; needs matplotlib, the extra `plots`."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from edgemoe.errors import EdgeMoeError
from edgemoe.extras import how_to_install
from edgemoe_golden.ranges import Histogram

INSIDE, OUTSIDE, LIMIT = "#3465a4", "#d6663c", "#be1e1e"
BARS = 480
SIZE, DPI = (9.6, 4.6), 100  # inches, pixels per inch
LIMIT_POINTS = 2 * 72 / DPI  # two pixels


class DrawingError(EdgeMoeError, RuntimeError):
    """There is nothing to draw with; the message says what to install."""


def draw_distribution(histogram: Histogram, low: float, high: float, title: str, remark: str) -> Image.Image:
    """Histogram with logarithmic counts; values outside the grid low … high in another colour, its limits as lines.

    Raises DrawingError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DrawingError(f"a drawing needs matplotlib; run: {how_to_install('plots')}") from error

    centres, counts = histogram.bins()
    left, right = min(histogram.low, low), max(histogram.high, high)
    edges = np.linspace(left, max(right, left + 1e-12), BARS + 1)
    middles = np.clip(centres, left, right)  # the outer bins begin before and end after what was seen
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    clipped = (middles < low) | (middles > high)
    for chosen, colour, name in ((~clipped, INSIDE, "on the grid"), (clipped, OUTSIDE, "clipped")):
        bars, _ = np.histogram(middles[chosen], edges, weights=counts[chosen])
        axes.stairs(bars, edges, fill=True, color=colour, label=name)
    for limit in (low, high):
        axes.axvline(limit, color=LIMIT, linewidth=LIMIT_POINTS, label="limits of the grid" if limit == low else None)
        axes.annotate(f"{limit:.3g}", (limit, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                      textcoords="offset points", ha="center", color=LIMIT)  # fmt: skip
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("value of the tensor")
    axes.set_ylabel("values seen, logarithmic")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"{title}\n{remark}; seen {histogram.low:.3g} to {histogram.high:.3g}", fontsize=10)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn)
