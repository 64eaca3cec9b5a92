"""One process at a time: a lock on a file, given back by the system when its process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import weakref
from pathlib import Path

from edgemoe.devices.base import DeviceError

# Not the temporary folder: that is another one for a process with another TMPDIR, and then the lock would be, too.
_FOLDERS = (Path("/run/lock"), Path("/tmp"))
_HOLDER_BYTES = 32


class ProcessLock:
    """Held from construction to `release`; raises DeviceError that names the holder when there is another.

    A forked child does not hold it, whatever its parent does. A file that a dead process left behind does not matter.
    """

    def __init__(self, name: str) -> None:
        self.path = _folder() / f"edgemoe-{re.sub(r'[^A-Za-z0-9.]', '_', name)}.lock"
        self._file: int | None = None
        _LOCKS.add(self)
        while self._file is None:
            self._file = self._open()
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(self._file, _HOLDER_BYTES, 0).decode("ascii", "replace").strip()
                self._close()
                raise DeviceError(_taken(holder)) from error
            if not self._is_in_place():  # its holder removed it after it was opened here
                self._close()
        os.truncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others in; harmless to repeat."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # another user's file, left there without a lock on it
                self.path.unlink()
            self._close()

    def _open(self) -> int:
        """The file, for every user to write: made, or as another process made it.

        Never opened and made in one step: Linux refuses that, even to root, where the file is another user's.
        """
        try:
            while True:
                with contextlib.suppress(FileNotFoundError):
                    return os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
                with contextlib.suppress(FileExistsError):
                    file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                    os.fchmod(file, 0o666)
                    return file
        except OSError as error:
            raise DeviceError(
                f"cannot lock the accelerator: {self.path}: {error.strerror}; make {self.path.parent} writable for "
                f"this user, or run as root"
            ) from error

    def _is_in_place(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file), self.path.lstat())
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


_LOCKS: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    for lock in list(_LOCKS):
        lock._close()


os.register_at_fork(after_in_child=_leave_to_the_parent)  # else it would stay locked until the child ends, too


def _folder() -> Path:
    """The first folder that every user may write to, so that all look in the same one."""
    for folder in _FOLDERS:
        if folder.is_dir() and folder.stat().st_mode & stat.S_IWOTH:
            return folder
    return _FOLDERS[0]


def _taken(holder: str) -> str:
    if holder == str(os.getpid()):
        return "this process already uses the accelerator; call close() on its other Accelerator first"
    who = f"process {holder}" if holder.isdecimal() and _lives(int(holder)) else "another process"
    return f"{who} uses the accelerator (a notebook that is still open?); end it, or wait until it is done"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives, as another user's
        return True
    return True
