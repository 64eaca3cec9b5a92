"""Pixels as a model takes them: RGB as it comes, or its luma for models of one channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.model import ModelConfig

_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)  # Rec. 601 in 16 bits, sum 65536, as Pillow's mode "L"


def model_pixels(frame: NDArray[np.uint8], model: ModelConfig) -> NDArray[np.uint8]:
    """uint8 H×W×3 RGB → uint8 H×W×picture_channels; grey pictures given as RGB stay exactly as they are."""
    if model.picture_channels == 3:
        return frame
    grey: NDArray[np.uint8] = ((frame.astype(np.uint32) @ _LUMA + 0x8000) >> 16).astype(np.uint8)
    return grey[:, :, None]
