"""How colours are seen, and the search that the palettes of edgemoe.media.palette came from.

Oklab: B. Ottosson, "A perceptual color space for image processing", 2020. Deuteranopes: G. Machado et al., IEEE TVCG
15(6), 2009, severity 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.integer]
Floats = NDArray[np.float64]

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


def to_oklab(colours: Colours) -> Floats:
    """sRGB 0 … 255 (…×3) → Oklab (L 0 … 1, a, b), float64."""
    return _linear_to_oklab(_linear(colours))


def to_oklab_deuteranope(colours: Colours) -> Floats:
    """As `to_oklab`, of the colours that a deuteranope sees."""
    return _linear_to_oklab(np.clip(_linear(colours) @ _DEUTERANOPE.T, 0, 1))


def from_oklab(oklab: Floats) -> Floats:
    """Oklab (…×3) → sRGB 0 … 255, float64, outside that range where the display cannot show the colour."""
    lms = (oklab @ np.linalg.inv(_LMS_TO_OKLAB).T) ** 3
    linear = lms @ np.linalg.inv(_LINEAR_TO_LMS).T
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    srgb: Floats = np.where(linear <= 0.0031308, 12.92 * linear, curve) * 255
    return srgb


def _linear(colours: Colours) -> Floats:
    share = np.asarray(colours, dtype=np.float64) / 255
    linear: Floats = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear


def _linear_to_oklab(linear: Floats) -> Floats:
    oklab: Floats = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_OKLAB.T
    return oklab


SIGHTS = (to_oklab, to_oklab_deuteranope)


def closest(table: Colours) -> float:
    """Smallest Oklab distance of two colours, as most people and as deuteranopes see them."""
    smallest = np.inf
    for see in SIGHTS:
        seen = see(table)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        smallest = min(smallest, distance[~np.eye(len(table), dtype=bool)].min())
    return float(smallest)


def farthest_first(candidates: Colours, count: int, taken: Colours) -> Colours:
    """Pick `count` candidates one after another, each the farthest from all before in both ways of seeing."""
    sights = [see(candidates) for see in SIGHTS]
    distance = np.full(len(candidates), np.inf)
    chosen = list(taken)
    for place in range(len(taken) + count):
        if place >= len(taken):
            chosen.append(candidates[int(np.argmax(distance))])
        for sight, see in zip(sights, SIGHTS, strict=True):
            np.minimum(distance, np.linalg.norm(sight - see(chosen[place]), axis=1), out=distance)
    return np.array(chosen[len(taken) :])


def candidates(lightness: Floats, chroma: Floats) -> Colours:
    """Colours that a display can show: lightness × chroma × 30 hues."""
    hue = np.deg2rad(np.arange(0, 360, 12) + 240.0)
    grid = np.stack(np.meshgrid(lightness, chroma, hue, indexing="ij"), axis=-1).reshape(-1, 3)
    oklab = np.stack([grid[:, 0], grid[:, 1] * np.cos(grid[:, 2]), grid[:, 1] * np.sin(grid[:, 2])], axis=1)
    srgb = from_oklab(oklab)
    return np.rint(srgb[((srgb >= 0) & (srgb <= 255)).all(axis=1)]).astype(np.int64)


def even_path(anchors: Colours, steps: int) -> Colours:
    """Colours through the anchors in even steps of Oklab distance."""
    seen = to_oklab(anchors)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(seen, axis=0), axis=1))])
    places = np.linspace(0, length[-1], steps)
    path = np.stack([np.interp(places, length, seen[:, axis]) for axis in range(3)], axis=1)
    return np.rint(np.clip(from_oklab(path), 0, 255)).astype(np.int64)
