"""Cameras through OpenCV, an optional extra that is imported only when it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.extras import how_to_install
from edgemoe.media.errors import MediaError


def load_opencv() -> Any:
    """Import cv2; raises MediaError saying how to install it."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        import cv2
    except ImportError as error:
        raise MediaError(f"reading a camera needs OpenCV; run: {how_to_install('camera')}") from error
    return cv2


def read_camera(index: int) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of camera `index` until the caller stops; raises MediaError without one, or when it is unplugged."""
    cv2 = load_opencv()
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"camera {index} cannot be opened; check that it is plugged in and free")
    count = 0
    try:
        while True:
            there, picture = capture.read()
            if not there or picture is None:
                break
            count += 1
            yield np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
    if count == 0:
        raise MediaError(f"camera {index} gives no frames; check that no other program uses it")
    raise MediaError(f"camera {index} stopped giving frames; check that it is still plugged in, then start again")
