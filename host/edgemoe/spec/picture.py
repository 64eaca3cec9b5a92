"""What a picture is, wherever users hand one over: uint8 height×width×3 RGB; and its pixels as a model takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig

NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of pixels scaled to [0, 1], by the names that `edgemoe import --pixels` takes."""

_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)  # Rec. 601 in 16 bits, sum 65536, as Pillow's mode "L"


def require_array(picture: Any) -> None:
    """Raises ArgumentError, with how to make an array of it, for anything but a NumPy array."""
    if isinstance(picture, np.ndarray):
        return
    found = type(picture).__name__
    if hasattr(picture, "convert"):
        remedy = "np.asarray(picture.convert('RGB')) makes one of a Pillow image"
    elif isinstance(picture, str) or hasattr(picture, "__fspath__"):
        remedy = "edgemoe.media.pictures.read_picture(path) reads one from a file"
    else:
        remedy = "np.asarray(values, dtype=np.uint8) makes one of numbers"
    raise ArgumentError(f"a frame is a NumPy array, uint8 height×width×3 RGB, found {found}; {remedy}")


def require_picture(picture: Any) -> None:
    """Raises ArgumentError for anything but a NumPy array of uint8 height×width×3 with at least one pixel."""
    require_array(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ArgumentError(f"expected uint8 height×width×3, found {picture.dtype.name} {picture.shape}")


def model_pixels(frame: NDArray[np.uint8], model: ModelConfig) -> NDArray[np.uint8]:
    """uint8 H×W×3 RGB → uint8 H×W×picture_channels; grey pictures given as RGB stay exactly as they are."""
    if model.picture_channels == 3:
        return frame
    grey: NDArray[np.uint8] = ((frame.astype(np.uint32) @ _LUMA + 0x8000) >> 16).astype(np.uint8)
    return grey[:, :, None]
