"""Metrics on cases small enough for paper."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe_golden.data import metric_of
from edgemoe_golden.data.metrics import ClassMetric


def test_miou_counts_over_the_whole_data_set_and_ignores_255() -> None:
    metric = metric_of("semseg", 3)
    assert metric is not None
    assert metric.values() == {}
    metric.add(np.uint8([[0, 0, 1, 2]]), np.uint8([[0, 1, 1, 255]]))
    metric.add(np.uint8([[2, 2, 0, 0]]), np.uint8([[2, 0, 0, 0]]))
    # class 0: hits 3, predicted 4, true 4; class 1: 1, 1, 2; class 2: 1, 2, 1
    assert metric.values() == {"mIoU": pytest.approx((3 / 5 + 1 / 2 + 1 / 2) / 3)}


def test_a_class_that_never_occurs_stays_in_the_mean_as_0() -> None:
    metric = ClassMetric(4)
    metric.add(np.uint8([[0, 0, 2]]), np.uint8([[0, 0, 0]]))
    assert metric.by_class().tolist() == [2 / 3, 0, 0, 0]
    assert metric.values() == {"mIoU": (2 / 3) / 4}


def test_depth_rmse_is_over_known_pixels_of_all_pictures() -> None:
    metric = metric_of("depth", 1)
    assert metric is not None
    metric.add(np.float32([[2, 9]]), np.float32([[1, 0]]))
    metric.add(np.float32([[1, -4, 1]]), np.float32([[1, 3, 4]]))
    logs = np.log([2 / 1, 1, 1e-9 / 3, 1 / 4])
    expected = {"RMSE": np.sqrt((1 + 0 + 9 + 9) / 4), "log RMSE": np.sqrt((logs**2).mean())}
    assert metric.values() == pytest.approx(expected, rel=1e-6)


def test_mean_angle_of_known_directions() -> None:
    metric = metric_of("normals", 3)
    assert metric is not None
    target = np.float32([[[1, 0, 0], [0, 2, 0], [0, 0, 0]]])
    prediction = np.uint8([[[255, 127, 127], [255, 127, 127], [0, 0, 0]]])
    metric.add(prediction, target)
    assert metric.values()["mean angle"] == pytest.approx((0 + 90) / 2, abs=0.5)


def test_max_f_takes_the_best_threshold_of_means_over_pictures() -> None:
    metric = metric_of("sal", 1)
    assert metric is not None
    metric.add(np.uint8([[255, 140, 0, 0]]), np.uint8([[1, 0, 0, 0]]))
    metric.add(np.uint8([[255, 255, 140, 0]]), np.uint8([[1, 1, 1, 0]]))
    # Above 140/255: precision 1, 1; recall 1, 2/3. Below: precision 1/2, 1; recall 1, 1.
    high = 2 * 1 * (5 / 6) / (1 + 5 / 6)
    low = 2 * 0.75 * 1 / 1.75
    assert metric.values() == pytest.approx({"maxF": max(high, low), "mIoU": max((1 + 2 / 3) / 2, (1 / 2 + 1) / 2)})


def test_an_empty_picture_that_is_found_empty_overlaps_fully() -> None:
    metric = metric_of("sal", 1)
    assert metric is not None
    metric.add(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    assert metric.values()["mIoU"] == 1.0


def test_edges_are_not_scored() -> None:
    assert metric_of("edge", 1) is None
