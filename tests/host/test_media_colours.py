"""Colours: told apart by everybody, the same every time, depth in even steps from dark to light."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.media.colours import (
    NAMED_CLASSES,
    apply_depth_colours,
    class_colours,
    depth_colours,
    expert_colours,
    from_oklab,
    to_oklab,
    to_oklab_deuteranope,
)
from tests.examples.media import STREET


def closest(table: np.ndarray) -> float:
    """Smallest Oklab distance of two colours, as most people and as deuteranopes see them."""
    smallest = np.inf
    for see in (to_oklab, to_oklab_deuteranope):
        seen = see(table.astype(int))
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        smallest = min(smallest, distance[~np.eye(len(table), dtype=bool)].min())
    return float(smallest)


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
    assert closest(table) >= distance


def test_known_labels_keep_their_colours_in_any_order() -> None:
    table = class_colours(("dog", "sky", "road"), 3)
    assert tuple(table[1]) == NAMED_CLASSES["sky"]
    assert tuple(table[2]) == NAMED_CLASSES["road"]


def test_oklab_of_white_and_the_way_back() -> None:
    assert np.allclose(to_oklab(np.array([255, 255, 255])), [1, 0, 0], atol=1e-4)
    colours = np.random.default_rng(0).integers(0, 256, (200, 3))
    assert np.array_equal(np.rint(from_oklab(to_oklab(colours))), colours)


def test_depth_rises_in_lightness_by_even_steps() -> None:
    seen = to_oklab(depth_colours().astype(int))
    assert depth_colours().shape == (256, 3)
    assert (np.diff(seen[:, 0]) > 0).all()
    steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    assert steps.max() < 3 * steps.mean()


def test_depth_is_applied_between_the_ends_and_nothing_else_counts() -> None:
    table = depth_colours()
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0, np.nan, np.inf]])
    shown = apply_depth_colours(values, 0, 1)[0]
    assert np.array_equal(shown[:5], table[[0, 0, 128, 255, 255]])
    assert (shown[5:] == 128).all()
    assert np.array_equal(apply_depth_colours(np.array([[0.0, 10.0]]), 10, 0)[0], table[[255, 0]])
    assert apply_depth_colours(np.ones((1, 2)), 1, 1).shape == (1, 2, 3)
