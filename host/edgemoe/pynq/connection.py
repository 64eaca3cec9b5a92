"""A board on the network that stops answering, said in a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgemoe.devices.base import DeviceError


class BoardGoneError(DeviceError):
    """The connection to a board broke."""


@contextlib.contextmanager
def board_answers() -> Iterator[None]:
    """Turn what gRPC raises into BoardGoneError; gRPC itself is there only when PYNQ.remote is used."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "grpc":
            raise
        code = getattr(error, "code", lambda: None)()
        raise BoardGoneError(
            f"the board on the network does not answer any more ({getattr(code, 'name', error)}); check its power and "
            f"its cable, then open it again"
        ) from error
