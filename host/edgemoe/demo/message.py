"""What the page is told: once about the model, then a message per frame, pictures included.

A frame's message is the length of its header (4 bytes, little-endian), the header in JSON, and the pictures that it
names one after the other, each height×width×3 bytes RGB.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.media.classes import top_classes
from edgemoe.media.colours import apply_depth_colours, class_colours, expert_colours
from edgemoe.media.decode import class_map, class_shares
from edgemoe.media.figures import features_picture
from edgemoe.media.interpolate import upsample
from edgemoe.media.legends import metre_ticks, value_ticks
from edgemoe.media.palette import DEPTH
from edgemoe.media.panel import title_of
from edgemoe.media.spans import Span
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig

_OVER_PICTURE = 0.62  # share of the classes' colours over the grey picture


@dataclass(frozen=True)
class Pace:
    """Of the frame that is shown. number: of the show. frames_per_second: of this host, over the last second or so."""

    number: int
    frames_per_second: float
    paused: bool
    source: str


def about_model(model: ModelConfig, engine: str, hardware: str) -> dict[str, Any]:
    """What stays the same for the whole show."""
    return {
        "type": "model",
        "model": model.name,
        "engine": engine,
        "hardware": hardware,
        "size": [model.image_height, model.image_width],
        "grid": [model.grid_height, model.grid_width],
        "experts": model.experts if model.moe_blocks else 0,
        "top_k": model.top_k,
        "blocks": list(model.moe_blocks),
        "expert_colours": expert_colours(model.experts).tolist() if model.moe_blocks else [],
        "depth_colours": DEPTH.tolist(),
        "tasks": [
            {
                "name": task.name,
                "title": title_of(task),
                "kind": task.kind,
                "labels": list(task.labels) or [f"class {index}" for index in range(task.channels)],
                "colours": class_colours(task.labels, task.channels).tolist() if task.kind == "segmentation" else [],
            }
            for task in model.tasks
        ],
    }


def about_frame(result: FrameResult, model: ModelConfig, pace: Pace, spans: Mapping[str, Span]) -> bytes:
    """One message."""
    pictures: list[tuple[str, NDArray[np.uint8]]] = [("input", result.frame)]
    answers: dict[str, dict[str, Any]] = {}
    for task in model.tasks:
        if task.name in result.outputs:
            picture, answers[task.name] = _answer(task, result, model, spans.get(task.name, (0.0, 1.0)))
            if picture is not None:
                pictures.append((task.name, picture))
    header = {
        "type": "frame",
        "number": pace.number,
        "paused": pace.paused,
        "source": pace.source,
        "frames_per_second": round(pace.frames_per_second, 2),
        "host_ms": round(result.timings_ms.get("total", 0.0), 2),
        "accelerator_ms": result.accelerator_ms,
        "clock_mhz": result.clock_mhz,
        "cycles": result.cycles,
        "counted": bool(result.counters.get("cycles")),
        "answers": answers,
        "experts": {
            task: {str(block): experts[model.prefix_tokens :].T.tolist() for block, (experts, _) in blocks.items()}
            for task, blocks in result.routing.items()
        },
        "pictures": [{"name": name, "height": each.shape[0], "width": each.shape[1]} for name, each in pictures],
    }
    words = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([struct.pack("<I", len(words)), words, *(each.tobytes() for _, each in pictures)])


def _answer(
    task: TaskConfig, result: FrameResult, model: ModelConfig, span: Span
) -> tuple[NDArray[np.uint8] | None, dict[str, Any]]:
    """The picture of a task, if it has one, and what its legend says."""
    output, (height, width) = result.outputs[task.name], result.frame.shape[:2]
    if task.kind == "segmentation":
        classes = class_map(output, height, width)
        colours = class_colours(task.labels, task.channels)[classes].astype(np.float32)
        grey = result.frame.astype(np.float32).mean(axis=2, keepdims=True)
        mixed = _OVER_PICTURE * colours + (1 - _OVER_PICTURE) * grey
        return mixed.astype(np.uint8), {"shares": class_shares(classes, task.channels).round(4).tolist()}
    if task.kind == "classification":
        return None, {"classes": [[each.label, round(each.probability, 4)] for each in top_classes(task, output)]}
    if task.kind == "features":
        grid = (model.grid_height, model.grid_width)
        return features_picture(output[model.prefix_tokens :], grid, height, width), {}
    values = upsample(output[:3] if task.channels == 3 else output[0], height, width)
    if task.channels == 3:
        return np.clip((values.transpose(1, 2, 0) + 1) * 127.5, 0, 255).astype(np.uint8), {}
    ticks = metre_ticks(span) if task.unit == "1/m" else value_ticks(span, task.unit)
    low, high = span
    return apply_depth_colours(values, low, high), {
        "ticks": sorted([round((value - low) / (high - low), 4), label] for value, label in ticks)
    }
