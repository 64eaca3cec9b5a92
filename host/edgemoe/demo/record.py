"""The demonstration as a file: panels one after the other, as MP4 or as an animated WebP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from edgemoe.accelerator import Accelerator
from edgemoe.errors import ArgumentError
from edgemoe.media.canvas import RGBPicture
from edgemoe.media.panel import PanelStyle
from edgemoe.media.sources import SourceFrame
from edgemoe.media.spans import Span, default_span, steady_span
from edgemoe.media.video_writer import VideoWriter
from edgemoe.spec.files import write_atomically
from edgemoe.spec.model import ModelConfig

_WEBP_WIDTH = 1032  # pixels; a page shows it at about that
_QUALITY = 55


def record(
    accelerator: Accelerator,
    model: ModelConfig,
    source: Callable[[], Iterator[SourceFrame]],
    path: Path,
    frames: int,
    rate: float,
    tasks: tuple[str, ...] | None = None,
) -> int:
    """Write `frames` panels at `rate` per second; the source begins again where it ends. Returns their number.

    Raises ArgumentError for another ending than .mp4 and .webp; whatever frames, engine and disk raise.
    """
    kind = path.suffix.lower()
    if kind not in (".mp4", ".webp"):
        raise ArgumentError(f"--record {path}: name a file that ends in .mp4 or .webp")
    laps = chain.from_iterable(each() for each in repeat(source))
    panels = _panels(accelerator, model, islice(laps, frames), tasks)
    shown = tqdm(panels, total=frames, desc=f"recording {path.name}", unit="frame", file=sys.stderr)
    if kind == ".webp":
        return _webp([_smaller(panel) for panel in shown], path, rate)
    writer = VideoWriter(path, rate)
    count = 0
    try:
        for count, panel in enumerate(shown, start=1):  # noqa: B007 (the number is wanted afterwards)
            writer.write(panel)
        writer.close()
    except BaseException:
        writer.discard()
        raise
    return count


def _panels(
    accelerator: Accelerator, model: ModelConfig, frames: Iterator[SourceFrame], tasks: tuple[str, ...] | None
) -> Iterator[RGBPicture]:
    spans: dict[str, Span] = {}
    for frame in frames:
        result = accelerator(frame.picture, tasks)
        for task in model.tasks:
            if task.kind == "regression" and task.name in result.outputs:
                now = default_span(task, result.outputs[task.name])
                spans[task.name] = steady_span(task.unit, spans.get(task.name), now)
        named = type(result).of(result, model, result.resized, frame.source) if result.resized else result
        yield np.asarray(named.panel(PanelStyle(spans=dict(spans), whole_legend=True)))


def _smaller(panel: RGBPicture) -> Image.Image:
    height = round(panel.shape[0] * _WEBP_WIDTH / panel.shape[1])
    return Image.fromarray(panel).resize((_WEBP_WIDTH, height), Image.Resampling.LANCZOS)


def _webp(panels: list[Image.Image], path: Path, rate: float) -> int:
    def write(draft: Path) -> None:
        panels[0].save(
            draft, format="WEBP", save_all=True, append_images=panels[1:], duration=round(1000 / rate), loop=0,
            quality=_QUALITY, method=6,
        )  # fmt: skip

    write_atomically(path, write)
    return len(panels)
