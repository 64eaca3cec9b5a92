"""Resizing: what is kept, what is said, and the way back onto the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemoe.media.resize import MODES, PAD_VALUE, resize


def blank(height: int, width: int, level: int = 90) -> np.ndarray:
    return np.full((height, width, 3), level, dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "mode", "statement"),
    [
        ((1080, 1920), "crop", "1920×1080 → crop 1920×960 → 256×128"),
        ((1920, 1080), "crop", "1080×1920 → crop 1080×540 → 256×128"),
        ((500, 2000), "crop", "2000×500 → crop 1000×500 → 256×128"),
        ((256, 512), "crop", "512×256 → 256×128"),
        ((64, 128), "crop", "128×64 → 256×128"),
        ((128, 256), "crop", "256×128, unchanged"),
        ((1080, 1920), "stretch", "1920×1080 → stretch to 256×128"),
        ((256, 512), "stretch", "512×256 → 256×128"),
        ((1080, 1920), "pad", "1920×1080 → 228×128 → pad to 256×128"),
        ((256, 512), "pad", "512×256 → 256×128"),
    ],
)
def test_what_was_done_is_stated(size: tuple[int, int], mode: str, statement: str) -> None:
    assert resize(blank(*size), 128, 256, mode).statement == statement


def test_the_right_size_passes_unchanged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    for mode in MODES:
        assert np.array_equal(resize(picture, 32, 48, mode).frame, picture)


def test_crop_keeps_the_centre() -> None:
    picture = blank(64, 300, 10)
    picture[:, 86:214] = 200
    resized = resize(picture, 64, 128)
    assert resized.box == (86, 0, 214, 64)
    assert (resized.frame == 200).all()


def test_pad_adds_grey_on_both_sides() -> None:
    resized = resize(blank(64, 64), 64, 128, "pad")
    assert resized.inner == (32, 0, 96, 64)
    assert (resized.frame[:, 32:96] == 90).all()
    assert (resized.frame[:, :32] == PAD_VALUE).all()
    assert (resized.frame[:, 96:] == PAD_VALUE).all()


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = blank(128, 2048, 0)
    stripes[:, ::2] = 255
    shrunk = resize(stripes, 16, 256, "stretch").frame
    assert np.abs(shrunk[:, 4:-4].astype(int) - 127).max() <= 3


def test_classes_return_to_their_place() -> None:
    picture = blank(60, 100)
    resized = resize(picture, 20, 20)
    labels = np.zeros((20, 20), np.uint16)
    labels[:, 10:] = 5
    back = resized.to_source(labels, 99)
    assert back.dtype == np.uint16
    assert resized.box == (20, 0, 80, 60)
    expected = np.full((60, 100), 99)
    expected[:, 20:50] = 0
    expected[:, 50:80] = 5
    assert np.array_equal(back, expected)


def test_values_return_smoothly_and_the_rest_is_filled() -> None:
    resized = resize(blank(4, 12), 2, 2)
    back = resized.to_source(np.array([[0, 4], [0, 4]], np.float32), np.nan)
    assert np.isnan(back[:, :4]).all()
    assert np.isnan(back[:, 8:]).all()
    assert back[:, 4:8].tolist() == [[0, 1, 3, 4]] * 4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.sampled_from(MODES))
def test_any_size_works_both_ways(height: int, width: int, to_height: int, to_width: int, mode: str) -> None:
    resized = resize(blank(height, width), to_height, to_width, mode)
    assert resized.frame.shape == (to_height, to_width, 3)
    x0, y0, x1, y1 = resized.inner
    assert (resized.frame[y0:y1, x0:x1] == 90).all()
    back = resized.to_source(np.ones((to_height, to_width), np.float32), 0)
    left, top, right, bottom = resized.box
    assert back.shape == (height, width)
    assert back.sum() == (right - left) * (bottom - top) > 0


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="mode 'zoom' is unknown; modes are crop, stretch, pad"):
        resize(blank(4, 4), 4, 4, "zoom")
    with pytest.raises(ValueError, match="expected uint8 height×width×3, found float64"):
        resize(np.zeros((4, 4, 3)), 4, 4)  # type: ignore[arg-type]
