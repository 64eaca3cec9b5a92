"""Which activations got 16 bits, block by block, and what each bought; needs matplotlib, the extra `plots`."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from edgemoe.extras import how_to_install
from edgemoe.spec.calibration import mixable_activations
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.budget.search import Chosen
from edgemoe_golden.calibration_picture import DPI, INSIDE, OUTSIDE, DrawingError

PARTS = ("norm1", "qkv", "attention", "norm2", "hidden")
_EMPTY, _INK = "#eceff3", "#3a424c"


def draw_choice(config: ModelConfig, chosen: Chosen) -> Image.Image:
    """Left: a square per block and tensor, filled where it has 16 bits. Right: noise against cycles as they were taken.

    Raises DrawingError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DrawingError(f"a drawing needs matplotlib; run: {how_to_install('plots')}") from error
    figure = Figure(figsize=(10.4, 1.6 + 0.3 * config.depth), dpi=DPI, layout="constrained")
    squares, steps = figure.subplots(1, 2, width_ratios=(2, 3))
    wide = {name: name in chosen.tuned.calibration.wide for name in mixable_activations(config)}
    for index in range(config.depth):
        for column, part in enumerate(PARTS):
            colour = INSIDE if wide[f"blocks.{index}.{part}"] else _EMPTY
            squares.add_patch(_square(column, index, colour))
    squares.set(xlim=(-0.6, len(PARTS) - 0.4), ylim=(config.depth - 0.4, -0.6), ylabel="block")
    squares.set_xticks(range(len(PARTS)), PARTS, rotation=30, ha="right", rotation_mode="anchor")
    squares.set_yticks(range(config.depth))
    squares.set_title("16 bits" if any(wide.values()) else "no tensor has 16 bits", fontsize=10, color=_INK)
    more = [100 * (choice.cycles / chosen.base_cycles - 1) for choice in chosen.choices]
    noise = [-10 * np.log10(choice.noise) for choice in chosen.choices]
    steps.plot(more, noise, "o-", color=OUTSIDE, markersize=4)
    steps.set(xlabel="more cycles than all on 8 bits, %", ylabel="mean SQNR of the residual stream, dB")
    steps.set_title("as they were taken, each alone beside those of earlier rounds", fontsize=10, color=_INK)
    for axes in (squares, steps):
        axes.spines[["top", "right"]].set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn)


def _square(column: int, row: int, colour: str) -> object:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.42, row - 0.42), 0.84, 0.84, color=colour)
