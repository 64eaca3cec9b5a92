"""Panels: any model and any tasks, every text inside the page and clear of all others, the right figures shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgemoe.media import figures, legends, typeface
from edgemoe.media.canvas import LIGHT, Canvas
from edgemoe.media.colours import class_colours, expert_colours
from edgemoe.media.layout import CAPTION, Layout
from edgemoe.media.panel import PanelStyle, draw_panel
from edgemoe.media.spans import default_span
from edgemoe.media.typeface import fit, printable, text_width
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig
from tests.examples.media import model, result

SEGMENTATION = TaskConfig("semseg", "segmentation", 40)
NORMALS = TaskConfig("normals", "regression", 3)
METRES = TaskConfig("depth", "regression", 1, unit="m")

MODELS = {
    "small": model(),
    "tiny": model(image_height=128, image_width=256, experts=16, depth=12, moe_blocks=(1, 3, 5, 7, 9, 11)),
    "portrait": model(image_height=256, image_width=96),
    "one patch": model(image_height=16, image_width=16),
    "many patches": model(image_height=480, image_width=640, experts=16, top_k=4),
    "one task": model(tasks=(METRES,)),
    "three tasks": model(tasks=(SEGMENTATION, NORMALS, METRES)),
    "six tasks": model(tasks=tuple(replace(SEGMENTATION, name=f"t{index}") for index in range(6))),
    "no experts": model(moe_blocks=()),
    "one expert": model(experts=1, top_k=1),
    "64 experts": model(experts=64, top_k=2),
    "long names": model(
        tasks=(TaskConfig("a_very_long_task_name_that_no_tile_can_hold", "segmentation", 9, ("label " * 9,) * 9),)
    ),
}


def texts_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Record every text that a canvas draws, with its box."""
    seen: list[tuple[str, tuple[float, float, float, float]]] = []
    draw = Canvas.text

    def text(self: Canvas, x: float, y: float, words: str, size: int, colour: Any, anchor: str = "ls") -> None:
        if words:
            boxes = [each.getbbox(part, anchor=f"l{anchor[1]}") for part, each in typeface.runs(words, size)]
            left = x - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * text_width(words, size)
            top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
            seen.append((words, (left, y + top, left + text_width(words, size), y + bottom)))
        draw(self, x, y, words, size, colour, anchor)

    monkeypatch.setattr(Canvas, "text", text)
    return seen


def pictures_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Record every picture and colour bar that a canvas places, with its box."""
    seen: list[tuple[str, tuple[float, float, float, float]]] = []
    place = Canvas.picture

    def picture(self: Canvas, x: int, y: int, pixels: np.ndarray, radius: int = 0) -> None:
        seen.append((f"picture {len(seen)}", (x, y, x + pixels.shape[1], y + pixels.shape[0])))
        place(self, x, y, pixels, radius)

    monkeypatch.setattr(Canvas, "picture", picture)
    return seen


@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("name", ["frame-000001", "a name that goes on and on " * 20])
def test_texts_and_pictures_stay_on_the_page_and_clear_of_each_other(
    config: ModelConfig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, pictures = texts_of(monkeypatch), pictures_of(monkeypatch)
    panel = draw_panel(result(config), config, name, "1920×1080 → crop 1920×960 → 256×128 " * 5)
    height, width = panel.shape[:2]
    assert height % 2 == width % 2 == 0
    assert panel.dtype == np.uint8
    things = pictures + texts
    for words, (left, top, right, bottom) in things:
        assert min(left, top) >= 0, words
        assert right <= width, words
        assert bottom <= height, words
    for index, (words, box) in enumerate(things):
        for others, other in things[:index]:
            apart = box[0] >= other[2] or other[0] >= box[2] or box[1] >= other[3] or other[1] >= box[3]
            assert apart, f"'{words}' {box} overlaps '{others}' {other}"


def test_every_frame_of_a_run_gives_the_same_size() -> None:
    config = model()
    assert draw_panel(result(config, 1), config).shape == draw_panel(result(config, 2), config, "x" * 300).shape


def test_title_model_engine_hardware_time_and_cycles_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(monkeypatch)
    draw_panel(result(model()), model(), "crossing")
    written = "\n".join(words for words, _ in texts)
    for words in ("crossing", "example  ·  golden engine  ·  zcu102", "12.5 ms", "1,234,567 accelerator cycles"):
        assert words in written


def test_no_time_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(monkeypatch)
    draw_panel(replace(result(model()), timings_ms={}, counters={}), model())
    assert not [words for words, _ in texts if "ms" in words.split() or "cycles" in words]


def test_the_legend_names_only_classes_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    config, frame = model(), result(model())
    logits = np.full_like(frame.outputs["semseg"], -5)
    logits[5, :2] = 5
    logits[0, 2:] = 5
    texts = texts_of(monkeypatch)
    draw_panel(replace(frame, outputs={"semseg": logits}), config)
    written = [words for words, _ in texts]
    assert [words for words in written if words in config.tasks[0].labels] == ["road", "sky"]
    assert written.count("50 %") == 2


@pytest.mark.parametrize("block", [None, 1, 3])
def test_the_block_shown_can_be_chosen(block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    config = model(depth=4, moe_blocks=(1, 3))
    texts = texts_of(monkeypatch)
    draw_panel(result(config), config, style=PanelStyle(block=block))
    assert [words for words, _ in texts if words.startswith(f"block {block or 3},")]


def test_a_block_without_routing_is_refused() -> None:
    with pytest.raises(ValueError, match="block 0 has no routing to show; blocks with experts are 1"):
        draw_panel(result(model()), model(), style=PanelStyle(block=0))


def test_a_result_of_another_model_is_refused() -> None:
    frame = result(model())
    with pytest.raises(ValueError, match=r"frame: expected uint8 \(64, 48, 3\), found uint8 \(32, 48, 3\)"):
        draw_panel(frame, model(image_height=64))
    with pytest.raises(ValueError, match=r"outputs\['semseg'\]: expected float32"):
        draw_panel(replace(frame, outputs={"semseg": np.zeros((7, 4, 6))}), model())
    with pytest.raises(ValueError, match="expert 3 of a model with 3"):
        draw_panel(frame, model(experts=3))


def test_values_that_are_not_numbers_do_not_stop_a_panel() -> None:
    config, frame = model(tasks=(METRES, NORMALS)), result(model(tasks=(METRES, NORMALS)))
    broken = {name: np.full_like(values, np.nan) for name, values in frame.outputs.items()}
    assert draw_panel(replace(frame, outputs=broken), config).any()


def test_loads_count_every_choice_and_the_class_token(monkeypatch: pytest.MonkeyPatch) -> None:
    config = model()
    counted: list[np.ndarray] = []
    monkeypatch.setattr(legends, "load_bars", lambda canvas, x, y, width, counts, table: counted.append(counts))
    frame = result(config)
    draw_panel(frame, config)
    assert [int(counts.sum()) for counts in counted] == [config.tokens * config.top_k] * 2
    experts = frame.routing["semseg"][1][0]
    assert counted[0].tolist() == [int((experts == index).sum()) for index in range(4)]


def test_each_patch_has_the_colour_of_its_first_expert() -> None:
    frame = np.full((32, 48, 3), 255, np.uint8)
    experts = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 3]], np.uint16)
    table = expert_colours(4)
    shown = figures.expert_picture(frame, experts, table, (2, 3), 20)
    assert shown.shape == (40, 60, 3)
    for patch, (first, second) in enumerate(experts):
        row, column = divmod(patch, 3)
        tile = shown[row * 20 : row * 20 + 20, column * 20 : column * 20 + 20].astype(int)
        for place, expert in (((5, 5), first), ((18, 18), second)):
            distance = np.abs(table.astype(int) - tile[place]).sum(axis=1)
            assert int(distance.argmin()) == expert, f"patch {patch} at {place}"


def test_segmentation_shows_the_colour_of_the_class() -> None:
    table = class_colours((), 3)
    logits = np.zeros((3, 2, 4), np.float32)
    logits[1, :, :2] = 9
    logits[2, :, 2:] = 9
    shown = figures.segmentation_picture(np.full((8, 16, 3), 128, np.uint8), logits, table, 40, 80).astype(int)
    for column, index in ((10, 1), (70, 2)):
        assert int(np.abs(table.astype(int) - shown[20, column]).sum(axis=1).argmin()) == index


@pytest.mark.parametrize(
    ("unit", "values", "span"),
    [("1/m", [0.0, 0.5], (0.0, 0.5)), ("m", [2.0, 10.0], (10.0, 2.0)), ("", [3.0, 3.0], (2.5, 3.5))],
)
def test_near_is_the_warm_end(unit: str, values: list[float], span: tuple[float, float]) -> None:
    task = TaskConfig("depth", "regression", 1, unit=unit)
    spread = np.array(values * 500, np.float32).reshape(1, 20, 50)
    assert default_span(task, spread) == pytest.approx(span, rel=1e-3)


def test_ticks_of_inverse_depth_are_distances() -> None:
    ticks = legends.metre_ticks((0.0, 0.25))
    assert (0.0, "far") in ticks
    assert (0.25, "4 m") in ticks
    assert (0.05, "20 m") in ticks
    assert "3 m" not in [label for _, label in ticks]


@pytest.mark.parametrize("span", [(0.0, 1.0), (-3.2, 7.7), (10.0, 2.0), (0.0, 1e-5), (1000.0, 98000.0)])
def test_ticks_of_values_are_few_and_inside(span: tuple[float, float]) -> None:
    ticks = legends.value_ticks(span, "kg")
    assert 2 <= len(ticks) <= 6
    assert all(min(span) - 1e-9 <= value <= max(span) * (1 + 1e-9) for value, _ in ticks)
    assert ticks[-1][1].endswith(" kg")


def test_text_is_spelled_with_what_the_font_has_and_cut_to_fit() -> None:
    assert printable("Straße 3×4 → M³ViT – é 日") == "Strasse 3x4 > M3ViT - e ?"
    assert fit("short", 16, 500) == "short"
    cut = fit("a rather long line of text", 16, 90)
    assert cut.endswith("…")
    assert text_width(cut, 16) <= 90
    assert fit("anything", 16, 2) == ""


def test_the_theme_colours_the_page() -> None:
    panel = draw_panel(result(model()), model(), style=PanelStyle(theme=LIGHT))
    assert tuple(panel[0, 0]) == LIGHT.page


def test_pictures_are_whole_patches_and_wrapped_rows_leave_few_holes() -> None:
    layout = Layout.of(MODELS["tiny"], 2, True)
    assert (layout.height, layout.width) == (8 * layout.cell, 16 * layout.cell)
    assert layout.corner(0, 1)[1] - layout.corner(0, 0)[1] > CAPTION + layout.height
    assert [Layout.of(MODELS["tiny"], tasks, True).columns for tasks in (1, 2, 3, 4, 5, 6, 7)] == [
        2,
        3,
        4,
        3,
        3,
        4,
        4,
    ]
