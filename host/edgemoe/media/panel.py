"""One page per frame: the input, every task's answer with its legend, and the experts that the patches went to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.media import figures, legends
from edgemoe.media.canvas import DARK, Canvas, RGBPicture, Theme
from edgemoe.media.classes import top_classes
from edgemoe.media.colours import class_colours, expert_colours
from edgemoe.media.decode import class_map, class_shares, decoded_map
from edgemoe.media.layout import CAPTION, LEGEND, Layout
from edgemoe.media.panel_facts import draw_header, facts_of
from edgemoe.media.spans import Span, default_span
from edgemoe.media.typeface import fit, text_width
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import path_part
from edgemoe.spec.task import TaskConfig

TASK_TITLES = {
    "semseg": "Segmentation",
    "depth": "Depth",
    "human_parts": "Human parts",
    "sal": "Saliency",
    "normals": "Surface normals",
    "edge": "Edges",
}
Box = tuple[int, int, int, int]

_RADIUS = 10
_LEGEND_GAP = 14


@dataclass(frozen=True)
class PanelStyle:
    """How panels look.

    theme: colours of the page.
    block: the MoE block whose routing is shown; None means the last one that the result holds.
    spans: task → values at the cold and the warm end; a task without one gets the span of the frame (`default_span`).
    whole_legend: names every class, also those that are not in the picture, so that nothing moves from frame to frame.
    """

    theme: Theme = DARK
    block: int | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)
    whole_legend: bool = False


def draw_panel(
    result: FrameResult,
    model: ModelConfig,
    name: str = "",
    statement: str = "",
    style: PanelStyle | None = None,
    inner: Box | None = None,
) -> RGBPicture:
    """Draw the panel of one frame: uint8 height×width×3, sides even and the same for every frame of a run.

    name: title, e.g. the file's. statement: what was done to the picture (`Resized.statement`). inner: the part of the
    frame that is picture (`Resized.inner`); what a task says of the border around it is not shown.
    Raises ArgumentError when the result does not fit the model or the block to show was not recorded.
    """
    result.check(model)
    look = style or PanelStyle()
    inner = None if inner == (0, 0, model.image_width, model.image_height) else inner
    tasks = [task for task in model.tasks if task.name in result.outputs]
    routed = any(result.routing.get(task.name) for task in tasks)
    maps = _maps(result, model)
    layout = Layout.of(model, len(tasks) + len(maps), routed)
    height, width = layout.page
    canvas = Canvas(width, height, look.theme)
    draw_header(canvas, result, name or "frame")
    _input(canvas, layout, result, model, statement, routed)
    for index, task in enumerate(tasks, start=1):
        if task.kind == "segmentation":
            _segmentation(canvas, layout, index, task, result, look, inner)
        elif task.kind == "classification":
            _classification(canvas, layout, index, task, result)
        elif task.kind == "features":
            _features(canvas, layout, index, task, result, model)
        else:
            _regression(canvas, layout, index, task, result, look, inner)
        if result.routing.get(task.name):
            _experts(canvas, layout, index, task, result, model, look)
    for index, (title, planes) in enumerate(maps, start=len(tasks) + 1):
        _decoded(canvas, layout, index, title, planes, result, look, inner)
    return canvas.to_array()


def _maps(result: FrameResult, model: ModelConfig) -> list[tuple[str, NDArray[np.float32]]]:
    """What a host decoder gave that lies over the picture, by name."""
    found = ((name, decoded_map(value, model)) for name, value in result.decoded.items())
    return [(name, planes) for name, planes in found if planes is not None]


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
    facts = facts_of(result, model)
    pitch = min(40, (layout.height + LEGEND - 24) // len(facts))
    legends.fact_list(canvas, x + 20, y + CAPTION + 12, layout.column - 40, facts, pitch)


def title_of(task: TaskConfig) -> str:
    """What people call a task."""
    return TASK_TITLES.get(task.name, task.name.replace("_", " ").capitalize())


def _segmentation(
    canvas: Canvas,
    layout: Layout,
    index: int,
    task: TaskConfig,
    result: FrameResult,
    look: PanelStyle,
    inner: Box | None,
) -> None:
    logits = result.outputs[task.name]
    table = class_colours(task.labels, task.channels)
    picture = figures.segmentation_picture(result.frame, logits, table, layout.height, layout.width, inner)
    x, y = _tile(canvas, layout, index, 0, title_of(task), f"{task.channels} classes", picture)
    labels = task.labels or tuple(f"class {number}" for number in range(task.channels))
    left, top, right, bottom = inner or (0, 0, result.frame.shape[1], result.frame.shape[0])
    classes = class_map(logits, *result.frame.shape[:2])[top:bottom, left:right]
    shares = class_shares(classes, task.channels)
    legends.class_legend(canvas, x, y, layout.column, labels, shares, table, look.whole_legend)


def _classification(canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult) -> None:
    """Bars in place of a picture."""
    classes = top_classes(task, result.outputs[task.name])
    page = np.full((layout.height, layout.width, 3), canvas.theme.raised, dtype=np.uint8)
    _tile(canvas, layout, index, 0, title_of(task), f"{task.channels} classes", page)
    x, y = layout.corner(index, 0)
    canvas.box(x, y + CAPTION, layout.column, layout.height, canvas.theme.raised, _RADIUS)
    legends.class_bars(canvas, x + 24, y + CAPTION + 12, layout.column - 48, layout.height - 24, classes)


def _features(
    canvas: Canvas, layout: Layout, index: int, task: TaskConfig, result: FrameResult, model: ModelConfig
) -> None:
    patches = result.outputs[task.name][model.prefix_tokens :]
    grid = (model.grid_height, model.grid_width)
    picture = figures.features_picture(patches, grid, layout.height, layout.width)
    _tile(canvas, layout, index, 0, title_of(task), f"{model.width} per token, three strongest directions", picture)


def _regression(
    canvas: Canvas,
    layout: Layout,
    index: int,
    task: TaskConfig,
    result: FrameResult,
    look: PanelStyle,
    inner: Box | None,
) -> None:
    output = result.outputs[task.name]
    vectors = task.channels == 3
    shown = output if vectors else output[0]
    span = look.spans.get(task.name) or default_span(task, output, inner, result.frame.shape[:2])
    part = None if inner is None else (result.frame.shape[:2], inner)
    picture = figures.regression_picture(shown, span, layout.height, layout.width, part)
    x, y = _tile(canvas, layout, index, 0, title_of(task), _regression_detail(task), picture)
    if not vectors:
        legends.colour_bar(canvas, x, y, layout.column, span, task.unit)


def _decoded(
    canvas: Canvas,
    layout: Layout,
    index: int,
    name: str,
    planes: NDArray[np.float32],
    result: FrameResult,
    look: PanelStyle,
    inner: Box | None,
) -> None:
    """A map of a host decoder: one channel by its values, several as classes by the largest."""
    task = TaskConfig(
        path_part(name).replace(".", "_"), "regression" if len(planes) == 1 else "segmentation", len(planes)
    )
    if len(planes) > 1:
        shown = replace(result, outputs={task.name: planes})
        _segmentation(canvas, layout, index, task, shown, look, inner)
        return
    span = look.spans.get(task.name) or default_span(task, planes, inner, result.frame.shape[:2])
    picture = figures.regression_picture(planes[0], span, layout.height, layout.width)
    x, y = _tile(canvas, layout, index, 0, title_of(task), "decoded on this host", picture)
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
    x, y = _tile(canvas, layout, index, 1, f"Experts for {title_of(task).lower()}", detail, picture)
    counts = np.bincount(experts.ravel(), minlength=model.experts)
    legends.load_bars(canvas, x, y, layout.column, counts, table)
