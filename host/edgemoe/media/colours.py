"""Colours of classes, experts and depth, distinct also for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.palette import CLASSES, DEPTH, EXPERTS, NAMED_CLASSES, ColourTable


def class_colours(labels: Sequence[str], classes: int) -> ColourTable:
    """Table uint8 classes×3: named colours for known labels; the others take those that are left, then CLASSES.

    Colours come again beyond 64 classes, of which more could not be told apart.
    """
    taken = {index: NAMED_CLASSES[label] for index, label in enumerate(labels) if label in NAMED_CLASSES}
    free = [colour for colour in NAMED_CLASSES.values() if colour not in taken.values()]
    left = np.concatenate([np.array(free, dtype=np.uint8).reshape(-1, 3), CLASSES])
    others = [index for index in range(classes) if index not in taken]
    table = np.zeros((classes, 3), dtype=np.uint8)
    for index, colour in taken.items():
        table[index] = colour
    table[others] = _first(left, len(others))
    return table


def expert_colours(experts: int) -> ColourTable:
    """Table uint8 experts×3 of distinct colours; they come again beyond 64."""
    return _first(EXPERTS, experts)


def apply_depth_colours(values: NDArray[np.floating], low: float, high: float) -> ColourTable:
    """Colour values h×w from `low` (cold) to `high` (warm, may be the smaller): uint8 h×w×3; NaN, ∞ mid-grey."""
    span = high - low or 1.0
    finite = np.isfinite(values)
    scaled = np.clip((np.where(finite, values, low) - low) / span, 0, 1)
    picture = DEPTH[np.rint(scaled * 255).astype(np.intp)]
    picture[~finite] = 128
    return picture


def _first(palette: ColourTable, count: int) -> ColourTable:
    """The first `count` colours, from the beginning again when there are no more."""
    return palette[np.arange(count) % len(palette)]
