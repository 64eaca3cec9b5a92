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
_FEW_NAMES = 20
_EMPTY, _INK = "#eceff3", "#3a424c"


def draw_choice(config: ModelConfig, chosen: Chosen) -> Image.Image:
    """Left: a square per block and tensor, filled where it has 16 bits. Right: what each gained.

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
    names = [choice.name.removeprefix("blocks.") for choice in chosen.choices]
    gains = [10 * np.log10(choice.before / choice.noise) for choice in chosen.choices]
    steps.barh(names, gains, color=OUTSIDE)
    steps.invert_yaxis()
    steps.tick_params(axis="y", labelsize=8 if len(names) <= _FEW_NAMES else 5)
    steps.set_xlabel("gain of the residual stream's SQNR, mean over blocks, dB")
    steps.set_title("in the order taken, each alone beside those of earlier rounds", fontsize=10, color=_INK)
    for axes in (squares, steps):
        axes.spines[["top", "right"]].set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn)


def _square(column: int, row: int, colour: str) -> object:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.42, row - 0.42), 0.84, 0.84, color=colour)
