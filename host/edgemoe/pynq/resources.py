"""What a device holds of a board, and in which order it is given back: the accelerator comes to rest first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from edgemoe.devices.base import DeviceError
from edgemoe.pynq.buffers import Buffers
from edgemoe.pynq.connection import BoardGoneError, board_answers
from edgemoe.pynq.driver import EdgeMoeIp
from edgemoe.pynq.lock import ProcessLock

_REST_SECONDS = 1.0  # what a run that was given up may still take before the bitstream is loaded again


class Resources:
    """Apart from the device, so that they can be given back when that has gone. overlay, ip: None until it has them.

    on_close: called last of all.
    """

    def __init__(self, lock: ProcessLock, buffers: Buffers, on_close: Callable[[], None] | None) -> None:
        self.lock = lock
        self.buffers = buffers
        self.overlay: Any = None
        self.ip: EdgeMoeIp | None = None
        self.process = os.getpid()
        self._on_close = on_close
        self._loading = False

    @property
    def forked(self) -> bool:
        """Whether this process is a child of the one that opened the board."""
        return os.getpid() != self.process

    def bring_to_rest(self) -> bool:
        """Wait for the end of a run, then load the bitstream again; True when that was needed.

        Raises DeviceError when it cannot be loaded; then, and when this is interrupted, the accelerator may still write
        to its buffers, and this is to be called again.
        """
        if self.ip is None or not (self._loading or self._may_write(self.ip)):
            return False
        self._loading = True  # until it is done, the accelerator cannot be asked
        try:
            with board_answers():
                self.overlay.download()
        except BoardGoneError:
            raise
        except Exception as error:  # PYNQ raises whatever its layers do
            raise DeviceError(
                f"the accelerator does not come to rest, and its bitstream could not be loaded again "
                f"({type(error).__name__}: {error}); its memory stays reserved: call close() again, or switch the "
                f"board off and on"
            ) from error
        self._loading = False
        return True

    def _may_write(self, ip: EdgeMoeIp) -> bool:
        """Whether the accelerator is busy, or has given up a run of which memory may still owe it answers."""
        try:
            at_rest = ip.control.idle() or ip.control.wait(_REST_SECONDS, ip.pause)
            return not (at_rest and ip.control.quiet())
        except BoardGoneError:
            raise
        except DeviceError:  # it does not answer
            return True

    def release(self) -> None:
        """Give everything back; harmless to repeat, and to be repeated when it was interrupted or raised.

        In a forked child nothing is: all of it is the parent's.
        """
        if self.forked:
            self.ip = self.overlay = None
            self.buffers.leave_to_the_parent()
            return
        with contextlib.suppress(BoardGoneError):  # then its memory went with it
            self.bring_to_rest()
        self.ip = None
        try:
            self.buffers.free_all()
            if self.overlay is not None:
                self.overlay.free()
        finally:
            self.overlay = None
            self.lock.release()
            on_close, self._on_close = self._on_close, None
            if on_close is not None:
                on_close()
