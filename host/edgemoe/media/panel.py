"""One page per frame: the input, every task's answer with its legend, and the experts that the patches went to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.media import figures, legends
from edgemoe.media.canvas import DARK, Canvas, RGBPicture, Theme, fit, text_width
from edgemoe.media.classes import top_classes
from edgemoe.media.colours import class_colours, expert_colours
from edgemoe.media.decode import class_map, class_shares, decoded_map
from edgemoe.media.layout import CAPTION, LEGEND, MARGIN, Layout
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import path_part
from edgemoe.spec.task import TaskConfig

Span = tuple[float, float]

TASK_TITLES = {
    "semseg": "Segmentation",
    "depth": "Depth",
    "human_parts": "Human parts",
    "sal": "Saliency",
    "normals": "Surface normals",
    "edge": "Edges",
}
_RADIUS = 10
_LEGEND_GAP = 14


@dataclass(frozen=True)
class PanelStyle:
    """How panels look.

    theme: colours of the page.
    block: the MoE block whose routing is shown; None means the last one that the result holds.
    spans: task → values at the cold and the warm end; a task without one gets the span of the frame (`default_span`).
    """

    theme: Theme = DARK
    block: int | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


def default_span(task: TaskConfig, output: NDArray[np.float32]) -> Span:
    """Values of channel 0 of C×h×w that get the cold and the warm end of the colours, robust to outliers.

    1/m: 0 to the 99.5 % quantile. Others: 1 % to 99 % quantile, the other way round for m, so that near is warm.
    """
    finite = output[0][np.isfinite(output[0])]
    if not finite.size:
        return 0.0, 1.0
    if task.unit == "1/m":
        high = float(np.quantile(finite, 0.995))
        return 0.0, high if high > 1e-6 else 1.0
    low, high = (float(value) for value in np.quantile(finite, (0.01, 0.99)))
    if high - low <= 1e-6:
        low, high = low - 0.5, high + 0.5
    return (high, low) if task.unit == "m" else (low, high)


def draw_panel(
    result: FrameResult, model: ModelConfig, name: str = "", statement: str = "", style: PanelStyle | None = None
) -> RGBPicture:
    """Draw the panel of one frame: uint8 height×width×3, sides even and the same for every frame of a run.

    name: title, e.g. the file's. statement: what was done to the picture (`Resized.statement`).
    Raises ArgumentError when the result does not fit the model or the block to show was not recorded.
    """
    result.check(model)
    look = style or PanelStyle()
    tasks = [task for task in model.tasks if task.name in result.outputs]
    routed = any(result.routing.get(task.name) for task in tasks)
    maps = _maps(result, model)
    layout = Layout.of(model, len(tasks) + len(maps), routed)
    height, width = layout.page
    canvas = Canvas(width, height, look.theme)
    _header(canvas, result, name or "frame")
    _input(canvas, layout, result, model, statement, routed)
    for index, task in enumerate(tasks, start=1):
        if task.kind == "segmentation":
            _segmentation(canvas, layout, index, task, result)
        elif task.kind == "classification":
            _classification(canvas, layout, index, task, result)
        elif task.kind == "features":
            _features(canvas, layout, index, task, result, model)
        else:
            _regression(canvas, layout, index, task, result, look)
        if result.routing.get(task.name):
            _experts(canvas, layout, index, task, result, model, look)
    for index, (title, planes) in enumerate(maps, start=len(tasks) + 1):
        _decoded(canvas, layout, index, title, planes, result)
    return canvas.to_array()


def _maps(result: FrameResult, model: ModelConfig) -> list[tuple[str, NDArray[np.float32]]]:
    """What a host decoder gave that lies over the picture, by name."""
    found = ((name, decoded_map(value, model)) for name, value in result.decoded.items())
    return [(name, planes) for name, planes in found if planes is not None]


def _header(canvas: Canvas, result: FrameResult, name: str) -> None:
    theme, right = canvas.theme, canvas.width - MARGIN
    time = _time(result)
    canvas.text(right, 62, time, 34, theme.ink, "rs")
    cycles = result.counters.get("cycles")
    below = "  ·  ".join(
        part for part in ("on this host" if time else "", f"{cycles:,} accelerator cycles" if cycles else "") if part
    )
    canvas.text(right, 90, below, legends.TEXT, theme.muted, "rs")
    room = right - MARGIN - max(text_width(time, 34), text_width(below, legends.TEXT)) - 48
    canvas.text(MARGIN, 62, fit(name, 34, room), 34, theme.ink)
    origin = f"{result.model}  ·  {result.engine} engine  ·  {result.hardware}"
    canvas.text(MARGIN, 90, fit(origin, legends.TEXT, room), legends.TEXT, theme.muted)


def _time(result: FrameResult) -> str:
    total = result.timings_ms.get("total")
    if total is None:
        return ""
    if total >= 10_000:
        return f"{total / 1000:.1f} s"
    return f"{total:.0f} ms" if total >= 100 else f"{total:.3g} ms"


def _tile(
    canvas: Canvas, layout: Layout, index: int, row: int, title: str, detail: str, picture: RGBPicture
) -> tuple[int, int]:
    """Draw caption and picture; returns the top left of the legend."""
    x, y = layout.corner(index, row)
    canvas.text(x, y + 24, title, 22, canvas.theme.ink)
    room = layout.column - text_width(title, 22) - 24
    canvas.text(x + layout.column, y + 24, fit(detail, legends.TEXT, room), legends.TEXT, canvas.theme.faint, "rs")
    if layout.width < layout.column:
        canvas.box(x, y + CAPTION, layout.column, layout.height, canvas.theme.raised, _RADIUS)
    canvas.picture(x + (layout.column - layout.width) // 2, y + CAPTION, picture, _RADIUS)
    return x, y + CAPTION + layout.height + _LEGEND_GAP


def _input(
    canvas: Canvas, layout: Layout, result: FrameResult, model: ModelConfig, statement: str, routed: bool
) -> None:
    picture = figures.input_picture(result.frame, layout.height, layout.width)
    size = f"{model.image_width}×{model.image_height} pixels"
    x, y = _tile(canvas, layout, 0, 0, "Input", size, picture)
    canvas.text(x, y + 14, fit(statement, legends.TEXT, layout.column), legends.TEXT, canvas.theme.muted)
    if not routed:
        return
    x, y = layout.corner(0, 1)
    canvas.text(x, y + 24, "Run", 22, canvas.theme.ink)
    canvas.box(x, y + CAPTION, layout.column, layout.height + LEGEND, canvas.theme.raised, _RADIUS)
    facts = _facts(result, model)
    pitch = min(40, (layout.height + LEGEND - 24) // len(facts))
    legends.fact_list(canvas, x + 20, y + CAPTION + 12, layout.column - 40, facts, pitch)


def _facts(result: FrameResult, model: ModelConfig) -> list[tuple[str, str]]:
    facts = [
        ("Model", f"{result.model}, {model.depth} blocks of width {model.width}, {model.heads} heads"),
        ("Tokens", f"{model.tokens} = {model.grid_width} x {model.grid_height} patches{_prefix(model)}"),
        ("Experts", f"{model.top_k} of {model.experts} per token, in blocks {', '.join(map(str, model.moe_blocks))}"),
        ("Engine", result.engine),
        ("Hardware", result.hardware),
    ]
    timings = {key.replace("_", " "): value for key, value in result.timings_ms.items() if value >= 0.05}
    facts += [(f"Time, {key}", f"{value:,.1f} ms") for key, value in timings.items()]
    facts += [(key.replace("_", " ").capitalize(), f"{value:,}") for key, value in result.counters.items()]
    return facts[:10]


def _prefix(model: ModelConfig) -> str:
    if model.prefix_tokens == 1:
        return " + class token"
    return f" + {model.prefix_tokens} prefix tokens" if model.prefix_tokens else ""


def _title(task: TaskConfig) -> str:
    return TASK_TITLES.get(task.name, task.name.replace("_", " ").capitalize())


def _segmentation(canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult) -> None:
    logits = result.outputs[task.name]
    table = class_colours(task.labels, task.channels)
    picture = figures.segmentation_picture(result.frame, logits, table, layout.height, layout.width)
    detail = f"{task.channels} classes"
    x, y = _tile(canvas, layout, index, 0, _title(task), detail, picture)
    labels = task.labels or tuple(f"class {number}" for number in range(task.channels))
    shares = class_shares(class_map(logits, *result.frame.shape[:2]), task.channels)
    legends.class_legend(canvas, x, y, layout.column, labels, shares, table)


def _classification(canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult) -> None:
    """Bars in place of a picture."""
    classes = top_classes(task, result.outputs[task.name])
    page = np.full((layout.height, layout.width, 3), canvas.theme.raised, dtype=np.uint8)
    _tile(canvas, layout, index, 0, _title(task), f"{task.channels} classes", page)
    x, y = layout.corner(index, 0)
    canvas.box(x, y + CAPTION, layout.column, layout.height, canvas.theme.raised, _RADIUS)
    legends.class_bars(canvas, x + 24, y + CAPTION + 12, layout.column - 48, layout.height - 24, classes)


def _features(
    canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult, model: ModelConfig
) -> None:
    patches = result.outputs[task.name][model.prefix_tokens :]
    grid = (model.grid_height, model.grid_width)
    picture = figures.features_picture(patches, grid, layout.height, layout.width)
    _tile(canvas, layout, index, 0, _title(task), f"{model.width} per token, three strongest directions", picture)


def _regression(
    canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult, look: PanelStyle
) -> None:
    output = result.outputs[task.name]
    vectors = task.channels == 3
    shown = output if vectors else output[0]
    span = look.spans.get(task.name) or default_span(task, output)
    picture = figures.regression_picture(shown, span, layout.height, layout.width)
    x, y = _tile(canvas, layout, index, 0, _title(task), _regression_detail(task), picture)
    if not vectors:
        legends.colour_bar(canvas, x, y, layout.column, span, task.unit)


def _decoded(
    canvas: Canvas, layout: Layout, index: int, name: str, planes: NDArray[np.float32], result: FrameResult
) -> None:
    """A map of a host decoder: one channel by its values, several as classes by the largest."""
    task = TaskConfig(
        path_part(name).replace(".", "_"), "regression" if len(planes) == 1 else "segmentation", len(planes)
    )
    if len(planes) > 1:
        shown = replace(result, outputs={task.name: planes})
        _segmentation(canvas, layout, index, task, shown)
        return
    span = default_span(task, planes)
    picture = figures.regression_picture(planes[0], span, layout.height, layout.width)
    x, y = _tile(canvas, layout, index, 0, _title(task), "decoded on this host", picture)
    legends.colour_bar(canvas, x, y, layout.column, span, task.unit)


def _regression_detail(task: TaskConfig) -> str:
    if task.channels == 3:
        return "x, y, z as red, green, blue"
    if task.channels > 1:
        return f"channel 0 of {task.channels}"
    known = {"1/m": "from inverse depth, near is warm", "m": "near is warm", "": ""}
    return known.get(task.unit, f"in {task.unit}")


def _experts(
    canvas: Canvas,
    layout: Layout,
    index: int,
    task: TaskConfig,
    result: FrameResult,
    model: ModelConfig,
    look: PanelStyle,
) -> None:
    blocks = result.routing[task.name]
    block = max(blocks) if look.block is None else look.block
    if block not in blocks:
        known = ", ".join(str(number) for number in sorted(blocks))
        raise ArgumentError(f"block {block} has no routing to show; blocks with experts are {known}")
    experts = blocks[block][0]
    table = expert_colours(model.experts)
    grid = (model.grid_height, model.grid_width)
    picture = figures.expert_picture(result.frame, experts[model.prefix_tokens :], table, grid, layout.cell)
    detail = f"block {block}, first choice" + (" (corner: second)" if model.top_k > 1 and layout.cell >= 16 else "")
    x, y = _tile(canvas, layout, index, 1, f"Experts for {_title(task).lower()}", detail, picture)
    counts = np.bincount(experts.ravel(), minlength=model.experts)
    legends.load_bars(canvas, x, y, layout.column, counts, table)
