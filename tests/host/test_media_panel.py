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
from edgemoe.media.panel_facts import facts_of
from edgemoe.media.spans import default_span, steady_span
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


@pytest.mark.parametrize(
    ("counters", "large", "small"),
    [
        (
            {"cycles": 471_603},
            "1.57 ms",
            "accelerator at 300 MHz, counted  ·  471,603 accelerator cycles",
        ),
        ({}, "≈ 2 ms", "accelerator at 300 MHz, estimated  ·  12.5 ms on this host"),
    ],
)
def test_the_accelerators_time_is_larger_than_the_hosts(
    counters: dict[str, int], large: str, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cycles at the clock: counted ones before an estimate, and said which."""
    frame = replace(result(model()), counters=counters, clock_mhz=300, estimated_cycles=600_000)
    sizes: dict[str, int] = {}
    draw = Canvas.text

    def text(self: Canvas, x: float, y: float, words: str, size: int, colour: Any, anchor: str = "ls") -> None:
        sizes[words] = size
        draw(self, x, y, words, size, colour, anchor)

    monkeypatch.setattr(Canvas, "text", text)
    draw_panel(frame, model())
    (below,) = [words for words in sizes if words.startswith(small)]
    assert sizes[large] > sizes[below]


def test_the_table_of_the_run_has_the_same_rows_whatever_the_engine_counts() -> None:
    counted = {"cycles": 1000, "mac_busy_cycles": 910, "bytes_read": 5_000_000, "softmax_cycles": 3}
    for timings in ({}, {"total": 12.5}, {"total": 0.01, "engine": 0.001}):
        tables = [
            dict(facts_of(replace(result(model()), counters=counters, timings_ms=timings), model()))
            for counters in ({}, {"experts_run": 4}, counted)
        ]
        assert len({tuple(table) for table in tables}) == 1
        assert tables[0]["Cycles"] == tables[0]["Array busy"] == "not counted by this engine"
        assert (tables[2]["Cycles"], tables[2]["Array busy"], tables[2]["Memory read"]) == ("1,000", "91 %", "5.00 MB")


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


def test_the_legend_of_a_video_names_every_class_in_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing moves when a class comes or goes, or when another one becomes the largest."""
    config, places = model(), []
    texts = texts_of(monkeypatch)
    for seed in range(3):
        frame = result(config, seed)
        logits = np.full_like(frame.outputs["semseg"], -5)
        logits[seed] = 5
        logits[6, seed, seed] = 9
        texts.clear()
        draw_panel(replace(frame, outputs={"semseg": logits}), config, style=PanelStyle(whole_legend=True))
        places.append([(words, box[:2]) for words, box in texts if words in config.tasks[0].labels])
    assert [words for words, _ in places[0]] == list(config.tasks[0].labels)
    assert places[0] == places[1] == places[2]


def test_the_border_around_a_picture_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--resize pad`: rows 8 … 23 of 32 are picture; the border says sky, which must not count."""
    config = model(moe_blocks=())
    frame = result(config)
    logits = np.full_like(frame.outputs["semseg"], -5)
    logits[0] = 5
    logits[5, 0], logits[5, -1] = 9, 9
    shown = replace(frame, outputs={"semseg": logits, "depth": frame.outputs["depth"]})
    texts, pictures = texts_of(monkeypatch), []
    place = Canvas.picture
    monkeypatch.setattr(Canvas, "picture", lambda self, *rest: (pictures.append(rest[2]), place(self, *rest))[1])
    draw_panel(shown, config, inner=(0, 8, 48, 24))
    assert [words for words, _ in texts if words in config.tasks[0].labels] == ["road"]
    segmentation, depth = pictures[1], pictures[2]
    for picture in (segmentation, depth):
        assert len(np.unique(picture[: len(picture) // 5])) == 1
        assert len(np.unique(picture[len(picture) // 3 : len(picture) // 2])) > 1


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


def test_the_scale_of_a_video_stays_and_grows_to_round_values() -> None:
    spans = [None]
    for near in (0.13, 0.11, 0.05, 0.18, 0.02):
        spans.append(steady_span("1/m", spans[-1], (0.0, near)))
    assert [None if span is None else round(1 / span[1], 6) for span in spans] == [None, 7, 7, 7, 5, 5]
    first = steady_span("m", None, (37.0, 2.2))
    assert first == (40.0, 0.0)
    assert steady_span("m", first, (30.0, 3.0)) == first
    assert steady_span("", (0.0, 1.0), (-0.2, 0.8)) == pytest.approx((-0.2, 1.0))


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


def test_letters_that_the_font_lacks_come_from_the_system_or_are_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of files, and the × and → of the console."""
    monkeypatch.setattr(typeface, "_SYSTEM", ())
    typeface.runs.cache_clear()
    typeface._system_fonts.cache_clear()
    try:
        assert "".join(part for part, _ in typeface.runs("3×4 → ä 猫", 16)) == "3x4 > a ?"
        plain = text_width("ä", 16)
        assert plain == text_width("a", 16)
    finally:
        monkeypatch.undo()
        typeface.runs.cache_clear()
        typeface._system_fonts.cache_clear()
    if not typeface._system_fonts(16):
        pytest.skip("this system has no font of those that are looked for")
    assert "".join(part for part, _ in typeface.runs("3×4 → ä", 16)) == "3×4 → ä"


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
