"""NYUD-v2 in the folders of NYUD_MT, which M³ViT uses.

<root>/gt_sets/<split>.txt       names
<root>/images/<name>.jpg
<root>/segmentation/<name>.png   classes 1 … 40, 0 background, which is not counted
<root>/depth/<name>.npy          metres, 0 unknown
<root>/normals/<name>.npy        H×W×3
<root>/edge/<name>.npy           0 or 1
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe_golden.data.samples import DataError, Sample, Targets, read_array, read_classes, read_names, read_picture
from edgemoe_golden.data.samples import require_size as same_size

CLASSES = 40


class Nyud:
    """One split, in the order of its list. Targets are those whose folders exist."""

    def __init__(self, root: Path, split: str = "val") -> None:
        self.root = root
        self._names = read_names(root / "gt_sets" / f"{split}.txt")
        folders = {"semseg": "segmentation", "depth": "depth", "normals": "normals", "edge": "edge"}
        self.tasks = tuple(task for task, folder in folders.items() if (root / folder).is_dir())
        if not self.tasks:
            raise DataError(f"{root}: none of the folders {', '.join(folders.values())} is here")

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Sample]:
        for name in self._names:
            image = read_picture(self.root / "images" / f"{name}.jpg")
            targets: Targets = {}
            if "semseg" in self.tasks:
                targets["semseg"] = self._classes(name, image)
            if "depth" in self.tasks:
                path = self.root / "depth" / f"{name}.npy"
                depth = same_size(path, read_array(path, (2, 3)), image)
                targets["depth"] = depth.reshape(image.shape[:2]).astype(np.float32)
            if "normals" in self.tasks:
                path = self.root / "normals" / f"{name}.npy"
                targets["normals"] = same_size(path, read_array(path, (3,)), image).astype(np.float32)
            if "edge" in self.tasks:
                path = self.root / "edge" / f"{name}.npy"
                targets["edge"] = (same_size(path, read_array(path, (2,)), image) > 0).astype(np.uint8)
            yield Sample(name, image, targets)

    def _classes(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Classes from 0; background becomes 255 by wrapping around."""
        path = self.root / "segmentation" / f"{name}.png"
        classes = same_size(path, read_classes(path), image)
        if classes.max() > CLASSES:
            raise DataError(f"{path}: class {classes.max()}; expected 0 … {CLASSES}")
        return (classes - np.uint8(1)).astype(np.uint8)
