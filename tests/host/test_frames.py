"""How pictures and results lie in memory: every kind of task, value by value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemoe.compiler.program import OutputRecord, RoutingRecord
from edgemoe.frames import head_output, input_image, read_rows, routing_of
from edgemoe.spec.model import load_model_config
from edgemoe.spec.task import TaskConfig

MICRO = load_model_config("micro")
DENSE = replace(MICRO, moe_blocks=(), head_cells=1, prefix_tokens=3)
ADDRESS, SCALE = 48, 0.25


def stored(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    """An output region with these rows at ADDRESS, each filled up to whole words of 16 bytes."""
    pitch = -(-values.shape[1] * 2 // 16) * 8
    rows = np.full((len(values), pitch), 77, dtype="<i2")
    rows[:, : values.shape[1]] = values
    return np.concatenate([np.full(ADDRESS, 99, np.uint8), rows.reshape(-1).view(np.uint8), np.full(32, 99, np.uint8)])


def drawn(rows: int, features: int) -> NDArray[np.int16]:
    return np.random.default_rng(rows * features).integers(-32768, 32768, (rows, features)).astype(np.int16)


def output(task: TaskConfig, values: NDArray[np.int16], **changes: int) -> NDArray[np.float32]:
    model = replace(DENSE, tasks=(task,), **changes)  # type: ignore[arg-type]
    found = head_output(stored(values), OutputRecord(task.name, ADDRESS, *values.shape, SCALE), model)
    assert found.dtype == np.float32
    return found


@pytest.mark.parametrize("features", [1, 7, 8, 9])
def test_rows_begin_at_whole_words(features: int) -> None:
    values = drawn(5, features)
    assert np.array_equal(read_rows(stored(values), ADDRESS, 5, features, "<i2"), values)


def test_features_are_those_of_every_token() -> None:
    values = drawn(DENSE.tokens, DENSE.width)
    assert np.array_equal(output(TaskConfig("t", "features", DENSE.width), values), (values * SCALE).astype(np.float32))


@pytest.mark.parametrize("rows", [1, 4])
def test_logits_are_those_of_one_token_or_the_mean_of_all(rows: int) -> None:
    values = drawn(rows, 5)
    found = output(TaskConfig("t", "classification", 5, pool="class"), values)
    assert np.array_equal(found, (values.astype(np.float64) * SCALE).mean(axis=0).astype(np.float32))


def test_logits_of_class_and_mean_are_that_of_the_first_token_and_the_mean_of_patches() -> None:
    """Two halves of features: one for the class token, one for the patches, whose mean leaves prefix tokens out."""
    values = drawn(DENSE.tokens, 10)
    real = values.astype(np.float64) * SCALE
    found = output(TaskConfig("t", "classification", 5, pool="class-mean"), values)
    assert np.array_equal(found, (real[0, :5] + real[DENSE.prefix_tokens :, 5:].mean(axis=0)).astype(np.float32))


def test_logits_of_a_distilled_model_are_the_mean_of_two_heads() -> None:
    values = drawn(2, 10)
    real = values.astype(np.float64) * SCALE
    found = output(TaskConfig("t", "classification", 5, pool="distilled"), values)
    assert np.array_equal(found, ((real[0, :5] + real[1, 5:]) / 2).astype(np.float32))


def test_a_map_has_each_cell_at_its_pixel() -> None:
    """Row of patch, column of patch, channel, row of cell, column of cell."""
    task, cells, height, width = TaskConfig("t", "segmentation", 3), 2, DENSE.grid_height, DENSE.grid_width
    values = drawn(DENSE.patches, 3 * cells * cells)
    found = output(task, values, head_cells=cells)
    assert found.shape == (3, height * cells, width * cells)
    for channel, row, column in np.ndindex(*found.shape):
        patch = row // cells * width + column // cells
        feature = (channel * cells + row % cells) * cells + column % cells
        assert found[channel, row, column] == np.float32(values[patch, feature] * SCALE)


def test_routing_is_pairs_of_expert_and_score() -> None:
    experts, scores = np.array([[0, 65535, 3], [1, 2, 9]]), np.array([[65535, 0, 1], [32768, 7, 2]])
    words = (scores << 16 | experts).astype("<u4")
    region = stored(words.view("<i2").reshape(2, 6))
    found = routing_of(region, RoutingRecord("t", 0, ADDRESS, 2, 3))
    assert np.array_equal(found[0], experts)
    assert np.array_equal(found[1], (scores / 65536).astype(np.float32))


@pytest.mark.parametrize("prefix", [1, 3])
def test_patches_lie_in_rows_behind_mid_grey_ones(prefix: int) -> None:
    model = replace(DENSE, prefix_tokens=prefix)
    frame = np.random.default_rng(1).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    image = input_image(frame, model).reshape(model.input_rows, -1)
    assert image.shape == (prefix - 1 + model.patches, -(-model.embedded_features // 16) * 16)
    assert np.all(image[: prefix - 1] == 128)
    assert np.all(image[:, model.patch_features :] == 128)
    for patch in range(model.patches):
        row, column = (model.patch * at for at in divmod(patch, model.grid_width))
        window = frame[row : row + model.patch, column : column + model.patch]
        assert np.array_equal(image[prefix - 1 + patch, : model.patch_features], window.reshape(-1))
