"""Colours of classes, experts and depth, distinct also for colour-blind readers.

Distances are Euclidean in Oklab (B. Ottosson, "A perceptual color space for image processing", 2020), taken twice:
as most people see, and as deuteranopes do (G. Machado et al., IEEE TVCG 15(6), 2009, severity 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ColourTable = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

NAMED_CLASSES = {
    "road": (128, 100, 162),
    "vehicle": (38, 84, 214),
    "person": (240, 62, 78),
    "vegetation": (44, 124, 66),
    "building": (198, 184, 166),
    "sky": (136, 204, 250),
    "sign": (255, 214, 60),
}
"""Colours people expect of the things in a street."""

# Far (dark, cold) to near (light, warm); lightness rises throughout, so that it also reads in grey.
_DEPTH_ANCHORS = ("#0d1030", "#2b2268", "#6b2f8f", "#b23b83", "#e8584f", "#fb9a3c", "#fdd56b", "#fff8dc")

_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_DEUTERANOPE = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def to_oklab(colours: NDArray[np.integer]) -> FloatArray:
    """sRGB 0 … 255 (…×3) → Oklab (L 0 … 1, a, b), float64."""
    return _linear_to_oklab(_linear(colours))


def to_oklab_deuteranope(colours: NDArray[np.integer]) -> FloatArray:
    """As `to_oklab`, of the colours that a deuteranope sees."""
    return _linear_to_oklab(np.clip(_linear(colours) @ _DEUTERANOPE.T, 0, 1))


def from_oklab(oklab: FloatArray) -> FloatArray:
    """Oklab (…×3) → sRGB 0 … 255, float64, outside that range where the display cannot show the colour."""
    lms = (oklab @ np.linalg.inv(_LMS_TO_OKLAB).T) ** 3
    linear = lms @ np.linalg.inv(_LINEAR_TO_LMS).T
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    srgb: FloatArray = np.where(linear <= 0.0031308, 12.92 * linear, curve) * 255
    return srgb


def class_colours(labels: Sequence[str], classes: int) -> ColourTable:
    """Table uint8 classes×3: named colours for known labels, the others as far from all taken ones as possible."""
    taken = {index: NAMED_CLASSES[label] for index, label in enumerate(labels) if label in NAMED_CLASSES}
    table = np.zeros((classes, 3), dtype=np.uint8)
    for index, colour in taken.items():
        table[index] = colour
    others = [index for index in range(classes) if index not in taken]
    table[others] = _spread(len(others), tuple(taken.values()), 0)
    return table


def expert_colours(experts: int) -> ColourTable:
    """Table uint8 experts×3 of distinct colours, lively and of middle lightness so that dark numbers read on them."""
    return _spread(experts, (), 1)


@lru_cache(maxsize=1)
def depth_colours() -> ColourTable:
    """Table uint8 256×3 from far (0, dark and cold) to near (255, light and warm), even steps in Oklab."""
    anchors = to_oklab(np.array([_hexadecimal(anchor) for anchor in _DEPTH_ANCHORS]))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(anchors, axis=0), axis=1))])
    steps = np.linspace(0, length[-1], 256)
    path = np.stack([np.interp(steps, length, anchors[:, axis]) for axis in range(3)], axis=1)
    return _to_bytes(from_oklab(path))


def apply_depth_colours(values: NDArray[np.floating], low: float, high: float) -> ColourTable:
    """Colour values h×w from `low` (cold) to `high` (warm, may be the smaller): uint8 h×w×3; NaN, ∞ mid-grey."""
    span = high - low or 1.0
    finite = np.isfinite(values)
    scaled = np.clip((np.where(finite, values, low) - low) / span, 0, 1)
    picture = depth_colours()[np.rint(scaled * 255).astype(np.intp)]
    picture[~finite] = 128
    return picture


@lru_cache(maxsize=32)
def _spread(count: int, taken: tuple[tuple[int, int, int], ...], kind: int) -> ColourTable:
    """Pick `count` candidates one after another, each the farthest from all before in both ways of seeing."""
    candidates = _candidates(kind)
    sights = [to_oklab(candidates), to_oklab_deuteranope(candidates)]
    distance = np.full(len(candidates), np.inf)

    def move_away(colour: NDArray[np.integer]) -> None:
        for sight, see in zip(sights, (to_oklab, to_oklab_deuteranope), strict=True):
            np.minimum(distance, np.linalg.norm(sight - see(colour), axis=1), out=distance)

    for colour in taken:
        move_away(np.array(colour))
    chosen = np.zeros((count, 3), dtype=np.uint8)
    for index in range(count):
        chosen[index] = candidates[int(np.argmax(distance))]
        move_away(chosen[index].astype(np.int64))
    return chosen


def _candidates(kind: int) -> NDArray[np.int64]:
    """Colours that a display can show: lightness × chroma × hue, darker (0, classes) or lighter (1, experts)."""
    lightness = np.linspace(0.40, 0.86, 8) if kind == 0 else np.linspace(0.58, 0.90, 7)
    chroma = np.array([0.06, 0.10, 0.14, 0.18]) if kind == 0 else np.array([0.09, 0.12, 0.15, 0.18])
    hue = np.deg2rad(np.arange(0, 360, 12) + 240.0)
    grid = np.stack(np.meshgrid(lightness, chroma, hue, indexing="ij"), axis=-1).reshape(-1, 3)
    oklab = np.stack([grid[:, 0], grid[:, 1] * np.cos(grid[:, 2]), grid[:, 1] * np.sin(grid[:, 2])], axis=1)
    srgb = from_oklab(oklab)
    shown = ((srgb >= 0) & (srgb <= 255)).all(axis=1)
    return np.rint(srgb[shown]).astype(np.int64)


def _linear(colours: NDArray[np.integer]) -> FloatArray:
    share = np.asarray(colours, dtype=np.float64) / 255
    linear: FloatArray = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear


def _linear_to_oklab(linear: FloatArray) -> FloatArray:
    oklab: FloatArray = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_OKLAB.T
    return oklab


def _hexadecimal(text: str) -> tuple[int, int, int]:
    value = int(text[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def _to_bytes(srgb: FloatArray) -> ColourTable:
    return np.rint(np.clip(srgb, 0, 255)).astype(np.uint8)
