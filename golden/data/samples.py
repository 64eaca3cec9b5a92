"""What every reader of a data set hands over, and how its files are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.names import NAME_RULE, complaint, is_name, shown

IGNORE = 255
"""Class of a pixel that no metric looks at."""

Targets = dict[str, NDArray[Any]]


class DataError(EdgeMoeError, ValueError):
    """A data set that cannot be read; the message names the file and what was expected."""


@dataclass(frozen=True)
class Sample:
    """One picture with its ground truth.

    image: uint8 H×W×3 RGB. targets by task, each H×W (normals H×W×3):
    semseg, human_parts: uint8 classes, 255 ignored. depth: float32, 0 where unknown.
    normals: float32 unit vectors, 0 where unknown. sal, edge: uint8 0 or 1, 255 ignored.
    """

    name: str
    image: NDArray[np.uint8]
    targets: Targets


class DataSet(Protocol):
    """A split of a data set; `tasks` names the targets that its samples can have."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the targets."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]: ...


def read_picture(path: Path) -> NDArray[np.uint8]:
    """RGB picture; raises DataError."""
    with _opened(path) as picture:
        return np.asarray(picture.convert("RGB"))


def read_classes(path: Path) -> NDArray[np.uint8]:
    """Grey or palette picture whose values are classes; raises DataError."""
    with _opened(path) as picture:
        if picture.mode not in ("L", "P", "1"):
            raise DataError(f"{path}: mode {picture.mode}; expected one byte per pixel")
        return np.asarray(picture, dtype=np.uint8)


def read_array(path: Path, dimensions: tuple[int, ...]) -> NDArray[Any]:
    """NumPy array with one of the given numbers of dimensions, finite; raises DataError."""
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header alone allocates nothing
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Exception as error:
        # NumPy parses the header as Python's text: tokenize.TokenError, BadZipFile and others come besides ValueError.
        raise DataError(f"{path}: not a readable NumPy array ({complaint(error)})") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "biuf":
        raise DataError(f"{path}: not a readable NumPy array (expected one array of numbers)")
    values: NDArray[Any] = np.array(stored)
    if values.ndim not in dimensions:
        expected = " or ".join(str(number) for number in dimensions)
        raise DataError(f"{path}: shape {values.shape}; expected {expected} dimensions")
    if not np.isfinite(values).all():
        raise DataError(f"{path}: holds NaN or infinite values")
    if values.dtype.kind == "f" and np.abs(values).max(initial=0) > np.finfo(np.float32).max:
        raise DataError(f"{path}: holds values beyond those of float32")
    return values


def read_names(path: Path) -> list[str]:
    """Names in a split file, one a line; raises DataError."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no readable list of pictures; the split may be named otherwise") from error
    if not names:
        raise DataError(f"{path}: names no picture")
    wrong = next((name for name in names if not is_name(name)), None)
    if wrong is not None:
        raise DataError(f"{path}: names of pictures must be {NAME_RULE}, found {shown(wrong)}")
    return names


def require_size(path: Path, values: NDArray[Any], image: NDArray[np.uint8]) -> NDArray[Any]:
    """`values` if its height and width are the picture's; raises DataError."""
    if values.shape[:2] != image.shape[:2]:
        raise DataError(f"{path}: size {values.shape[:2]}; its picture has {image.shape[:2]}")
    return values


def _opened(path: Path) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except MemoryError as error:
        raise DataError(f"{path}: not a readable picture (it does not fit into the memory here)") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable picture ({complaint(error)})") from error
    return picture
