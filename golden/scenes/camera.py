"""One pinhole camera for picture, labels and depth.

World: X right, Y up, Z forward, metres, ground at Y = 0. Camera: x right, y down, z forward; depth is z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

NEAR = 0.4
"""Nearest depth drawn, metres."""


def cross(a: Floats, b: Floats) -> Floats:
    """Cross product of two vectors [3]; np.cross takes ten times as long on one pair."""
    x = a[1] * b[2] - a[2] * b[1]
    y = a[2] * b[0] - a[0] * b[2]
    return np.array([x, y, a[0] * b[1] - a[1] * b[0]], dtype=np.float32)


def dot(a: Floats, b: Floats) -> float:
    """Of two vectors [3], in double; a library's own order of sums differs from processor to processor."""
    return products(a.tolist(), b.tolist())


def products(a: Sequence[float], b: Sequence[float]) -> float:
    """The scalar product of vectors that are no arrays."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def norm(vector: Floats) -> float:
    """Of a vector [3]."""
    return math.sqrt(dot(vector, vector))


def turned(vectors: Floats, rotation: Floats) -> Floats:
    """Vectors [..., 3] times the transpose of a matrix [3, 3], as float32; in double, like `dot`."""
    x, y, z = (vectors[..., axis, None].astype(np.float64) * rotation[:, axis] for axis in range(3))
    return np.asarray(x + y + z, dtype=np.float32)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera above the origin.

    height, width: samples. focal: samples. elevation: metres above the ground. pitch, yaw: radians, down and right.
    """

    height: int
    width: int
    focal: float
    elevation: float
    pitch: float
    yaw: float

    @cached_property
    def rotation(self) -> Floats:
        """World axes to camera axes, [3, 3]."""
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        cy, sy = np.cos(self.yaw), np.sin(self.yaw)
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        tilt = np.array([[1, 0, 0], [0, -cp, -sp], [0, -sp, cp]])
        return turned(tilt, turn.T)

    def to_camera(self, points: Floats) -> Floats:
        """World points [..., 3] to camera coordinates."""
        shifted = np.asarray(points, dtype=np.float32) - np.array([0, self.elevation, 0], dtype=np.float32)
        return turned(shifted, self.rotation)

    def columns(self) -> Floats:
        """x/z of every sample column."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5) - self.width / 2) / np.float32(self.focal)

    def rows(self) -> Floats:
        """y/z of every sample row."""
        return ((np.arange(self.height, dtype=np.float32) + 0.5) - self.height / 2) / np.float32(self.focal)
