"""Reading video files through PyAV, an optional extra that is imported only when it is needed.

Files are untrusted: only containers that hold their own pictures are opened, none that names other files or addresses.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgemoe.extras import how_to_install
from edgemoe.media.errors import MediaError, reason
from edgemoe.media.pictures import check_pixels

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")

_KNOWN = ", ".join(suffix[1:] for suffix in VIDEO_SUFFIXES)
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegvideo,mpegts"
_TRACK_DURATION = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")  # in Matroska, which does not count its frames
_FRAMES_OFF = 2  # that a duration may be off: its last frame has no length of its own


def load_pyav(purpose: str) -> Any:
    """Import av; raises MediaError saying how to install it. `purpose` starts the sentence."""
    try:
        import av
    except ImportError as error:
        raise MediaError(f"{purpose} needs PyAV; run: {how_to_install('video')}") from error
    av.logging.set_level(None)
    return av


@dataclass(frozen=True)
class VideoFacts:
    """What a container says about itself.

    length: frames (a claim, not a promise). frames_per_second: the mean rate. Both None if unknown.
    sound: whether there is any; nothing here uses it.
    """

    length: int | None
    frames_per_second: float | None
    sound: bool


class VideoFrame(NamedTuple):
    """seconds: the time stamp of the file, counted from its first frame. picture: uint8 H×W×3 RGB, upright."""

    seconds: float
    picture: NDArray[np.uint8]


def probe_video(path: Path) -> VideoFacts:
    """Open a video file and read its facts; raises MediaError when it cannot be opened or is too large."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 0)
        length = stream.frames or round(float(container.duration or 0) / 1e6 * rate)
        return VideoFacts(length or None, rate if 0 < rate <= 1000 else None, bool(container.streams.audio))


def read_video(path: Path) -> Iterator[VideoFrame]:
    """Yield every frame. Raises MediaError at once when there is none, and at the end when the file held fewer than it
    says, because it was cut off or is damaged: what could be read has been given by then.
    """
    av = load_pyav("reading a video")
    given = packets = damaged = 0
    first: float | None = None
    seconds = end = 0.0
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for packet in _packets(av, container, stream):
            packets += packet.size > 0
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                damaged += frame.is_corrupt
                # A file without time stamps is taken at its rate.
                stamp = given / float(stream.average_rate or 25) if frame.time is None else float(frame.time)
                first = stamp if first is None else first
                seconds = max(stamp - first, seconds)
                end = stamp + float(frame.duration or 0) * float(frame.time_base or 0)
                given += 1
                yield VideoFrame(seconds, _upright(frame))
        missing = _missing(stream, packets, end)
    if given == 0:
        raise MediaError(f"'{path.name}' holds no frame that can be decoded")
    if missing or damaged:
        said = f"'{path.name}' is cut off or damaged: {given} frame{'s' if given != 1 else ''} could be read"
        raise MediaError(f"{said}{missing or f', {damaged} of them in part or not at all'}; copy it again")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container of a file that holds a video stream of a size that can be taken."""
    av = load_pyav("reading a video")
    unreadable = f"'{path.name}' cannot be read as a video (damaged or truncated?); accepted are {_KNOWN}"
    try:
        # An open file instead of its name: FFmpeg then follows no other name that stands in it.
        with path.open("rb") as file, av.open(file, options={"format_whitelist": _CONTAINERS}) as container:
            _require_pictures(container, path.name)
            yield container
    except MediaError:
        raise
    except Exception as error:
        # PyAV raises many kinds on damaged files, also UnicodeDecodeError; its own may be OSError or MemoryError, too.
        if not isinstance(error, av.FFmpegError) and isinstance(error, OSError) and path.stat().st_size:
            raise MediaError(f"'{path.name}' cannot be read: {reason(error)}") from error
        raise MediaError(unreadable) from error


def _require_pictures(container: Any, name: str) -> None:
    if not container.streams.video:
        raise MediaError(f"'{name}' holds sound and no pictures; accepted are videos: {_KNOWN}")
    codec = container.streams.video[0].codec_context
    check_pixels(name, codec.width, codec.height)


def _packets(av: Any, container: Any, stream: Any) -> Iterator[Any]:
    """Packets up to the end, or up to where the container is damaged."""
    with contextlib.suppress(av.FFmpegError):
        yield from container.demux(stream)


def _upright(frame: Any) -> NDArray[np.uint8]:
    """As it is to be shown: telephones store pictures as the sensor lies and say how to turn them."""
    picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))


def _missing(stream: Any, packets: int, end: float) -> str:
    """What a container says that its pictures are beyond what was in it; empty when nothing is missing."""
    if stream.frames > packets:
        return f" of the {stream.frames} that it says it holds"
    stated = _TRACK_DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if stated:
        hours, minutes, seconds = (float(part) for part in stated.groups())
        length = 3600 * hours + 60 * minutes + seconds
        if length > end + _FRAMES_OFF / float(stream.average_rate or 25):
            return f", {end:.1f} s of the {length:.1f} s that it says it holds"
    return ""
