"""Picture, label and depth buffers, and the two things drawn on them: flat patches in space, and upright figures."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from edgemoe_golden.scenes.camera import NEAR, Camera, Floats, products

Mask = NDArray[np.bool_]
Shape = Callable[[Floats, Floats], Mask]
Paint = Callable[[Floats, Floats], Floats]
Vector = tuple[float, float, float]

LEAF_REACH, LEAF_FRAY = 1.15, 0.43
"""Edge of foliage relative to its stroke's radius: at most, and how far noise pulls it in."""


class Canvas:
    """Buffers of one scene at sample resolution; the nearest surface wins.

    color [H, W, 3] float32 in 0 … 1, label [H, W] uint8, inverse [H, W] float32 in 1/m (0 at infinity).
    """

    def __init__(self, camera: Camera, label: int) -> None:
        self.camera = camera
        self.color: Floats = np.zeros((camera.height, camera.width, 3), dtype=np.float32)
        self.label = np.full((camera.height, camera.width), label, dtype=np.uint8)
        self.inverse: Floats = np.zeros((camera.height, camera.width), dtype=np.float32)
        self._columns, self._rows = camera.columns(), camera.rows()
        self._rotation: list[Vector] = [tuple(row) for row in camera.rotation.tolist()]

    def patch(self, origin: Floats, a: Floats, b: Floats, label: int, paint: Paint, shape: Shape | None = None) -> None:
        """Draw the parallelogram origin + s·a + t·b, s and t in 0 … 1 (world metres).

        paint: colours [n, 3] of points s, t [n]. shape: which points s, t (any shape) belong to the patch.
        """
        plane = self._plane(origin, a, b)
        if plane is None:
            return
        rows, columns, s, t, inverse = plane
        inside = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1) & (inverse > self.inverse[rows, columns])
        if shape is not None:
            inside &= shape(s, t)
        if not inside.any():
            return
        self.color[rows, columns][inside] = paint(s[inside], t[inside])
        self.label[rows, columns][inside] = label
        self.inverse[rows, columns][inside] = inverse[inside]

    def shade(self, origin: Floats, a: Floats, b: Floats, strength: Callable[[Floats, Floats], Floats]) -> None:
        """Darken the surface that a patch lies on by the factor 1 - strength(s, t); what stands before it stays."""
        plane = self._plane(origin, a, b)
        if plane is None:
            return
        rows, columns, s, t, inverse = plane
        inside = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1) & (self.inverse[rows, columns] < inverse * 1.001)
        if not inside.any():
            return
        self.color[rows, columns] *= (1 - np.where(inside, strength(s, t), 0))[..., None].astype(np.float32)

    def sees(self, corners: Floats) -> bool:
        """Whether any of a convex body (world corners [n, 3]) could show: in the picture, and before what is drawn."""
        points = [self._point(*corner) for corner in corners.tolist()]
        region = self._region(points)
        if region is None:
            return False
        nearest = 1 / max(min(point[2] for point in points), NEAR)
        return bool(self.inverse[region].min() < nearest)

    def _plane(self, origin: Floats, a: Floats, b: Floats) -> tuple[slice, slice, Floats, Floats, Floats] | None:
        """Region of a patch, and s, t and inverse depth of its samples; None when it is out of sight or edge-on.

        Vectors are plain tuples here: for three numbers they are several times faster than arrays.
        """
        p = self._point(*origin.tolist())
        u, v = self._turn(*a.tolist()), self._turn(*b.tolist())
        corners = [p, _sum(p, u), _sum(_sum(p, u), v), _sum(p, v)]
        region = self._region(corners)
        if region is None:
            return None
        normal = _cross(u, v)
        distance = products(normal, p)
        if abs(distance) < 1e-6:
            return None
        uu, vv, uv = products(u, u), products(v, v), products(u, v)
        determinant = uu * vv - uv * uv
        along_u, along_v = (
            _blend(u, vv / determinant, v, uv / determinant),
            _blend(v, uu / determinant, u, uv / determinant),
        )
        rows, columns = region
        x, y = self._columns[columns], self._rows[rows][:, None]
        inverse = (normal[0] / distance * x + normal[2] / distance) + normal[1] / distance * y
        depth = 1 / np.maximum(inverse, np.float32(1e-6))
        s = ((along_u[0] * x + along_u[2]) + along_u[1] * y) * depth - products(along_u, p)
        t = ((along_v[0] * x + along_v[2]) + along_v[1] * y) * depth - products(along_v, p)
        return rows, columns, s, t, inverse

    def _point(self, x: float, y: float, z: float) -> Vector:
        """World point to camera coordinates."""
        return self._turn(x, y - self.camera.elevation, z)

    def _turn(self, x: float, y: float, z: float) -> Vector:
        """World direction to camera axes."""
        first, second, third = self._rotation
        return products(first, (x, y, z)), products(second, (x, y, z)), products(third, (x, y, z))

    def _region(self, corners: list[Vector]) -> tuple[slice, slice] | None:
        """Bounding samples of a convex body, its corners in camera coordinates, cut at the near plane."""
        front = [corner for corner in corners if corner[2] >= NEAR]
        if not front:
            return None
        # Lines from every corner behind the near plane to every one before it: more than the edges, the same hull.
        front += [_at_near(back, fore) for back in corners if back[2] < NEAR for fore in front]
        focal, middle_x, middle_y = self.camera.focal, self.camera.width / 2, self.camera.height / 2
        columns = [x / z * focal + middle_x for x, _, z in front]
        rows = [y / z * focal + middle_y for _, y, z in front]
        return self._clip(floor(min(rows)), ceil(max(rows)), floor(min(columns)), ceil(max(columns)))

    def _clip(self, top: int, bottom: int, left: int, right: int) -> tuple[slice, slice] | None:
        top, bottom = max(top, 0), min(bottom, self.camera.height)
        left, right = max(left, 0), min(right, self.camera.width)
        return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None

    def capsule(
        self,
        foot: Floats,
        part: tuple[float, ...],
        color: Floats,
        label: int,
        leaf: Floats | None = None,
        light: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Draw one part of an upright figure that stands at `foot` (camera coordinates) and faces the camera.

        part: x1, y1, x2, y2, r1, r2 in metres from the foot, x right and y up: a stroke of radius r1 … r2.
        light: brightness added toward the right and the top edge. leaf: noise texture that frays the edge.
        """
        x1, y1, x2, y2, r1, r2 = part
        foot_x, foot_y, depth = foot.tolist()
        scale = self.camera.focal / depth
        center_x, center_y = self.camera.width / 2 + foot_x * scale, self.camera.height / 2 + foot_y * scale
        margin = max(r1, r2) * (LEAF_REACH if leaf is not None else 1.0)
        region = self._clip(
            floor(center_y - (max(y1, y2) + margin) * scale),
            ceil(center_y - (min(y1, y2) - margin) * scale) + 1,
            floor(center_x + (min(x1, x2) - margin) * scale),
            ceil(center_x + (max(x1, x2) + margin) * scale) + 1,
        )
        inverse = np.float32(1 / depth)
        if region is None or self.inverse[region].min() > inverse:
            return
        rows, columns = region
        x = self._columns[columns] * depth - (foot_x + x1)
        y = ((foot_y - y1) - self._rows[rows] * depth)[:, None]
        radius: Floats | float = r1
        dx, dy = x2 - x1, y2 - y1
        if dx or dy:
            length = dx * dx + dy * dy
            along = (x * (dx / length) + y * (dy / length)).clip(0, 1)
            x, y = x - along * dx, y - along * dy
            radius = r1 + along * (r2 - r1)
        reach = radius
        if leaf is not None:
            fray = _sample(leaf, rows, columns, scale)
            reach = radius * (LEAF_REACH - LEAF_FRAY + LEAF_FRAY * fray)
        inside = (x * x + y * y < reach * reach) & (inverse >= self.inverse[region])
        if not inside.any():
            return
        brightness = (x * (light[0] / radius) + y * (light[1] / radius)) + 1
        if leaf is not None:
            brightness *= 0.8 + 0.4 * fray
        self.color[region][inside] = brightness[inside][:, None] * color
        self.label[region][inside] = label
        self.inverse[region][inside] = inverse


def _at_near(back: Vector, fore: Vector) -> Vector:
    """Where the line between two points crosses the near plane."""
    weight = (NEAR - back[2]) / (fore[2] - back[2])
    return back[0] + weight * (fore[0] - back[0]), back[1] + weight * (fore[1] - back[1]), NEAR


def _blend(a: Vector, weight: float, b: Vector, less: float) -> Vector:
    return a[0] * weight - b[0] * less, a[1] * weight - b[1] * less, a[2] * weight - b[2] * less


def _sum(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _sample(texture: Floats, rows: slice, columns: slice, scale: float) -> Floats:
    """Texture at 12 texels per metre, at the samples of a region."""
    step = 12 / scale
    v = (np.arange(rows.start, rows.stop) * step).astype(np.int64) % texture.shape[0]
    u = (np.arange(columns.start, columns.stop) * step).astype(np.int64) % texture.shape[1]
    return np.asarray(texture[v[:, None], u[None, :]])
