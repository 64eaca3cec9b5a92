"""Whatever people hand over as a picture → uint8 H×W×3 RGB: an array, a Pillow image, a path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgemoe.errors import ArgumentError
from edgemoe.media.pictures import check_pixels, eight_bits, read_picture, to_rgb

TAKEN = "a frame is a path, a Pillow image or a NumPy array of uint8: height×width×3 RGB, ×4 RGBA, or height×width grey"

_GREY: dict[np.dtype[Any], Callable[[NDArray[Any]], NDArray[np.uint8]]] = {
    np.dtype(np.uint8): lambda grey: grey,
    np.dtype(np.uint16): eight_bits,
    np.dtype(np.bool_): lambda grey: grey.astype(np.uint8) * np.uint8(255),
}


def as_picture(value: Any) -> NDArray[np.uint8]:
    """uint8 H×W×3 RGB of any size.

    value: a path; a Pillow image, turned upright as its EXIF says; an array of H×W or H×W×1 grey (uint8, uint16, bool),
    H×W×3 RGB or H×W×4 RGBA (uint8), whose transparent parts are laid over white. Rows from the top, not copied where
    they need no change. Raises ArgumentError for anything else, MediaError for files that cannot be read.
    """
    if isinstance(value, str | os.PathLike):
        return read_picture(Path(os.fspath(value)))
    if isinstance(value, Image.Image):
        check_pixels("the picture", *value.size)
        return to_rgb(ImageOps.exif_transpose(value), "the picture")
    if isinstance(value, np.ndarray):
        return _from_array(value)
    raise ArgumentError(f"{TAKEN}; found {type(value).__name__}{_remedy(value)}")


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    found = f"{array.dtype.name} {array.shape}"
    if not array.size:
        raise ArgumentError(f"the frame is empty ({found}); {TAKEN}")
    grey = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    native = grey.dtype.newbyteorder("=")  # PNG and TIFF readers give big-endian numbers, too
    if grey.ndim == 2 and native in _GREY:
        return np.repeat(_GREY[native](grey.astype(native, copy=False))[:, :, None], 3, axis=2)
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] == 3:
        return array
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] == 4:
        return to_rgb(Image.fromarray(np.ascontiguousarray(array)), "the picture")
    raise ArgumentError(f"expected uint8 height×width×3 (×4 RGBA, or height×width grey), found {found}{_hint(array)}")


def _hint(array: NDArray[Any]) -> str:
    """What is probably meant, where that can be seen."""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        return "; channels come last: frame.transpose(1, 2, 0)"
    if array.ndim == 4:
        return "; give one picture at a time, or all of them to stream()"
    if np.issubdtype(array.dtype, np.floating):
        return "; values of 0 … 1 become (frame * 255).round().astype(numpy.uint8)"
    if array.dtype == np.uint16:
        return "; values of 16 bits become (frame >> 8).astype(numpy.uint8)"
    if np.issubdtype(array.dtype, np.integer) and array.dtype != np.uint8:
        return "; values of 0 … 255 become frame.astype(numpy.uint8)"
    return ""


def _remedy(value: Any) -> str:
    if hasattr(value, "permute"):
        return "; a torch tensor C×H×W of 0 … 1 becomes (frame.permute(1, 2, 0) * 255).byte().numpy()"
    if isinstance(value, bytes | bytearray) or hasattr(value, "read"):
        return "; PIL.Image.open reads an encoded picture from an open file, io.BytesIO(content) among them"
    if isinstance(value, list | tuple):
        return "; numpy.asarray(frame, dtype=numpy.uint8) makes an array of numbers, stream() takes many pictures"
    return ""
