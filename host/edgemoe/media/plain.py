"""Answers as plain pictures, without a panel around them: for other programs, slides and annotation tools."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgemoe.media import figures
from edgemoe.media.arrays import png_bytes
from edgemoe.media.colours import class_colours
from edgemoe.media.decode import decode
from edgemoe.media.interpolate import upsample
from edgemoe.media.layout import Layout
from edgemoe.media.spans import Span, default_span
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig

Box = tuple[int, int, int, int]

NOTHING = 255
"""In a mask of classes: a pixel of the border that was added around the picture."""
PER_METRE = 256
"""Steps of a depth picture, as KITTI has them."""


def plain_pictures(
    result: FrameResult, model: ModelConfig, spans: Mapping[str, Span], inner: Box | None = None
) -> dict[str, bytes]:
    """PNG files by the ends of their names.

    Segmentation: `<task>.png`, the class of every pixel with the colours of the panel as its palette, at the model's
    size, and `<task>.overlay.png`. Depth: `<task>.png`, 16 bits, metres × 256, 0 for what is farther than that can say;
    other values: 16 bits between two ends that stand in the file's description; and `<task>.colour.png`. Vectors and
    features: `<task>.png` in colour. A classification has no picture.
    inner: (left, top, right, bottom), the part of the frame that is picture; the border around it gets 255 or 0.
    """
    layout = Layout.of(model, 1, False)
    part = None if inner is None else (result.frame.shape[:2], inner)
    size = (layout.height, layout.width)
    contents: dict[str, bytes] = {}
    for task in model.tasks:
        output = result.outputs.get(task.name)
        if output is None or task.kind == "classification":
            continue
        if task.kind == "segmentation":
            table = class_colours(task.labels, task.channels)
            contents[f"{task.name}.png"] = _mask(decode(task, output, *result.frame.shape[:2]), table, task, inner)
            shown = figures.segmentation_picture(result.frame, output, table, *size, inner)
            contents[f"{task.name}.overlay.png"] = png_bytes(shown)
        elif task.kind == "features":
            grid = (model.grid_height, model.grid_width)
            shown = figures.features_picture(output[model.prefix_tokens :], grid, *size)
            contents[f"{task.name}.png"] = png_bytes(shown)
        elif task.channels == 3:
            span = spans.get(task.name, (0.0, 1.0))
            contents[f"{task.name}.png"] = png_bytes(figures.regression_picture(output, span, *size, part))
        else:
            span = spans.get(task.name) or default_span(task, output, inner, result.frame.shape[:2])
            contents[f"{task.name}.png"] = _values(upsample(output[0], *result.frame.shape[:2]), task, inner)
            contents[f"{task.name}.colour.png"] = png_bytes(figures.regression_picture(output[0], span, *size, part))
    return contents


def _mask(classes: NDArray[np.generic], table: NDArray[np.uint8], task: TaskConfig, inner: Box | None) -> bytes:
    names = task.labels or tuple(f"class {index}" for index in range(task.channels))
    about = "; ".join(f"{index}: {name}" for index, name in enumerate(names))
    outside = _outside(classes.shape, inner)
    if task.channels >= NOTHING:
        return png_bytes(np.where(outside, 65535, classes).astype(np.uint16), about=about)
    return png_bytes(np.where(outside, NOTHING, classes).astype(np.uint8), table, about)


def _values(values: NDArray[np.float32], task: TaskConfig, inner: Box | None) -> bytes:
    outside = _outside(values.shape, inner) | ~np.isfinite(values)
    if task.unit in ("m", "1/m"):
        with np.errstate(divide="ignore", invalid="ignore"):
            metres = 1 / np.maximum(values, 0) if task.unit == "1/m" else values
            steps = np.rint(metres * PER_METRE)
        known = ~outside & (steps >= 0) & (steps <= 65535)
        return png_bytes(np.where(known, steps, 0).astype(np.uint16), about=f"metres × {PER_METRE}; 0: not known")
    low, high = (float(f(values[~outside], initial=0.0)) for f in (np.min, np.max)) if (~outside).any() else (0.0, 1.0)
    steps = np.rint((np.where(outside, low, values) - low) / max(high - low, 1e-12) * 65535)
    about = f"{low:.9g} + {(high - low) / 65535:.9g} × value{f' {task.unit}' if task.unit else ''}"
    return png_bytes(steps.astype(np.uint16), about=about)


def _outside(shape: tuple[int, ...], inner: Box | None) -> NDArray[np.bool_]:
    """Pixels of the border around the picture."""
    outside = np.ones(shape, dtype=bool)
    left, top, right, bottom = inner or (0, 0, shape[1], shape[0])
    outside[top:bottom, left:right] = False
    return outside
