"""Files that appear whole or not at all, under names that are safe and distinct."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from edgemoe.media.errors import MediaError, reason
from edgemoe.spec.files import draft_folder

_MAX_NAME = 100


def write_whole(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files into `folder` together: each into a draft first, moved once all are on the disk.

    On failure none of them appears, and a folder that was made here is removed.
    Raises MediaError (no space, no permission, …).
    """
    made = _make(folder)
    moved: list[Path] = []
    try:
        with draft_folder(folder) as draft:
            for name, content in contents.items():
                (draft / name).write_bytes(content)
            for name in contents:
                (draft / name).replace(folder / name)
                moved.append(folder / name)
    except BaseException as error:
        with contextlib.suppress(OSError):
            for path in moved:
                path.unlink(missing_ok=True)
            for path in made:
                path.rmdir()
        if isinstance(error, OSError):
            size = sum(len(content) for content in contents.values()) / 1e6
            names = ", ".join(contents)
            raise MediaError(
                f"'{folder}': {reason(error)}; {names} ({size:.1f} MB) not written, choose another folder"
            ) from error
        raise
    return moved


def require_writable(folder: Path) -> None:
    """Raises MediaError where `folder` cannot be made or written into, so that a long run need not find out late."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        why = "is a file" if nearest == folder else f"cannot be made: '{nearest}' is a file"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        why = "cannot be written to" if nearest == folder else f"cannot be made: '{nearest}' cannot be written to"
    else:
        return
    raise MediaError(f"'{folder}' {why}; choose another folder")


def _make(folder: Path) -> list[Path]:
    """Create `folder` and its missing parents; returns what was made, innermost first."""
    missing: list[Path] = []
    path = folder
    while not path.exists():
        missing.append(path)
        path = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"'{folder}' cannot be made: {reason(error)}; choose another folder") from error
    return missing


class Names:
    """Hands out file stems: letters, digits, `-`, `_`, `.` and spaces, distinct also where case does not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return `name` made safe; `-2`, `-3`, … is appended when it is taken."""
        stem = re.sub(r"[^\w.\- ]", "_", name).strip(". ")[:_MAX_NAME] or "frame"
        chosen, number = stem, 2
        while chosen.casefold() in self._taken:
            chosen, number = f"{stem}-{number}", number + 1
        self._taken.add(chosen.casefold())
        return chosen
