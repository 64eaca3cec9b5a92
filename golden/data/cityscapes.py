"""Cityscapes as MTAN prepared it, which M³ViT uses: NumPy arrays of 128×256.

<root>/<split>/image/<n>.npy    H×W×3 float in [0, 1], no normalisation
<root>/<split>/label_7/<n>.npy  H×W, classes 0 … 6, −1 unknown
<root>/<split>/depth/<n>.npy    H×W×1 or H×W, inverse depth, 0 unknown
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgemoe_golden.data.samples import IGNORE, DataError, Sample, read_array, require_size

CLASSES = 7


class Cityscapes:
    """One split, pictures in the order of their numbers."""

    tasks: tuple[str, ...] = ("semseg", "depth")

    def __init__(self, root: Path, split: str = "val") -> None:
        self.folder = root / split
        paths = list((self.folder / "image").glob("*.npy"))
        strange = [path for path in paths if not path.stem.isdecimal()]
        if strange or not paths:
            found = strange[0] if strange else self.folder / "image"
            raise DataError(f"{found}: expected arrays 0.npy, 1.npy, …")
        self._numbers = sorted(int(path.stem) for path in paths)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Sample]:
        for number in self._numbers:
            yield self._sample(number)

    def _sample(self, number: int) -> Sample:
        paths = {part: self.folder / part / f"{number}.npy" for part in ("image", "label_7", "depth")}
        pixels = read_array(paths["image"], (3,))
        if pixels.shape[2] != 3 or pixels.min() < 0 or pixels.max() > 1:
            raise DataError(f"{paths['image']}: shape {pixels.shape}; expected H×W×3 values in [0, 1]")
        image = np.rint(pixels * 255).astype(np.uint8)
        label = require_size(paths["label_7"], read_array(paths["label_7"], (2,)), image)
        if label.min() < -1 or label.max() >= CLASSES:
            raise DataError(f"{paths['label_7']}: classes {label.min()} … {label.max()}; expected -1 … {CLASSES - 1}")
        depth = require_size(paths["depth"], read_array(paths["depth"], (2, 3)), image).reshape(image.shape[:2])
        semseg = np.where(label == -1, IGNORE, label).astype(np.uint8)
        return Sample(str(number), image, {"semseg": semseg, "depth": depth.astype(np.float32)})
