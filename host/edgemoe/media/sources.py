"""Where frames come from: a picture, a folder of pictures, a video file or a camera."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.errors import MediaError, reason
from edgemoe.media.pictures import PICTURE_SUFFIXES, read_picture
from edgemoe.media.video import VIDEO_SUFFIXES, probe_video, read_camera, read_video

INPUTS = "give a picture, a folder of pictures, a video file or camera:0"


class SourceFrame(NamedTuple):
    """One frame as it came: a name for its files, and the picture, uint8 H×W×3 RGB of any size."""

    name: str
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class FrameSource:
    """An input that can be iterated once or more; frames are read one at a time.

    kind: `picture`, `folder`, `video` or `camera`.
    description: the input in words, for reports.
    length: number of frames for a progress bar; None when unknown. A video's is what its file claims.
    frames_per_second: of a video when known, else None.
    """

    kind: str
    description: str
    length: int | None
    frames_per_second: float | None
    open_frames: Callable[[], Iterator[SourceFrame]]

    def __iter__(self) -> Iterator[SourceFrame]:
        return self.open_frames()


def open_source(text: str | Path) -> FrameSource:
    """Find out what INPUT is: `camera:N`, a folder, a video file (by its suffix), or else a picture.

    Raises MediaError at once for what is missing, for folders without pictures and for videos that cannot be
    opened; a damaged picture is reported when its turn comes.
    """
    camera = re.fullmatch(r"camera:(\d{1,3})", str(text))
    if camera:
        return _camera(int(camera.group(1)))
    if str(text).startswith("camera:"):
        raise MediaError(f"'{text}' names no camera; write camera:0 for the first one")
    path = Path(text)
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            raise MediaError(f"'{path}' does not exist; {INPUTS}")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise MediaError(f"'{path}' cannot be read: {why}") from error
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _video(path)
    return FrameSource("picture", str(path), 1, None, lambda: _read_pictures([path]))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `frame2` before `frame10`; letters without regard to case."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def _read_pictures(paths: Iterable[Path]) -> Iterator[SourceFrame]:
    for path in paths:
        yield SourceFrame(path.stem, read_picture(path))


def _folder(path: Path) -> FrameSource:
    pictures = [
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in PICTURE_SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    ]
    if not pictures:
        known = ", ".join(suffix[1:] for suffix in PICTURE_SUFFIXES)
        raise MediaError(f"folder '{path}' holds no pictures; files that end in {known} are read")
    pictures.sort(key=lambda entry: (natural_key(entry.name), entry.name))
    return FrameSource("folder", str(path), len(pictures), None, lambda: _read_pictures(pictures))


def _video(path: Path) -> FrameSource:
    facts = probe_video(path)

    def frames() -> Iterator[SourceFrame]:
        for number, picture in enumerate(read_video(path)):
            yield SourceFrame(f"{path.stem}-{number:06d}", picture)

    return FrameSource("video", str(path), facts.length, facts.frames_per_second, frames)


def _camera(index: int) -> FrameSource:
    def frames() -> Iterator[SourceFrame]:
        for number, picture in enumerate(read_camera(index)):
            yield SourceFrame(f"camera{index}-{number:06d}", picture)

    return FrameSource("camera", f"camera {index}", None, None, frames)
