"""A drawing surface with one typeface, rounded shapes and themes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edgemoe.media.typeface import runs, text_width

Colour = tuple[int, int, int]
RGBPicture = NDArray[np.uint8]


@dataclass(frozen=True)
class Theme:
    """Colours of a panel: page, raised areas, text in three weights, and lines."""

    page: Colour
    raised: Colour
    ink: Colour
    muted: Colour
    faint: Colour
    line: Colour


DARK = Theme((15, 17, 22), (27, 30, 38), (240, 242, 246), (160, 167, 180), (112, 119, 134), (50, 55, 66))
LIGHT = Theme((250, 249, 246), (238, 236, 231), (24, 26, 32), (92, 97, 108), (138, 143, 153), (214, 211, 204))


class Canvas:
    """An RGB page; coordinates in pixels from the top left."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.theme = theme
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width, height), theme.page)
        self._draw = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, size: int, colour: Colour, anchor: str = "ls") -> None:
        """Write one line; `anchor`: `ls` is left on the baseline, `ms` its middle, `rs` its right end."""
        x -= {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * text_width(text, size)
        for part, each in runs(text, size):
            self._draw.text((x, y), part, font=each, fill=colour, anchor=f"l{anchor[1]}")
            x += each.getlength(part)

    def line(self, x0: int, y0: int, x1: int, y1: int, colour: Colour) -> None:
        """Draw a line of one pixel."""
        self._draw.line((x0, y0, x1, y1), fill=colour)

    def box(self, x: int, y: int, width: int, height: int, colour: Colour, radius: int = 0) -> None:
        """Fill a rectangle with smoothly rounded corners; draws nothing when it has no area."""
        if width < 1 or height < 1:
            return
        mask = rounded_mask(width, height, min(radius, width // 2, height // 2))
        self._image.paste(colour, (x, y), mask)

    def picture(self, x: int, y: int, picture: RGBPicture, radius: int = 0) -> None:
        """Place uint8 h×w×3 with its top left at (x, y), corners rounded."""
        height, width = picture.shape[:2]
        mask = rounded_mask(width, height, min(radius, width // 2, height // 2))
        self._image.paste(Image.fromarray(picture), (x, y), mask)

    def to_array(self) -> RGBPicture:
        """The page as uint8 height×width×3."""
        return np.array(self._image, dtype=np.uint8)


@lru_cache(maxsize=256)
def rounded_mask(width: int, height: int, radius: int) -> Image.Image:
    """Coverage mask (mode L) of a rounded rectangle; corners are antialiased by 4×4 samples."""
    mask = Image.new("L", (width, height), 255)
    if radius < 1:
        return mask
    side = np.arange(radius * 4) + 0.5
    inside = (side[:, None] - radius * 4) ** 2 + (side[None, :] - radius * 4) ** 2 <= (radius * 4) ** 2
    share = inside.reshape(radius, 4, radius, 4).mean(axis=(1, 3))
    corner = np.rint(share * 255).astype(np.uint8)
    for flip_y, y in ((False, 0), (True, height - radius)):
        for flip_x, x in ((False, 0), (True, width - radius)):
            turned = corner[::-1] if flip_y else corner
            turned = turned[:, ::-1] if flip_x else turned
            mask.paste(Image.fromarray(np.ascontiguousarray(turned)), (x, y))
    return mask
