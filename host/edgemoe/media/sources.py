"""Where frames come from: a picture, a folder of pictures, a video file, a camera or standard input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.camera import read_camera
from edgemoe.media.errors import MediaError, reason
from edgemoe.media.pictures import PICTURE_SUFFIXES, UNREADABLE_SUFFIXES, read_picture, read_piped_picture
from edgemoe.media.run_report import REPORT, results_in
from edgemoe.media.video import VIDEO_SUFFIXES, probe_video, read_video

INPUTS = "give pictures, folders of pictures, video files, camera:0, or - for a picture piped in"


class SourceFrame(NamedTuple):
    """One frame as it came.

    name: for its files, without a suffix. picture: uint8 H×W×3 RGB of any size. source: the file or camera that it is
    from. seconds: its time stamp in a video, None outside of one.
    """

    name: str
    picture: NDArray[np.uint8]
    source: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Skipped:
    """An input that gave no frame, or not all of its frames, and why, in one sentence that names it."""

    source: str
    reason: str


Skip = Callable[[Skipped], None]


@dataclass(frozen=True)
class FrameSource:
    """An input that can be iterated once or more; frames are read one at a time.

    kind: `picture`, `folder`, `video`, `camera` or `inputs` (several).
    description: the input in words, for reports.
    length: number of frames for a progress bar; None when unknown. A video's is what its file claims.
    frames_per_second: of a video when known, else None.
    open_frames: calls its argument for what cannot be read, and goes on when that returns.
    notes: what a user should know of this input, one sentence each.
    """

    kind: str
    description: str
    length: int | None
    frames_per_second: float | None
    open_frames: Callable[[Skip], Iterator[SourceFrame]]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[SourceFrame]:
        """All frames; MediaError at the first thing that cannot be read."""
        return self.open_frames(_refuse)


def _refuse(skipped: Skipped) -> None:
    raise MediaError(skipped.reason)


def open_source(text: str | Path) -> FrameSource:
    """Find out what INPUT is: `camera:N`, `-`, a folder, a video file (by its suffix), or else a picture.

    Raises MediaError at once for what is missing, for folders without pictures and for videos that cannot be
    opened; a damaged picture is reported when its turn comes.
    """
    camera = re.fullmatch(r"camera:(\d{1,3})", str(text))
    if camera:
        return _camera(int(camera.group(1)))
    if str(text).startswith("camera:"):
        raise MediaError(f"'{text}' names no camera; write camera:0 for the first one")
    if str(text) == "-":
        return FrameSource("picture", "standard input", 1, None, lambda skip: _piped())
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
    return FrameSource("picture", str(path), 1, None, lambda skip: _read_pictures([path], skip))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `frame2` before `frame10`; letters without regard to case."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def _piped() -> Iterator[SourceFrame]:
    yield SourceFrame("stdin", read_piped_picture(), "standard input")


def _read_pictures(paths: Iterable[Path], skip: Skip) -> Iterator[SourceFrame]:
    for path in paths:
        try:
            picture = read_picture(path)
        except MediaError as error:
            skip(Skipped(str(path), str(error)))
        else:
            yield SourceFrame(path.stem, picture, str(path))


def _folder(path: Path) -> FrameSource:
    results = results_in(path)
    pictures, beside, own = [], [], 0
    for entry in sorted(path.iterdir(), key=lambda entry: (natural_key(entry.name), entry.name)):
        if entry.name.startswith("."):
            continue
        if entry.name in results:
            own += entry.suffix.lower() in PICTURE_SUFFIXES
        elif entry.suffix.lower() in PICTURE_SUFFIXES and entry.is_file():
            pictures.append(entry)
        elif (why := _left_out(entry)) is not None:
            beside.append(Skipped(str(entry), f"'{entry.name}' {why}"))
    if not pictures:
        known = ", ".join(suffix[1:] for suffix in PICTURE_SUFFIXES)
        unread = "".join(f"; {each.reason}" for each in beside[:1])
        results_only = "but results of an earlier run" if own else "pictures"
        nothing = f"holds nothing {results_only}" if own else f"holds no {results_only}"
        raise MediaError(f"folder '{path}' {nothing}; files that end in {known} are read{unread}")

    def frames(skip: Skip) -> Iterator[SourceFrame]:
        for each in beside:
            skip(each)
        yield from _read_pictures(pictures, skip)

    plural, verb = ("", "is") if own == 1 else ("s", "are")
    notes = (f"{own} result{plural} of an earlier run in '{path}' {verb} no input",) if own else ()
    return FrameSource("folder", str(path), len(pictures), None, frames, notes)


def _left_out(entry: Path) -> str | None:
    """Why something in a folder that a user may have meant is not run; None for what nobody means."""
    suffix = entry.suffix.lower()
    if entry.is_file():
        video = "is a video; name it as an input of its own" if suffix in VIDEO_SUFFIXES else None
        return UNREADABLE_SUFFIXES.get(suffix, video)
    if not entry.is_dir() or (entry / REPORT).exists():
        return None
    readable = (*PICTURE_SUFFIXES, *UNREADABLE_SUFFIXES, *VIDEO_SUFFIXES)
    inside = any(each.suffix.lower() in readable for each in entry.iterdir())
    return "is a folder inside this one; name it as an input of its own" if inside else None


def _video(path: Path) -> FrameSource:
    facts = probe_video(path)

    def frames(skip: Skip) -> Iterator[SourceFrame]:
        try:
            for number, (seconds, picture) in enumerate(read_video(path)):
                yield SourceFrame(f"{path.stem}-{number:06d}", picture, str(path), seconds)
        except MediaError as error:
            skip(Skipped(str(path), str(error)))

    notes = (f"the sound of '{path.name}' is left out",) if facts.sound else ()
    return FrameSource("video", str(path), facts.length, facts.frames_per_second, frames, notes)


def _camera(index: int) -> FrameSource:
    def frames(skip: Skip) -> Iterator[SourceFrame]:
        for number, picture in enumerate(read_camera(index)):
            yield SourceFrame(f"camera{index}-{number:06d}", picture, f"camera {index}")

    return FrameSource("camera", f"camera {index}", None, None, frames)
