"""Pictures to calibrate on: files of folders, or drawn scenes for models that were trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import one_line
from edgemoe.spec.picture import model_pixels
from edgemoe_golden.scenes import TRAINING_SEEDS, draw_scene

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

LEAST_PICTURES = 2
"""A limit is judged on pictures that it has not seen."""

FEW_PICTURES = 6
"""Below, more pictures still gain: three decibels lie between four photographs and six."""

# Training scenes, so that validation scenes stay unseen by everything that shapes the shipped model.
CALIBRATION_SEEDS = TRAINING_SEEDS[-100_000:]

_NAMED = 3
_SAME_SHAPE = 1.1  # proportions within this factor count as the model's

Frames = list[NDArray[np.uint8]]


def drawn_frames(config: ModelConfig, scenes: int) -> Iterator[NDArray[np.uint8]]:
    """The first `scenes` calibration scenes; raises ArgumentError when there are not so many."""
    if not 1 <= scenes <= len(CALIBRATION_SEEDS):
        raise ArgumentError(f"--scenes {scenes}: calibration needs 1 … {len(CALIBRATION_SEEDS)} scenes")
    return (draw_scene(seed, config.image_height, config.image_width).image for seed in CALIBRATION_SEEDS[:scenes])


def scenes_provenance(scenes: int) -> str:
    """Which scenes were looked at."""
    return f"edgemoe_golden.calibrate on drawn scenes {CALIBRATION_SEEDS[0]} … {CALIBRATION_SEEDS[scenes - 1]}"


def picture_paths(folder: Path) -> list[Path]:
    """All pictures of a folder; raises ArgumentError when there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise ArgumentError(f"{folder}: no pictures; expected files ending in {', '.join(PICTURE_SUFFIXES)}")
    return paths


def picture_frames(config: ModelConfig, paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """The pictures at the model's size; raises ArgumentError for one that cannot be read."""
    for path in paths:
        try:
            picture = Image.open(path).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise ArgumentError(f"{path}: not a readable picture") from error
        size = config.image_width, config.image_height
        yield np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def model_frames(config: ModelConfig, folders: Sequence[Path]) -> Frames:
    """All pictures of the folders as the model takes them, uint8 [H, W, channels].

    Raises ArgumentError for a folder without pictures, an unreadable picture, fewer than `LEAST_PICTURES`, and pictures
    that show nothing.
    """
    paths = [path for folder in folders for path in picture_paths(folder)]
    frames = [model_pixels(frame, config) for frame in picture_frames(config, paths)]
    if len(paths) < LEAST_PICTURES:
        raise ArgumentError(
            f"{len(paths)} picture in {_named(folders)}: ranges that hold for others need at "
            f"least {LEAST_PICTURES}, of the kind that the model will see"
        )
    if all((frame == frames[0][0, 0]).all() for frame in frames):
        raise ArgumentError(
            f"all {len(frames)} pictures in {_named(folders)} are of one and the same colour, so there are no ranges "
            f"to find in them; give pictures of the kind that the model will see"
        )
    return frames


def stretched(config: ModelConfig, folders: Sequence[Path]) -> str:
    """A sentence on pictures whose sides are not in the model's proportion, "" where all are."""
    paths = [path for folder in folders for path in picture_paths(folder)]
    count, wanted = 0, config.image_width / config.image_height
    for path in paths:
        with Image.open(path) as picture:
            count += not 1 / _SAME_SHAPE < picture.width / picture.height / wanted < _SAME_SHAPE
    size = f"{config.image_height}×{config.image_width}"
    return (
        f"{count} of {len(paths)} pictures are of another shape than the model's {size} and are stretched to it; cut "
        f"them as the model will see them for better ranges"
        if count
        else ""
    )


def pictures_provenance(folders: Sequence[Path], count: int) -> str:
    """Which pictures were looked at."""
    return f"edgemoe_golden.calibrate on {count} pictures of {_named(folders)}"


def _named(folders: Sequence[Path]) -> str:
    """Names for one line of text, not too many."""
    if len(folders) > _NAMED:
        return f"{_named(folders[:_NAMED])} and {len(folders) - _NAMED} more folders"
    return ", ".join(f"'{one_line(folder.resolve().name)}'" for folder in folders)
