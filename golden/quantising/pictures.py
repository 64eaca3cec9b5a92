"""Pictures to calibrate on: files of folders, or drawn scenes for models that were trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgemoe.errors import ArgumentError
from edgemoe.media.pictures import PICTURE_SUFFIXES, read_picture
from edgemoe.media.sources import Skipped, SourceFrame, open_source
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import one_line
from edgemoe.spec.picture import model_pixels
from edgemoe_golden.scenes import TRAINING_SEEDS, draw_scene

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
    """All pictures of a folder, by their names; raises ArgumentError when there are none, or no folder."""
    if not folder.is_dir():
        wrong = "is a file; name the folder that it is in" if folder.exists() else "does not exist"
        raise ArgumentError(f"'{folder}' {wrong}; --pictures takes folders of pictures")
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise ArgumentError(f"{folder}: no pictures; expected files ending in {', '.join(PICTURE_SUFFIXES)}")
    return paths


def picture_frames(config: ModelConfig, paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """The pictures at the model's size; raises MediaError for one that cannot be read."""
    return (_fitted(read_picture(path), config) for path in paths)


@dataclass(frozen=True)
class Pictures:
    """frames: as the model takes them, uint8 [H, W, channels]. skipped: what could not be read, and why. stretched: how
    many were of another shape than the model's.
    """

    frames: Frames
    skipped: tuple[Skipped, ...]
    stretched: int

    def remark(self, config: ModelConfig) -> str:
        """A sentence on pictures whose sides are not in the model's proportion, "" where all are."""
        size = f"{config.image_height}×{config.image_width}"
        return (
            f"{self.stretched} of {len(self.frames)} pictures are of another shape than the model's {size} and are "
            f"stretched to it; cut them as the model will see them for better ranges"
            if self.stretched
            else ""
        )


def read_folders(config: ModelConfig, folders: Sequence[Path]) -> Pictures:
    """All pictures of the folders that can be read, upright, as `edgemoe run` reads them.

    Raises ArgumentError for a folder without pictures, fewer than `LEAST_PICTURES`, and pictures that show nothing.
    """
    skipped: list[Skipped] = []
    frames, stretched = [], 0
    for folder in folders:
        order = {str(path): index for index, path in enumerate(picture_paths(folder))}
        found = {}
        for source in open_source(folder).open_frames(skipped.append):
            found[order[source.source]] = model_pixels(_fitted(source.picture, config), config)
            stretched += _of_another_shape(source, config)
        frames += [found[index] for index in sorted(found)]
    if len(frames) < LEAST_PICTURES:
        why = f" (skipped: {skipped[0].reason})" if skipped else ""
        raise ArgumentError(
            f"{len(frames)} picture{'s' * (len(frames) != 1)} in {_named(folders)}{why}: ranges that hold for others "
            f"need at least {LEAST_PICTURES}, of the kind that the model will see"
        )
    if all((frame == frames[0][0, 0]).all() for frame in frames):
        raise ArgumentError(
            f"all {len(frames)} pictures in {_named(folders)} are of one and the same colour, so there are no ranges "
            f"to find in them; give pictures of the kind that the model will see"
        )
    return Pictures(frames, tuple(skipped), stretched)


def model_frames(config: ModelConfig, folders: Sequence[Path]) -> Frames:
    """The frames of `read_folders`; raises ArgumentError also for anything that cannot be read."""
    found = read_folders(config, folders)
    if found.skipped:
        raise ArgumentError(found.skipped[0].reason)
    return found.frames


def _fitted(picture: NDArray[np.uint8], config: ModelConfig) -> NDArray[np.uint8]:
    size = config.image_width, config.image_height
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _of_another_shape(source: SourceFrame, config: ModelConfig) -> bool:
    height, width = source.picture.shape[:2]
    return not 1 / _SAME_SHAPE < width / height / (config.image_width / config.image_height) < _SAME_SHAPE


def pictures_provenance(folders: Sequence[Path], count: int) -> str:
    """Which pictures were looked at."""
    return f"edgemoe_golden.calibrate on {count} pictures of {_named(folders)}"


def _named(folders: Sequence[Path]) -> str:
    """Names for one line of text, not too many."""
    if len(folders) > _NAMED:
        return f"{_named(folders[:_NAMED])} and {len(folders) - _NAMED} more folders"
    return ", ".join(f"'{one_line(folder.resolve().name)}'" for folder in folders)
