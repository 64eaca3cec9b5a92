"""Tables, bars and pictures of the notebooks."""

from __future__ import annotations

import importlib
import re
import sys

import numpy as np
from notebook_cells import NOTEBOOKS

sys.path.insert(0, str(NOTEBOOKS))
drawing = importlib.import_module("drawing")


def test_numbers_stand_to_the_right_with_thousands_separated() -> None:
    html = drawing.table(("what", "count"), [("<tokens>", 1290), ("experts", 8)])._repr_html_()
    assert "&lt;tokens&gt;" in html
    assert "<tokens>" not in html
    assert 'text-align:right;font-variant-numeric:tabular-nums">1,290</td>' in html
    assert html.count("text-align:left") == 3


def test_bars_are_as_long_as_their_values() -> None:
    parts = {"a": [1.0, 3.0], "b": [1.0, 1.0]}
    html = drawing.bars(["x", "y"], parts, "cycles")._repr_html_()
    assert [float(width) for width in re.findall(r"width:([0-9.]+)%", html)] == [25, 25, 75, 25]
    assert "2.00 cycles" in html
    assert "4.00 cycles" in html
    assert "nan" not in drawing.bars(["x"], {"a": [0]})._repr_html_()


def test_pictures_stand_side_by_side_enlarged_without_smoothing() -> None:
    values = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    shown = np.asarray(drawing.pictures({"one": values, "two": values[::-1]}, width=60))
    assert np.array_equal(shown[5:40:10, 5:60:10], values)
    assert np.array_equal(shown[5:40:10, -55::10], values[::-1])


def test_a_heat_map_is_darker_the_more() -> None:
    counts = np.array([[0, 2, 8], [8, 4, 1]])
    shown = np.asarray(drawing.heat_map(["a", "b"], ["x", "y", "z"], counts, "tokens")).astype(int)
    rows = [shown[row].sum(axis=1) for row in (60, 82)]  # just below the upper edges of the boxes
    left = shown.shape[1] - 3 * 38 - 14
    light = np.array([[row[left + 38 * column + 18] for column in range(3)] for row in rows])
    darkest_first = light.ravel()[np.argsort(-counts.ravel(), kind="stable")]
    assert darkest_first[0] == darkest_first[1], "the same count, the same colour"
    assert np.all(np.diff(darkest_first[1:]) > 0)


def test_a_waveform_has_levels_boxes_and_the_marked_cycle() -> None:
    html = drawing.waveform({"valid": [0, 1, 1], "<bus>": [7, -3, 0]}, first=40, marked=41)._repr_svg_()
    assert "&lt;bus&gt;" in html
    assert all(f">{text}</text>" in html for text in ("40", "42", "-3", "valid"))
    assert html.count("<polyline") == 1
    assert html.count("<rect") == 1 + 3
