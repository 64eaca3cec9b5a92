"""Any picture → the model's height×width, and maps of that size back onto the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgemoe.errors import ArgumentError
from edgemoe.media.interpolate import bilinear
from edgemoe.spec.picture import require_picture

MODES = ("crop", "stretch", "pad")

PAD_VALUE = 128
"""Grey of added borders: 0 after the −128 offset that the accelerator applies to pixels."""


@dataclass(frozen=True)
class Resized:
    """A picture at the model's size, and how it got there.

    frame: uint8 H×W×3 RGB.
    source: (height, width) of the original picture.
    box: (left, top, right, bottom) in original pixels, the part that was kept.
    inner: (left, top, right, bottom) in frame pixels, where that part lies (`pad`: smaller than the frame).
    statement: what was done, in words, e.g. `1920×1080 → crop 1920×960 → 256×128`.
    """

    frame: NDArray[np.uint8]
    source: tuple[int, int]
    box: tuple[int, int, int, int]
    inner: tuple[int, int, int, int]
    statement: str

    def to_source(self, values: NDArray[np.generic], fill: float) -> NDArray[np.generic]:
        """Map H×W values of the frame onto the original picture: original height×width, same type.

        Floats bilinear, integers nearest; what the crop left out gets `fill`.
        """
        left, top, right, bottom = self.box
        x0, y0, x1, y1 = self.inner
        inside = values[y0:y1, x0:x1]
        rows = (np.arange(bottom - top) + 0.5) * ((y1 - y0) / (bottom - top)) - 0.5
        columns = (np.arange(right - left) + 0.5) * ((x1 - x0) / (right - left)) - 0.5
        result = np.full(self.source, fill, dtype=values.dtype)
        if np.issubdtype(values.dtype, np.floating):
            part: NDArray[np.generic] = bilinear(inside.astype(np.float32), rows, columns)
        else:
            nearest_rows = np.floor(rows + 0.5).astype(np.intp)
            nearest_columns = np.floor(columns + 0.5).astype(np.intp)
            part = inside[nearest_rows[:, None], nearest_columns]
        result[top:bottom, left:right] = part
        return result


def resize(picture: NDArray[np.uint8], height: int, width: int, mode: str = "crop") -> Resized:
    """Bring uint8 h×w×3 RGB to height×width.

    `crop` keeps the aspect and the centre (the default), `stretch` keeps everything and changes the aspect, `pad`
    keeps both and adds grey borders. Shrinking is Lanczos with antialiasing, enlarging bicubic.
    Raises ArgumentError for an unknown mode or a picture that is not uint8 h×w×3 with a pixel.
    """
    if mode not in MODES:
        raise ArgumentError(f"resize mode '{mode}' is unknown; modes are {', '.join(MODES)}")
    require_picture(picture)
    source = (picture.shape[0], picture.shape[1])
    box = _centre(*source, height, width) if mode == "crop" else (0, 0, source[1], source[0])
    inner = _centre(height, width, *source) if mode == "pad" else (0, 0, width, height)
    frame = np.full((height, width, 3), PAD_VALUE, dtype=np.uint8)
    frame[inner[1] : inner[3], inner[0] : inner[2]] = _resample(picture, box, inner)
    return Resized(frame, source, box, inner, _statement(source, box, inner, height, width, mode))


def _centre(height: int, width: int, aspect_height: int, aspect_width: int) -> tuple[int, int, int, int]:
    """Largest centred box (left, top, right, bottom) in height×width of the aspect given."""
    if width * aspect_height >= height * aspect_width:
        box_height, box_width = height, max(1, round(height * aspect_width / aspect_height))
    else:
        box_height, box_width = max(1, round(width * aspect_height / aspect_width)), width
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def _resample(
    picture: NDArray[np.uint8], box: tuple[int, int, int, int], inner: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    part = picture[box[1] : box[3], box[0] : box[2]]
    height, width = inner[3] - inner[1], inner[2] - inner[0]
    if part.shape[:2] == (height, width):
        return part
    shrinks = part.shape[0] > height or part.shape[1] > width
    how = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((width, height), how))


def _statement(
    source: tuple[int, int],
    box: tuple[int, int, int, int],
    inner: tuple[int, int, int, int],
    height: int,
    width: int,
    mode: str,
) -> str:
    original = f"{source[1]}×{source[0]}"
    target = f"{width}×{height}"
    if source == (height, width):
        return f"{original}, unchanged"
    if mode == "stretch" and source[0] * width != source[1] * height:
        return f"{original} → stretch to {target}"
    if mode == "pad" and inner != (0, 0, width, height):
        return f"{original} → {inner[2] - inner[0]}×{inner[3] - inner[1]} → pad to {target}"
    if box != (0, 0, source[1], source[0]):
        return f"{original} → crop {box[2] - box[0]}×{box[3] - box[1]} → {target}"
    return f"{original} → {target}"
