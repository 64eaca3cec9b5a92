"""One process at a time: a lock on a file, given back by the system when its process ends."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path

from edgemoe.devices.base import DeviceError


class ProcessLock:
    """Held from construction to `release`; raises DeviceError that names the holder when there is another."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.gettempdir()) / f"edgemoe-{re.sub(r'[^A-Za-z0-9.]', '_', name)}.lock"
        try:
            self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise DeviceError(
                f"cannot lock the accelerator: {self.path}: {error.strerror}; run as its owner"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            self._close()
            raise DeviceError(_taken(holder)) from error
        os.truncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others in; harmless to repeat."""
        if self._file is not None:
            os.truncate(self._file, 0)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _taken(holder: str) -> str:
    if holder == str(os.getpid()):
        return "this process already uses the accelerator; call close() on its other Accelerator first"
    who = f"process {holder}" if holder.isdecimal() else "another process"
    return f"{who} uses the accelerator (a notebook that is still open?); end it, or wait until it is done"
