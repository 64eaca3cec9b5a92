"""Colours: told apart by everybody, the same every time, depth in even steps from dark to light."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.media.colours import apply_depth_colours, class_colours, expert_colours
from edgemoe.media.palette import CLASSES, DEPTH, EXPERTS, NAMED_CLASSES
from tests.examples.colour_science import candidates, closest, even_path, farthest_first, from_oklab, to_oklab
from tests.examples.media import STREET

# Far (dark, cold) to near (light, warm); lightness rises throughout, so that it also reads in grey.
DEPTH_ANCHORS = ("0d1030", "2b2268", "6b2f8f", "b23b83", "e8584f", "fb9a3c", "fdd56b", "fff8dc")


# 0.02 is about a just noticeable difference in Oklab.
@pytest.mark.parametrize(
    ("table", "distance"),
    [
        (class_colours(STREET, 7), 0.11),
        (class_colours((), 21), 0.07),
        (class_colours((), 40), 0.045),
        (class_colours((*STREET, "bench", "dog", "kite"), 10), 0.09),
        (expert_colours(4), 0.20),
        (expert_colours(16), 0.07),
        (expert_colours(32), 0.045),
    ],
    ids=["street", "21 classes", "40 classes", "street + 3", "4 experts", "16 experts", "32 experts"],
)
def test_colours_can_be_told_apart(table: np.ndarray, distance: float) -> None:
    assert closest(table.astype(int)) >= distance


def test_the_palettes_are_those_of_the_search() -> None:
    named = np.array(list(NAMED_CLASSES.values()))
    dark = candidates(np.linspace(0.40, 0.86, 8), np.array([0.06, 0.10, 0.14, 0.18]))
    light = candidates(np.linspace(0.58, 0.90, 7), np.array([0.09, 0.12, 0.15, 0.18]))
    assert np.array_equal(CLASSES, farthest_first(dark, len(CLASSES), named))
    assert np.array_equal(EXPERTS, farthest_first(light, len(EXPERTS), named[:0]))
    assert np.array_equal(DEPTH, even_path(np.array([list(bytes.fromhex(anchor)) for anchor in DEPTH_ANCHORS]), 256))


@pytest.mark.parametrize("table", [class_colours((), 64), class_colours(STREET, 64), expert_colours(64)])
def test_64_colours_are_more_than_just_noticeably_different(table: np.ndarray) -> None:
    assert closest(table.astype(int)) > 0.02


def test_more_classes_and_experts_than_colours_use_them_again() -> None:
    assert np.array_equal(expert_colours(70)[64:], expert_colours(6))
    assert np.array_equal(class_colours((), 70)[64:], class_colours((), 6))
    assert class_colours((), 0).shape == expert_colours(0).shape == (0, 3)


def test_known_labels_keep_their_colours_in_any_order() -> None:
    table = class_colours(("dog", "sky", "road"), 3)
    assert tuple(table[1]) == NAMED_CLASSES["sky"]
    assert tuple(table[2]) == NAMED_CLASSES["road"]


def test_oklab_of_white_and_the_way_back() -> None:
    assert np.allclose(to_oklab(np.array([255, 255, 255])), [1, 0, 0], atol=1e-4)
    colours = np.random.default_rng(0).integers(0, 256, (200, 3))
    assert np.array_equal(np.rint(from_oklab(to_oklab(colours))), colours)


def test_depth_rises_in_lightness_by_even_steps() -> None:
    seen = to_oklab(DEPTH.astype(int))
    assert DEPTH.shape == (256, 3)
    assert (np.diff(seen[:, 0]) > 0).all()
    steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    assert steps.max() < 3 * steps.mean()


def test_depth_is_applied_between_the_ends_and_nothing_else_counts() -> None:
    table = DEPTH
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0, np.nan, np.inf]])
    shown = apply_depth_colours(values, 0, 1)[0]
    assert np.array_equal(shown[:5], table[[0, 0, 128, 255, 255]])
    assert (shown[5:] == 128).all()
    assert np.array_equal(apply_depth_colours(np.array([[0.0, 10.0]]), 10, 0)[0], table[[255, 0]])
    assert apply_depth_colours(np.ones((1, 2)), 1, 1).shape == (1, 2, 3)
