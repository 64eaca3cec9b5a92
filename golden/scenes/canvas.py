"""Picture, label and depth buffers, and the two things drawn on them: flat patches in space, and upright figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from golden.scenes.camera import NEAR, Camera, Floats, cross

Mask = NDArray[np.bool_]
Shape = Callable[[Floats, Floats], Mask]
Paint = Callable[[Floats, Floats], Floats]


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
        points = self.camera.to_camera(corners)
        region = self._region(points)
        if region is None:
            return False
        nearest = 1 / max(float(points[:, 2].min()), NEAR)
        return bool(self.inverse[region].min() < nearest)

    def _plane(self, origin: Floats, a: Floats, b: Floats) -> tuple[slice, slice, Floats, Floats, Floats] | None:
        """Region of a patch, and s, t and inverse depth of its samples; None when it is out of sight or edge-on."""
        rotation = self.camera.rotation
        p, a, b = self.camera.to_camera(origin), rotation @ a, rotation @ b
        region = self._region(np.stack([p, p + a, p + a + b, p + b]))
        if region is None:
            return None
        normal = cross(a, b)
        distance = float(normal @ p)
        if abs(distance) < 1e-6:
            return None
        rows, columns = region
        x, y = self._columns[columns][None, :], self._rows[rows][:, None]
        aa, bb, ab = a @ a, b @ b, a @ b
        determinant = aa * bb - ab * ab
        along_a, along_b = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
        inverse = (normal[0] * x + normal[1] * y + normal[2]) / np.float32(distance)
        depth = 1 / np.maximum(inverse, np.float32(1e-6))
        s = (along_a[0] * x + along_a[1] * y + along_a[2]) * depth - along_a @ p
        t = (along_b[0] * x + along_b[1] * y + along_b[2]) * depth - along_b @ p
        return rows, columns, s, t, inverse

    def _region(self, corners: Floats) -> tuple[slice, slice] | None:
        """Bounding samples of a convex body, corners [n, 3] in camera coordinates, cut at the near plane."""
        if corners[:, 2].max() <= NEAR:
            return None
        behind = corners[:, 2] < NEAR
        if behind.any():
            start, end = (
                part.reshape(-1, 3) for part in np.broadcast_arrays(corners[behind][:, None], corners[~behind])
            )
            weight = (NEAR - start[:, 2:]) / (end[:, 2:] - start[:, 2:])
            corners = np.concatenate([corners[~behind], start + weight * (end - start)])
        points = self.camera.project(corners)
        left, top = np.floor(points.min(axis=0)).astype(int)
        right, bottom = np.ceil(points.max(axis=0)).astype(int)
        return self._clip(top, bottom, left, right)

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
        depth = float(foot[2])
        scale = self.camera.focal / depth
        center_x, center_y = self.camera.width / 2 + foot[0] * scale, self.camera.height / 2 + foot[1] * scale
        margin = max(r1, r2) * (1.15 if leaf is not None else 1.0)
        region = self._clip(
            int(np.floor(center_y - (max(y1, y2) + margin) * scale)),
            int(np.ceil(center_y - (min(y1, y2) - margin) * scale)) + 1,
            int(np.floor(center_x + (min(x1, x2) - margin) * scale)),
            int(np.ceil(center_x + (max(x1, x2) + margin) * scale)) + 1,
        )
        if region is None:
            return
        rows, columns = region
        inverse = np.float32(1 / depth)
        if self.inverse[region].min() > inverse:
            return
        x = (self._columns[columns] * np.float32(depth) - foot[0] - np.float32(x1))[None, :]
        y = (foot[1] - self._rows[rows] * np.float32(depth) - np.float32(y1))[:, None]
        dx, dy = np.float32(x2 - x1), np.float32(y2 - y1)
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        x, y = x - along * dx, y - along * dy
        radius = np.float32(r1) + along * np.float32(r2 - r1)
        reach = radius
        if leaf is not None:
            fray = _sample(leaf, rows, columns, scale)
            reach = radius * (0.72 + 0.43 * fray)
        inside = (x * x + y * y < reach * reach) & (inverse >= self.inverse[rows, columns])
        if not inside.any():
            return
        brightness = 1 + (x * np.float32(light[0]) + y * np.float32(light[1])) / radius
        if leaf is not None:
            brightness = brightness * (0.8 + 0.4 * fray)
        shaded = np.broadcast_to(brightness, inside.shape)[inside][:, None] * color
        self.color[rows, columns][inside] = shaded
        self.label[rows, columns][inside] = label
        self.inverse[rows, columns][inside] = inverse


def _sample(texture: Floats, rows: slice, columns: slice, scale: float) -> Floats:
    """Texture at 12 texels per metre, at the samples of a region."""
    step = 12 / scale
    v = (np.arange(rows.start, rows.stop) * step).astype(np.int64) % texture.shape[0]
    u = (np.arange(columns.start, columns.stop) * step).astype(np.int64) % texture.shape[1]
    return np.asarray(texture[v[:, None], u[None, :]])
