"""Folders of compiled engines: each appears whole, under a hash of all that went in, and open as the umask says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgemoe.devices.base import DeviceError
from edgemoe.spec.files import whole_folder
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.names import path_part


def build_name(hardware: HardwareConfig, digest: str) -> str:
    """Name of the folder of one build."""
    return f"{path_part(hardware.name)}-{digest[:16]}"


def is_built(engine: str, library: Path) -> bool:
    """Whether a library is there; raises DeviceError when another user keeps it closed."""
    try:
        if not library.is_file():
            return False
        with library.open("rb"):
            return True
    except PermissionError as error:
        raise DeviceError(
            f"engine '{engine}' was built by another user in {library.parent} and is closed to you; let its owner "
            f"run `chmod -R a+rX {library.parent.parent}`, or use a checkout of your own"
        ) from error


@contextmanager
def fresh_build(engine: str, folder: Path) -> Iterator[Path]:
    """A folder to build in, which becomes `folder` at the end, unless another process was faster.

    Raises DeviceError where the folder cannot be written.
    """
    try:
        with whole_folder(folder, "keep") as fresh:
            yield fresh
    except PermissionError as error:
        raise DeviceError(
            f"engine '{engine}' cannot be built in {folder.parent}: {error.strerror}; let its owner run "
            f"`chmod a+rwx {folder.parent}`, or use a checkout of your own"
        ) from error
    except OSError as error:
        raise DeviceError(f"engine '{engine}' cannot be built in {folder.parent}: {error}") from error
