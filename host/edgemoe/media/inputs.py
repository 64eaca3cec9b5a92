"""Several inputs as one: files, folders and videos one after the other, and patterns that no shell has expanded."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgemoe.media.errors import MediaError
from edgemoe.media.sources import FrameSource, Skip, Skipped, SourceFrame, natural_key, open_source


def open_sources(texts: Sequence[str]) -> FrameSource:
    """One source for all inputs, in the order given; those of a pattern in natural order.

    Raises MediaError for an input that is not there and, when it is the only one, for one that cannot be used; of
    several, one that cannot be used is skipped when its turn comes.
    """
    names = [name for text in texts for name in _matches(text)]
    if len(names) == 1:
        return open_source(names[0])
    if any(name == "-" or name.startswith("camera:") for name in names):
        raise MediaError("a camera, and a picture that is piped in ('-'), run alone; give one input")
    parts = [_opened(name) for name in names]
    lengths = [part.length for part in parts]
    total = None if None in lengths else sum(length or 0 for length in lengths)
    notes = tuple(note for part in parts for note in part.notes)

    def frames(skip: Skip) -> Iterator[SourceFrame]:
        for part in parts:
            yield from part.open_frames(skip)

    return FrameSource("inputs", ", ".join(names), total, None, frames, notes)


def _matches(text: str) -> list[str]:
    if not glob.has_magic(text) or Path(text).exists():
        return [text]
    found = sorted(glob.iglob(text, recursive=True), key=_in_order)  # noqa: PTH207 (may be absolute)
    if not found:
        raise MediaError(f"no file matches '{text}'")
    return found


def _in_order(name: str) -> tuple[object, ...]:
    return natural_key(name), name


def _opened(name: str) -> FrameSource:
    """The source, or for something that is there and cannot be used, one that gives no frame."""
    try:
        return open_source(name)
    except MediaError as error:
        if not Path(name).exists():
            raise
        skipped = Skipped(name, str(error))

        def frames(skip: Skip) -> Iterator[SourceFrame]:
            skip(skipped)
            yield from ()

        return FrameSource("inputs", name, 0, None, frames)
