"""Head outputs on the cell grid → maps at full resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.classes import probabilities
from edgemoe.media.interpolate import upsample
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig


def class_map(logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint16]:
    """Logits C×h×w → class index uint16 height×width: bilinear upsampling, then argmax (ties: lowest index)."""
    # One channel at a time keeps two maps in memory rather than C of them.
    best = upsample(logits[0], height, width)
    label = np.zeros((height, width), dtype=np.uint16)
    for index in range(1, logits.shape[0]):
        value = upsample(logits[index], height, width)
        higher = value > best
        label[higher] = index
        best = np.maximum(best, value)
    return label


def decode(task: TaskConfig, output: NDArray[np.float32], height: int, width: int) -> NDArray[np.generic]:
    """What one task says of a picture, in the form that people use.

    Segmentation: uint16 classes height×width. Regression: float32 (C×)height×width in the task's unit; the channel
    axis is dropped when there is one channel. Classification: float32 C probabilities. Features: tokens×D as they are.
    """
    if task.kind == "features":
        return output
    if task.kind == "classification":
        return probabilities(output).astype(np.float32)
    if task.kind == "segmentation":
        return class_map(output, height, width)
    values = upsample(output, height, width)
    return values[0] if task.channels == 1 else values


def decoded_map(value: NDArray[np.float32], model: ModelConfig) -> NDArray[np.float32] | None:
    """What a host decoder gave, as C×h×w when it lies over the picture in the aspect of its patches, else None."""
    planes = value[None] if value.ndim == 2 else value
    if planes.ndim != 3 or not planes.size or planes.shape[1:] == (model.tokens, model.width):
        return None
    rows, columns = planes.shape[1:]
    over = rows >= model.grid_height and rows * model.grid_width == columns * model.grid_height
    return planes if over else None


def class_shares(labels: NDArray[np.uint16], classes: int) -> NDArray[np.float64]:
    """Share of the picture that each class covers: float64 `classes`, sum 1."""
    counts = np.bincount(labels.ravel(), minlength=classes)
    shares: NDArray[np.float64] = counts / labels.size
    return shares
