"""Video files and cameras through OpenCV, an optional extra that is imported only when it is needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.errors import MediaError, reason
from edgemoe.media.pictures import check_pixels
from edgemoe.spec.files import draft_folder

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")

# H.264 and VP9 play in browsers and notebooks; MPEG-4 part 2 is what every OpenCV can write.
CODECS = ("avc1", "vp09", "mp4v")


def load_opencv(purpose: str) -> Any:
    """Import cv2; raises MediaError saying how to install it. `purpose` starts the sentence."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise MediaError(f"{purpose} needs OpenCV, please run: pip install 'edgemoe[video]'") from error
    return cv2


@dataclass(frozen=True)
class VideoFacts:
    """What a container says about itself: frames (a claim, not a promise) and their rate, None if unknown."""

    length: int | None
    frames_per_second: float | None


def probe_video(path: Path) -> VideoFacts:
    """Open a video file and read its facts; raises MediaError when it cannot be opened or is too large."""
    cv2 = load_opencv("reading a video")
    capture = _open_file(cv2, path)
    try:
        length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        return VideoFacts(length if length > 0 else None, rate if 0 < rate <= 1000 else None)
    finally:
        capture.release()


def read_video(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame as uint8 H×W×3 RGB; raises MediaError when there is none."""
    cv2 = load_opencv("reading a video")
    yield from _frames(cv2, _open_file(cv2, path), f"'{path.name}' holds no frame that can be decoded")


def read_camera(index: int) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of camera `index` until the caller stops; raises MediaError without one, or when it is unplugged."""
    cv2 = load_opencv("reading a camera")
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"camera {index} cannot be opened; check that it is plugged in and free")
    yield from _frames(cv2, capture, f"camera {index} gives no frames; check that no other program uses it")
    raise MediaError(f"camera {index} stopped giving frames; check that it is still plugged in, then start again")


def _open_file(cv2: Any, path: Path) -> Any:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        known = ", ".join(suffix[1:] for suffix in VIDEO_SUFFIXES)
        raise MediaError(f"'{path.name}' cannot be read as a video (damaged or truncated?); accepted are {known}")
    try:
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        check_pixels(path.name, width, int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    except MediaError:
        capture.release()
        raise
    return capture


def _frames(cv2: Any, capture: Any, nothing: str) -> Iterator[NDArray[np.uint8]]:
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
        raise MediaError(nothing)


class VideoWriter:
    """Writes RGB frames of one size to a file that takes its name only when it is complete.

    Raises MediaError: OpenCV missing, no codec, a frame of another size, or a file that does not read back
    (OpenCV does not report a full disk, so `close` opens the file again and counts its frames).
    """

    def __init__(self, path: Path, frames_per_second: float, codecs: Sequence[str] = CODECS) -> None:
        self._cv2 = load_opencv("writing a video")
        self._path = path
        self._drafts = contextlib.ExitStack()  # holds the folder that the file grows in
        self._temporary = path
        self._rate = frames_per_second
        self._codecs = codecs
        self._writer: Any = None
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append one uint8 H×W×3 RGB frame; H and W even, as codecs need, and the same for every frame."""
        if self._writer is None:
            self._open(frame.shape)
        if frame.shape != self._shape:
            raise MediaError(f"'{self._path.name}': a frame of {frame.shape} after frames of {self._shape}")
        self._writer.write(self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR))
        self._count += 1

    def close(self) -> None:
        """Finish the file and give it its name; does nothing when no frame was written."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        with self._drafts:
            if self._readable_frames() != self._count:
                raise MediaError(f"'{self._path}' could not be written completely; check the space on its disk")
            try:
                self._temporary.replace(self._path)
            except OSError as error:
                raise MediaError(f"'{self._path}' cannot be written: {reason(error)}") from error

    def discard(self) -> None:
        """Drop everything written so far."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._drafts.close()

    def _open(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if height % 2 or width % 2:
                raise MediaError(f"'{self._path.name}': video frames need even sides, found {width}×{height}")
            self._temporary = self._drafts.enter_context(draft_folder(self._path.parent)) / self._path.name
        except OSError as error:
            raise MediaError(f"'{self._path.parent}' cannot be made: {reason(error)}") from error
        for codec in self._codecs:
            fourcc = self._cv2.VideoWriter_fourcc(*codec)
            writer = self._cv2.VideoWriter(str(self._temporary), fourcc, self._rate, (width, height))
            if writer.isOpened():
                self._writer, self._shape = writer, shape
                return
            writer.release()
        self._drafts.close()
        raise MediaError(f"'{self._path}' cannot be written with any of the codecs {', '.join(self._codecs)}")

    def _readable_frames(self) -> int:
        capture = self._cv2.VideoCapture(str(self._temporary))
        try:
            return int(capture.get(self._cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        finally:
            capture.release()
