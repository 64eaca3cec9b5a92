"""Boxes: the faces that the camera can see, each painted in metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgemoe_golden.scenes.camera import Floats, dot, norm
from edgemoe_golden.scenes.canvas import Canvas, Mask
from edgemoe_golden.scenes.weather import Weather

UP: Floats = np.array([0, 1, 0], dtype=np.float32)

FacePaint = Callable[[Floats, Floats], Floats]
FaceShape = Callable[[Floats, Floats], Mask]


@dataclass(frozen=True)
class Face:
    """A flat quadrilateral: corner, two edge vectors (world metres), outward unit normal."""

    origin: Floats
    a: Floats
    b: Floats
    normal: Floats

    @property
    def size(self) -> tuple[float, float]:
        """Lengths of both edges in metres."""
        return norm(self.a), norm(self.b)


def draw_face(
    canvas: Canvas,
    weather: Weather,
    face: Face,
    label: int,
    paint: FacePaint | Floats,
    shape: FaceShape | None = None,
) -> None:
    """Draw one face if it looks toward the camera; paint and shape take metres along both edges."""
    eye = np.array([0, canvas.camera.elevation, 0], dtype=np.float32)
    if dot(face.normal, eye - face.origin) <= 0:
        return
    width, height = np.float32(face.size[0]), np.float32(face.size[1])
    light = weather.light(face.normal)

    def color(s: Floats, t: Floats) -> Floats:
        surface = paint(s * width, t * height) if callable(paint) else np.broadcast_to(paint, (len(s), 3))
        return np.asarray(surface * light, dtype=np.float32)

    inside = None if shape is None else lambda s, t: shape(s * width, t * height)
    canvas.patch(face.origin, face.a, face.b, label, color, inside)


@dataclass(frozen=True)
class Box:
    """An upright box: middle of its base, unit vectors along and to the right of it, and its size in metres."""

    base: Floats
    forward: Floats
    right: Floats
    length: float
    width: float
    height: float

    def corner(self, along: float, across: float, up: float) -> Floats:
        """World point at fractions −½ … ½ along and across, and `up` metres above the base."""
        return np.asarray(
            self.base + self.forward * (along * self.length) + self.right * (across * self.width) + UP * up,
            dtype=np.float32,
        )

    def corners(self, height: float) -> Floats:
        """The eight corners of the box, [8, 3], up to another height."""
        return np.stack([self.corner(f, r, up) for f in (-0.5, 0.5) for r in (-0.5, 0.5) for up in (0.0, height)])

    def sides(self) -> dict[str, Face]:
        """The faces back, front, left, right; edge a runs horizontally, rightward seen from outside, b upward."""
        up = UP * np.float32(self.height)
        f, r = self.forward * np.float32(self.length), self.right * np.float32(self.width)
        return {
            "back": Face(self.corner(-0.5, -0.5, 0), r, up, -self.forward),
            "front": Face(self.corner(0.5, 0.5, 0), -r, up, self.forward),
            "left": Face(self.corner(0.5, -0.5, 0), -f, up, -self.right),
            "right": Face(self.corner(-0.5, 0.5, 0), f, up, self.right),
        }

    def top(self) -> Face:
        """The top face; edge a to the right, b forward."""
        f, r = self.forward * np.float32(self.length), self.right * np.float32(self.width)
        return Face(self.corner(-0.5, -0.5, self.height), r, f, UP)


def rounded(x: Floats, y: Floats, left: float, bottom: float, right: float, top: float, radius: float) -> Mask:
    """Which points lie in a rectangle with rounded corners."""
    dx = np.maximum(np.maximum(left + radius - x, x - right + radius), 0)
    dy = np.maximum(np.maximum(bottom + radius - y, y - top + radius), 0)
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    return np.asarray(inside & (dx * dx + dy * dy <= radius * radius), dtype=np.bool_)
