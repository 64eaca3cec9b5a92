"""PASCAL-Context in the folders of PASCAL_MT, which M³ViT uses.

<root>/ImageSets/Context/<split>.txt       names
<root>/JPEGImages/<name>.jpg
<root>/semseg/VOC12/<name>.png             classes 0 … 20, 255 unknown; where missing, semseg/pascal-context/<name>.png
<root>/human_parts/<name>.mat              PASCAL-Parts annotation
<root>/normals_distill/<name>.png          (n + 1) · 255 / 2
<root>/sal_distill/<name>.png              salient above one half of 255
<root>/pascal-context/trainval/<name>.mat  LabelMap of the full classes: which pixels have normals, where edges run
<root>/db_info/{nyu,context}_classes.json  class names → numbers; with LabelMap they say which classes have normals

Without the last two, normals count everywhere. Edges need an external benchmark (seism) and are not scored here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.names import complaint, shown
from edgemoe_golden.data.matlab_file import read_mat
from edgemoe_golden.data.samples import (
    IGNORE,
    DataError,
    Sample,
    Targets,
    read_classes,
    read_names,
    read_picture,
    require_size,
)

CLASSES = 21
PERSON = 15
_PARTS = {
    1: "hair head ear ebrow eye mouth nose",
    2: "neck torso",
    3: "uarm",
    4: "hand larm",
    5: "uleg",
    6: "foot lleg",
}
_PART_NUMBERS = {name: number for number, names in _PARTS.items() for name in names.split()}
_NORMALS_TOO = "tvmonitor"
"""A class with normals that the two lists of class names spell differently."""


class PascalContext:
    """One split, in the order of its list.

    Targets are those whose folders exist; pictures without people have no human_parts.
    """

    def __init__(self, root: Path, split: str = "val") -> None:
        self.root = root
        self._names = read_names(root / "ImageSets" / "Context" / f"{split}.txt")
        folders = {
            "semseg": "semseg",
            "human_parts": "human_parts",
            "sal": "sal_distill",
            "normals": "normals_distill",
        }
        self.tasks = tuple(task for task, folder in folders.items() if (root / folder).is_dir())
        if not self.tasks:
            raise DataError(f"{root}: none of the folders {', '.join(folders.values())} is here")
        self._normal_classes = self._classes_with_normals()

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Sample]:
        for name in self._names:
            image = read_picture(self.root / "JPEGImages" / f"{name}.jpg")
            targets: Targets = {}
            if "semseg" in self.tasks:
                targets["semseg"] = self._semseg(name, image)
            if "human_parts" in self.tasks:
                parts = self._human_parts(name, image)
                if parts is not None:
                    targets["human_parts"] = parts
            if "sal" in self.tasks:
                path = self.root / "sal_distill" / f"{name}.png"
                targets["sal"] = (require_size(path, read_classes(path), image) > 127).astype(np.uint8)
            if "normals" in self.tasks:
                targets["normals"] = self._normals(name, image)
            yield Sample(name, image, targets)

    def _semseg(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        path = self.root / "semseg" / "VOC12" / f"{name}.png"
        if not path.is_file():
            path = self.root / "semseg" / "pascal-context" / f"{name}.png"
        classes: NDArray[np.uint8] = require_size(path, read_classes(path), image)
        if classes[classes != IGNORE].max(initial=0) >= CLASSES:
            raise DataError(f"{path}: class {classes[classes != IGNORE].max()}; expected 0 … {CLASSES - 1} or {IGNORE}")
        return classes

    def _human_parts(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Parts of all people that have annotated parts, None without any."""
        path = self.root / "human_parts" / f"{name}.mat"
        if not path.is_file():
            return None
        target = np.zeros(image.shape[:2], dtype=np.uint8)
        found = False
        for parts in _people(path):
            found = True
            for mask, part in parts:
                target[_plane(path, mask, image) != 0] = _part_number(part, path)
        return target if found else None

    def _normals(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        path = self.root / "normals_distill" / f"{name}.png"
        normals = require_size(path, read_picture(path), image).astype(np.float32) * (2 / 255) - 1
        if self._normal_classes is not None:
            labels = self.root / "pascal-context" / "trainval" / f"{name}.mat"
            known = np.isin(_plane(labels, read_mat(labels, "LabelMap"), image), self._normal_classes)
            normals = np.where(known[..., None], normals, 0)
        return np.asarray(normals, dtype=np.float32)

    def _classes_with_normals(self) -> list[int] | None:
        paths = [self.root / "db_info" / f"{kind}_classes.json" for kind in ("nyu", "context")]
        if not all(path.is_file() for path in paths):
            return None
        try:
            nyu, context = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
            shared = [name for name in nyu if name in context and name != "unknown"]
            return [int(context[name]) for name in {*shared, _NORMALS_TOO} if name in context]
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"{paths[0].parent}: expected two objects of class name → number ({complaint(error)})"
            ) from error


def _plane(path: Path, values: NDArray[Any], image: NDArray[np.uint8]) -> NDArray[Any]:
    """`values` if it is a number for each pixel of the picture; raises DataError."""
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise DataError(f"{path}: {values.dtype} of shape {values.shape[:4]}; expected a number for each pixel")
    return require_size(path, values, image)


def _part_number(name: str, path: Path) -> int:
    """Number of a part, left and right alike."""
    for candidate in (name, name[1:] if name[:1] in ("l", "r") else ""):
        if candidate in _PART_NUMBERS:
            return _PART_NUMBERS[candidate]
    raise DataError(f"{path}: unknown part {shown(name)}; parts are {', '.join(_PART_NUMBERS)}, with l or r in front")


def _people(path: Path) -> list[list[tuple[NDArray[Any], str]]]:
    """(mask, name) of every part, person by person, without people whose parts nobody annotated; raises DataError."""
    annotation = read_mat(path, "anno")
    try:
        objects = np.ravel(np.ravel(annotation)[0]["objects"])
        people = [each["parts"] for each in objects if int(np.ravel(each["class_ind"])[0]) == PERSON]
        return [
            [(np.asarray(part["mask"]), str(np.ravel(part["part_name"])[0])) for part in np.ravel(parts)]
            for parts in people
            if np.size(parts)
        ]
    except (IndexError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise DataError(
            f"{path}: 'anno' holds no objects with class_ind and parts of mask and part_name ({complaint(error)})"
        ) from error
