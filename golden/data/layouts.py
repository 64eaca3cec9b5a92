"""Recognising the layout of a data set's folder."""

from __future__ import annotations

from pathlib import Path

from edgemoe_golden.data.cityscapes import Cityscapes
from edgemoe_golden.data.nyud import Nyud
from edgemoe_golden.data.pascal_context import PascalContext
from edgemoe_golden.data.samples import DataError, DataSet


def open_data(root: Path, split: str = "val") -> DataSet:
    """Open the split of a folder in one of the three layouts; raises DataError."""
    if (root / "ImageSets" / "Context").is_dir():
        return PascalContext(root, split)
    if (root / "gt_sets").is_dir():
        return Nyud(root, split)
    if (root / split / "image").is_dir():
        return Cityscapes(root, split)
    raise DataError(
        f"{root}: no data set of a known layout; expected {split}/image (Cityscapes of MTAN), gt_sets (NYUD-v2) or "
        "ImageSets/Context (PASCAL-Context)"
    )
