"""Decoding: bilinear upsampling against hand-computed values, argmax afterwards, regression raw."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.media.decode import class_map, class_shares, decode
from edgemoe.media.interpolate import upsample
from edgemoe.spec.task import TaskConfig


def test_upsampling_by_two_weighs_quarters() -> None:
    assert upsample(np.array([[0.0, 4.0]], np.float32), 1, 4).tolist() == [[0, 1, 3, 4]]


def test_upsampling_both_ways() -> None:
    corners = np.array([[0, 8], [16, 24]], np.float32)
    assert upsample(corners, 4, 4).tolist() == [
        [0, 2, 6, 8],
        [4, 6, 10, 12],
        [12, 14, 18, 20],
        [16, 18, 22, 24],
    ]


def test_upsampling_by_three_and_down() -> None:
    assert upsample(np.array([[0, 3, 9]], np.float32), 1, 9).tolist() == [[0, 0, 1, 2, 3, 5, 7, 9, 9]]
    assert upsample(np.array([[0, 4, 8, 12]], np.float32), 1, 2).tolist() == [[2, 10]]


def test_one_cell_fills_everything_and_the_same_size_is_exact() -> None:
    assert (upsample(np.full((2, 1, 1), 7.25, np.float32), 5, 3) == 7.25).all()
    values = np.random.default_rng(0).random((3, 5, 7), np.float32)
    assert np.array_equal(upsample(values, 5, 7), values)


def test_classes_change_where_the_interpolated_logits_cross() -> None:
    logits = np.zeros((2, 1, 2), np.float32)
    logits[0, 0, 0] = 3
    logits[1, 0, 1] = 1
    # Class 0 falls 3 … 0, class 1 rises 0 … 1: they cross at 3/4 of the way between the two cell centres.
    labels = class_map(logits, 1, 16)
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[0] * 10 + [1] * 6]


def test_ties_go_to_the_lowest_class() -> None:
    assert (class_map(np.ones((5, 2, 2), np.float32), 4, 4) == 0).all()


def test_the_class_map_is_the_argmax_of_all_channels() -> None:
    logits = np.random.default_rng(1).normal(size=(9, 4, 6)).astype(np.float32)
    assert np.array_equal(class_map(logits, 13, 17), upsample(logits, 13, 17).argmax(axis=0))


@pytest.mark.parametrize(("channels", "shape"), [(1, (6, 8)), (3, (3, 6, 8))])
def test_regression_stays_in_its_unit(channels: int, shape: tuple[int, ...]) -> None:
    task = TaskConfig("depth", "regression", channels, unit="1/m")
    values = decode(task, np.full((channels, 3, 4), 0.125, np.float32), 6, 8)
    assert values.shape == shape
    assert values.dtype == np.float32
    assert (values == 0.125).all()


def test_shares_of_classes() -> None:
    shares = class_shares(np.array([[0, 2], [2, 2]], np.uint16), 4)
    assert shares.tolist() == [0.25, 0, 0.75, 0]
