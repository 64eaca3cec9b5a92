"""Files and folders that appear whole or not at all, whenever their writer is stopped; and input read in bounds.

What is written lies in a draft folder beside its place and takes its place by renaming. A draft is locked for as long
as its writer lives; those of writers that were killed are removed by whoever writes into the same folder next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

_DRAFTS = ".edgemoe-*.draft"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def read_limited(path: Path, limit: int) -> bytes:
    """Contents of a regular file, but no more than `limit` + 1 bytes, by which a caller knows that there are more.

    Raises OSError; a pipe or a device is one, too.
    """
    if not path.is_file() and path.exists():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        return file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)  # Python makes room for what is asked


@contextlib.contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """A fresh empty folder in `parent`, removed with all that is still in it at the end."""
    with _locked(parent):
        _sweep(parent)
        draft = parent / _DRAFTS.replace("*", secrets.token_hex(8))
        draft.mkdir()
        lock = _lock(draft, fcntl.LOCK_EX)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file of the same name in a draft folder, then move it to `path`.

    Folders are made as needed. Raises whatever `write` raises, OSError when the file cannot be placed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(path.parent) as draft:
        write(draft / path.name)
        (draft / path.name).replace(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` atomically."""
    write_atomically(path, lambda draft: draft.write_bytes(content))


def write_text(path: Path, content: str) -> None:
    """Replace `path` by UTF-8 `content` atomically."""
    write_bytes(path, content.encode())


def write_together(folder: Path, contents: dict[str, bytes]) -> None:
    """Replace files of a folder, in this order; when one cannot be placed, all are as they were before.

    Whoever reads them must be able to tell files that do not belong together: a writer may be killed in between.
    """
    with draft_folder(folder) as draft, contextlib.ExitStack() as undo:
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        for name in contents:
            path, old = folder / name, draft / f"{name}.old"
            if path.exists():
                shutil.copy2(path, old)
                undo.callback(old.replace, path)
            else:
                undo.callback(path.unlink, missing_ok=True)
            (draft / name).replace(path)
        undo.pop_all()


@contextlib.contextmanager
def whole_folder(folder: Path, existing: Literal["refuse", "keep", "replace"] = "refuse") -> Iterator[Path]:
    """A folder to fill, which becomes `folder` when the block ends well. existing: what becomes of one that is there.

    Replaced are whole folders: whenever the writer is killed, the old one or the new one is complete, and `restore` or
    the next writer puts it in place. Raises OSError, FileExistsError for one that is there and refused.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(folder.parent) as draft:
        new = draft / folder.name
        new.mkdir()
        yield new
        with _locked(folder.parent):
            _settle(folder, draft)
            if not folder.exists():
                new.rename(folder)
            elif existing == "refuse":
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
            elif existing == "replace":
                _replace(folder, new, draft)


def restore(folder: Path) -> None:
    """Put `folder` back where a writer was killed between taking the old one away and placing the new one."""
    folder = folder.resolve()
    if not folder.exists() and _aside(folder).exists():
        with contextlib.suppress(OSError), draft_folder(folder.parent) as draft, _locked(folder.parent):
            _settle(folder, draft)


def _replace(folder: Path, new: Path, draft: Path) -> None:
    """Between the two renames `folder` is not there, but stands aside under a name that `_settle` knows."""
    folder.rename(_aside(folder))
    try:
        new.rename(folder)
    finally:
        _settle(folder, draft)


def _settle(folder: Path, draft: Path) -> None:
    """What stands aside goes back where nothing has taken its place, else into the draft, to be removed with it."""
    aside = _aside(folder)
    if aside.exists():
        aside.rename(draft / secrets.token_hex(8) if folder.exists() else folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _sweep(parent: Path) -> None:
    """Remove drafts whose writers are gone; those of others that may not be removed stay."""
    for draft in parent.glob(_DRAFTS):
        lock = _lock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is not None:
            shutil.rmtree(draft, ignore_errors=True)
            os.close(lock)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time, where the file system has locks."""
    lock = _lock(folder, fcntl.LOCK_EX, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _lock(folder: Path, how: int, how_opened: int = _OPEN) -> int | None:
    """A descriptor that holds the lock until it is closed; None where it cannot be had."""
    try:
        descriptor = os.open(folder, how_opened)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
