"""The error of this package: one sentence that says what is wrong, what is accepted and what to do."""

from __future__ import annotations

import errno

from edgemoe.errors import EdgeMoeError


class MediaError(EdgeMoeError):
    """A picture, video, camera or output folder that cannot be used; the message is written for the user."""


def reason(error: OSError) -> str:
    """Say in words why the system refused, for use inside a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left on the disk"
    return (error.strerror or str(error)).lower()
