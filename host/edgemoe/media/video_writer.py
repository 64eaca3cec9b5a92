"""Writing a video at the time stamps of its frames, through PyAV."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.errors import MediaError, reason
from edgemoe.media.video import load_pyav
from edgemoe.spec.files import draft_folder

# H.264 plays everywhere; MPEG-4 part 2 is what every build of FFmpeg can write.
CODECS = ("libx264", "libopenh264", "mpeg4")
_CLOCK = 60_000  # ticks per second: exact for 24, 25, 29.97, 30 and 60 frames; MPEG-4 takes no more than 65,535


class VideoWriter:
    """Writes RGB frames of one size to a file that takes its name only when it is complete.

    Raises MediaError: PyAV missing, no codec, a frame of another size, no space, or a file that does not read back.
    """

    def __init__(self, path: Path, frames_per_second: float, codecs: Sequence[str] = CODECS) -> None:
        self._av = load_pyav("writing a video")
        self._path = path
        self._drafts = contextlib.ExitStack()  # holds the folder that the file grows in
        self._temporary = path
        self._rate = Fraction(frames_per_second).limit_denominator(1001)
        self._codecs = codecs
        self._container: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._tick = -1
        self._count = 0

    def write(self, frame: NDArray[np.uint8], seconds: float | None = None) -> None:
        """Append one uint8 H×W×3 RGB frame; H and W even, as codecs need, and the same for every frame.

        seconds: when it is to be shown, after the frame before it; None: at the writer's rate.
        """
        if self._container is None:
            self._open(frame.shape)
        if frame.shape != self._shape:
            raise MediaError(f"'{self._path.name}': a frame of {frame.shape} after frames of {self._shape}")
        due = self._count / self._rate if seconds is None else Fraction(seconds)
        self._tick = max(round(due * _CLOCK), self._tick + 1)
        picture = self._av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture.pts, picture.time_base = self._tick, Fraction(1, _CLOCK)
        self._encode(picture)
        self._count += 1

    def close(self) -> None:
        """Finish the file and give it its name; does nothing when no frame was written."""
        if self._container is None:
            return
        self._encode(None)
        self._release()
        with self._drafts:
            if self._readable_frames() != self._count:
                raise MediaError(f"'{self._path}' could not be written completely; check the space on its disk")
            try:
                self._temporary.replace(self._path)
            except OSError as error:
                raise self._unwritten(error) from error

    def discard(self) -> None:
        """Drop everything written so far."""
        if self._container is not None:
            with contextlib.suppress(MediaError):
                self._release()
        self._drafts.close()

    def _encode(self, picture: Any) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except (OSError, self._av.FFmpegError) as error:
            raise self._unwritten(error) from error

    def _release(self) -> None:
        container, self._container = self._container, None
        try:
            container.close()
        except (OSError, self._av.FFmpegError) as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: Any) -> MediaError:
        return MediaError(f"'{self._path}' cannot be written: {reason(error)}")

    def _open(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if height % 2 or width % 2:
                raise MediaError(f"'{self._path.name}': video frames need even sides, found {width}×{height}")
            self._temporary = self._drafts.enter_context(draft_folder(self._path.parent)) / self._path.name
            codec = self._codec()
            self._container = self._av.open(str(self._temporary), "w", options={"movflags": "faststart"})
        except OSError as error:
            self._drafts.close()
            raise MediaError(f"'{self._path.parent}' cannot be made: {reason(error)}") from error
        stream = self._container.add_stream(codec, rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _CLOCK)
        stream.bit_rate = 8_000_000 if codec == "mpeg4" else 0
        if codec == "libx264":
            stream.options = {"crf": "18", "preset": "medium", "bf": "0"}
        self._stream, self._shape = stream, shape

    def _codec(self) -> str:
        for name in self._codecs:
            if name in self._av.codecs_available:
                return name
        self._drafts.close()
        raise MediaError(f"'{self._path}' cannot be written with any of the codecs {', '.join(self._codecs)}")

    def _readable_frames(self) -> int:
        try:
            with self._av.open(str(self._temporary)) as container:
                return int(container.streams.video[0].frames)
        except (OSError, self._av.FFmpegError):
            return 0
