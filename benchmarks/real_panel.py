"""The picture of `make real`: every measured photograph, and where float and both precisions look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_sources import NETWORK, NETWORK_IS, NETWORK_LICENCE, Photograph
from edgemoe.media.arrays import png_bytes
from edgemoe.media.canvas import DARK, Canvas, RGBPicture
from edgemoe.media.colours import apply_depth_colours
from edgemoe.media.figures import input_picture
from edgemoe.media.interpolate import upsample

if TYPE_CHECKING:
    from benchmarks.real import Agreement

SIDE = 300
MARGIN, GUTTER, HEAD, CAPTION, FOOT = 36, 16, 128, 34, 44
TITLES = {"w8a8": "W8A8, ours", "w16a16": "W16A16, ours"}
_LEVEL = 0.5
_VEIL = 0.25  # of the photograph where the map is 0


@dataclass(frozen=True)
class Row:
    """One photograph as the network saw it, its map in float, and ours by precision."""

    photograph: Photograph
    frame: RGBPicture
    theirs: NDArray[np.float32]
    ours: Mapping[str, NDArray[np.float32]]


def draw(rows: Sequence[Row], found: Sequence[Agreement], statement: str) -> bytes:
    """The page as PNG. statement: what was found on other engines, may be empty."""
    columns = ["Photograph", "Float, onnxruntime", *(TITLES[name] for name in rows[0].ours)]
    width = 2 * MARGIN + len(columns) * SIDE + (len(columns) - 1) * GUTTER
    pitch = SIDE + CAPTION + GUTTER
    canvas = Canvas(width, HEAD + len(rows) * pitch + FOOT, DARK)
    ink, muted, faint = DARK.ink, DARK.muted, DARK.faint
    canvas.text(MARGIN, 52, f"{NETWORK_IS}: pretrained, on photographs", 30, ink)
    licence = f"{NETWORK.name} {NETWORK.version}, {NETWORK_LICENCE}; calibrated on other photographs"
    canvas.text(MARGIN, 80, "  ·  ".join(part for part in (licence, statement) if part), 16, muted)
    for column, title in enumerate(columns):
        canvas.text(MARGIN + column * (SIDE + GUTTER), HEAD - 12, title, 18, ink)
    for index, row in enumerate(rows):
        y = HEAD + index * pitch
        pictures = [
            input_picture(row.frame, SIDE, SIDE),
            *(looked(row.frame, each) for each in (row.theirs, *row.ours.values())),
        ]
        for column, picture in enumerate(pictures):
            canvas.picture(MARGIN + column * (SIDE + GUTTER), y, picture, 8)
        base = y + SIDE + 22
        canvas.text(MARGIN, base, f"{row.photograph.author}, {row.photograph.licence}", 14, faint)
        for column, precision in enumerate(row.ours, start=2):
            own = next(e for e in found if (e.photograph, e.precision) == (row.photograph.name, precision))
            overlap = ", nothing to find" if own.overlap is None else f", IoU {own.overlap:.3f}"
            x = MARGIN + column * (SIDE + GUTTER)
            canvas.text(x, base, f"correlation {own.correlation:.4f}{overlap}", 14, muted)
    canvas.text(MARGIN, canvas.height - 20, f"Colour: the map from 0 (dark) to 1; white line: {_LEVEL}", 14, faint)
    return png_bytes(canvas.to_array())


def looked(frame: RGBPicture, values: NDArray[np.float32]) -> RGBPicture:
    """The photograph, brighter and tinted where the map is high, with a line where it crosses one half."""
    shown = np.clip(upsample(values, SIDE, SIDE), 0, 1)
    grey = input_picture(frame, SIDE, SIDE).astype(np.float32)
    tint = apply_depth_colours(shown, 0.0, 1.0).astype(np.float32)
    light = _VEIL + (1 - _VEIL) * shown[:, :, None]
    mixed = grey * light * 0.6 + tint * 0.4 * np.sqrt(shown[:, :, None]) + tint * 0.12
    inside = shown > _LEVEL
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] != inside[:-1]
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    mixed[edge] = 255
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)
