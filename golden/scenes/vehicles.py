"""Cars, vans, buses and lorries made of boxes with painted faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats, cross, dot, norm
from edgemoe_golden.scenes.canvas import Canvas
from edgemoe_golden.scenes.labels import VEHICLE
from edgemoe_golden.scenes.solids import UP, Box, Face, draw_face, rounded
from edgemoe_golden.scenes.street import Street
from edgemoe_golden.scenes.weather import Weather, rgb

PAINT = (0xC0392F, 0xE8E6E1, 0x2F3B48, 0x8C96A0, 0x2C5F94, 0xD9A441, 0x4F7F6D, 0xB9BEC3, 0x1F2A37, 0x8E3B46, 0x6E9BC0)
BUS = (0xC8452F, 0x2F6FA8, 0xE0B040, 0x3C8A6B)
CARGO = (0xE4E0D8, 0xC9D3D8, 0xB65A3C, 0x4A6E8C, 0xD8C9A8)
TYRE, HUB = rgb(0x1B1C1F), rgb(0x9BA1A6)
WINDOW = rgb(0x26323D)


@dataclass(frozen=True)
class Kind:
    """Sizes in metres; cabin: start and end along the length at its foot, then at the roof (0 … 1, from the back)."""

    length: float
    width: float
    height: float
    waist: float
    cabin: tuple[float, float, float, float] | None
    wheel: float = 0.33


KINDS = {
    "saloon": Kind(4.5, 1.8, 1.45, 0.92, (0.08, 0.74, 0.22, 0.58)),
    "hatchback": Kind(4.0, 1.78, 1.52, 0.96, (0.0, 0.76, 0.1, 0.58)),
    "estate": Kind(4.7, 1.85, 1.68, 1.05, (0.0, 0.78, 0.05, 0.62)),
    "van": Kind(5.2, 2.0, 2.2, 1.2, (0.0, 0.9, 0.0, 0.74)),
    "bus": Kind(10.5, 2.5, 3.1, 3.1, None, 0.48),
    "lorry": Kind(7.5, 2.4, 3.2, 3.2, None, 0.48),
}


def random_kind(rng: Generator, large: bool = True) -> str:
    """Draw a kind of vehicle; without `large`, only cars and vans."""
    weights = np.array([0.28, 0.28, 0.2, 0.12, 0.06, 0.06]) * ([1] * 4 + [large] * 2)
    return str(rng.choice(list(KINDS), p=weights / weights.sum()))


def draw_vehicle(
    canvas: Canvas,
    weather: Weather,
    street: Street,
    lateral: float,
    z: float,
    kind: str,
    oncoming: bool,
    rng: Generator,
) -> None:
    """A vehicle on the street at Z, heading away from the camera or toward it."""
    sizes = KINDS[kind]
    forward, right = street.axes(z)
    sign = np.float32(-1 if oncoming else 1)
    scale = rng.uniform(0.95, 1.06)
    box = Box(street.place(lateral, z), forward * sign, right * sign, sizes.length * scale, sizes.width, sizes.waist)
    _shadow(canvas, weather, box, sizes.height)
    if not canvas.sees(box.corners(sizes.height)):
        return
    color = rgb(int(rng.choice(BUS if kind == "bus" else CARGO if kind == "lorry" else PAINT)))
    _Painter(canvas, weather, sizes, box, color, kind).draw()


def _shadow(canvas: Canvas, weather: Weather, box: Box, height: float) -> None:
    """A soft dark patch under the vehicle, and the shadow that the sun casts."""

    def contact(s: Floats, t: Floats) -> Floats:
        edge = np.minimum(np.minimum(s, 1 - s) * 5, np.minimum(t, 1 - t) * 7)
        return np.asarray(0.7 * np.clip(edge, 0, 1), dtype=np.float32)

    wide = replace(box, length=box.length * 1.12, width=box.width * 1.3)
    ground = replace(wide, height=0.0).top()
    cast_shadow(canvas, weather, box.corner(0, -0.5, 0), box.corner(0, 0.5, 0) - box.corner(0, -0.5, 0), height, box)
    canvas.shade(ground.origin, ground.a, ground.b, contact)


def cast_shadow(canvas: Canvas, weather: Weather, start: Floats, across: Floats, height: float, box: Box) -> None:
    """Darken the ground where a box keeps the sun off: its base swept along the shadow's direction."""
    sun = weather.sun_direction
    if weather.shadow < 0.15 or sun[1] < 0.05:
        return
    reach = min(height / float(sun[1]), 14.0)
    sweep = np.array([-sun[0], 0, -sun[2]], dtype=np.float32) * np.float32(reach)
    strength = np.float32(weather.shadow)

    def soft(s: Floats, t: Floats) -> Floats:
        edge = np.minimum(np.minimum(s, 1 - s) * 14, (1 - t) * 8)
        return np.asarray(strength * np.clip(edge, 0, 1), dtype=np.float32)

    along = box.forward * np.float32(box.length)
    # The longer silhouette edge makes the better parallelogram.
    edge = along if abs(float(cross(along, sweep)[1])) > abs(float(cross(across, sweep)[1])) else across
    canvas.shade(box.base - edge / 2, edge, sweep, soft)


class _Painter:
    """Draws the faces of one vehicle."""

    def __init__(self, canvas: Canvas, weather: Weather, sizes: Kind, box: Box, color: Floats, kind: str) -> None:
        self.canvas, self.weather, self.sizes, self.box, self.color, self.kind = (
            canvas,
            weather,
            sizes,
            box,
            color,
            kind,
        )
        self.glow = np.asarray(1 / np.maximum(weather.ambient, 0.3), dtype=np.float32)

    def draw(self) -> None:
        """Draw body and cabin."""
        sides = self.box.sides()
        self._face(sides["left"], self._side, self._side_shape)
        self._face(sides["right"], self._side, self._side_shape)
        self._face(sides["back"], self._back, self._end_shape)
        self._face(sides["front"], self._front, self._end_shape)
        self._face(self.box.top(), self.color * 1.04)
        if self.sizes.cabin is not None:
            self._cabin(self.sizes.cabin)

    def _face(self, face: Face, paint: object, shape: object = None) -> None:
        draw_face(self.canvas, self.weather, face, VEHICLE, paint, shape)  # type: ignore[arg-type]

    def _wheels(self, x: Floats, y: Floats, grow: float) -> Floats:
        length, radius = self.box.length, self.sizes.wheel
        near = np.minimum(np.abs(x - length * 0.19), np.abs(x - length * 0.81))
        return np.asarray(np.hypot(near, y - radius) / (radius * grow), dtype=np.float32)

    def _side_shape(self, x: Floats, y: Floats) -> object:
        body = rounded(x, y, 0, 0.24, self.box.length, self.box.height + 1, 0.16)
        return body | (self._wheels(x, y, 1) < 1)

    def _side(self, x: Floats, y: Floats) -> Floats:
        rise = np.clip((y - 0.2) / (self.box.height - 0.2), 0, 1)
        color = self.color * (0.72 + 0.36 * rise)[:, None]
        if self.kind == "bus":
            band = (y > 1.35) & (y < 2.65) & (x % 1.5 > 0.12)
            color[band] = self._glass(rise[band])
            color[(y > 0.95) & (y < 1.1)] = rgb(0xEFEBE2)
        elif self.kind == "lorry":
            color[y < 0.95] = rgb(0x3A3D42)
            color[(x % 0.6 < 0.04) & (y > 0.95)] *= 0.93
        else:
            color[(np.abs(x - self.box.length * 0.5) < 0.015) & (y > 0.3)] *= 0.75
            color[y < 0.34] = rgb(0x2A2C30)
        distance = self._wheels(x, y, 1)
        color[self._wheels(x, y, 1.16) < 1] = rgb(0x131417)
        color[distance < 1] = TYRE
        color[distance < 0.6] = HUB
        color[distance < 0.18] = TYRE
        return np.asarray(color, dtype=np.float32)

    def _glass(self, rise: Floats) -> Floats:
        return np.asarray(WINDOW + (self.weather.horizon * 0.7 - WINDOW) * (0.55 * rise)[:, None], dtype=np.float32)

    def _end_shape(self, x: Floats, y: Floats) -> object:
        width = self.box.width
        body = rounded(x, y, 0, 0.26, width, self.box.height + 1, 0.17)
        tyre = (np.abs(x - width / 2) > width / 2 - 0.3) & (np.abs(x - width / 2) < width / 2 - 0.06)
        return body | (tyre & (y < 0.4))

    def _end(self, x: Floats, y: Floats, lamp: Floats, lamp_glow: float) -> Floats:
        width, waist = self.box.width, min(self.box.height, 1.25)
        rise = np.clip((y - 0.2) / self.box.height, 0, 1)
        color = self.color * (0.74 + 0.32 * rise)[:, None]
        middle = np.abs(x - width / 2)
        color[y < 0.26] = TYRE
        color[(y >= 0.26) & (y < 0.46)] = self.color * 0.42 + rgb(0x2A2C30) * 0.4
        plate = (middle < 0.26) & (np.abs(y - 0.56) < 0.06)
        color[plate] = rgb(0xE8E4D4)
        if self.box.height > 2:
            pane = (middle < width / 2 - 0.18) & (y > 1.45) & (y < 2.75)
            color[pane] = self._glass(rise[pane])
            if self.kind == "lorry" and lamp[0] > lamp[2] * 2:
                color[pane] = self.color * 0.92
        lights = rounded(width / 2 - middle, y, 0.08, waist * 0.62, 0.42, waist * 0.62 + 0.16, 0.05)
        color[lights] = lamp * np.maximum(self.glow * lamp_glow, 1.0)
        return np.asarray(color, dtype=np.float32)

    def _back(self, x: Floats, y: Floats) -> Floats:
        return self._end(x, y, rgb(0xD8322A), 0.9)

    def _front(self, x: Floats, y: Floats) -> Floats:
        color = self._end(x, y, rgb(0xFFF6DC), 1.1)
        grille = (np.abs(x - self.box.width / 2) < 0.36) & (np.abs(y - 0.74) < 0.08) & (self.box.height < 2)
        color[grille] = rgb(0x23272C)
        return color

    def _cabin(self, cabin: tuple[float, float, float, float]) -> None:
        foot_back, foot_front, roof_back, roof_front = (np.float32(v * self.box.length) for v in cabin)
        rise = np.float32(self.sizes.height - self.sizes.waist)
        lean = np.float32(0.14 if self.kind != "van" else 0.06)
        half = np.float32(self.box.width / 2)
        rear = self.box.corner(-0.5, 0, self.sizes.waist)
        forward, right = self.box.forward, self.box.right

        def slanted(face_origin: Floats, edge: Floats, tilt: Floats, paint: object, shape: object) -> None:
            normal = cross(edge, tilt)
            normal = normal / np.float32(norm(normal))
            middle = rear + forward * ((foot_back + foot_front) / 2)
            if dot(normal, face_origin + edge / 2 + tilt / 2 - middle) < 0:
                normal = -normal
            self._face(Face(face_origin, edge, tilt, normal.astype(np.float32)), paint, shape)

        def side_shape(x: Floats, y: Floats) -> object:
            part = y / tall
            return (x > (roof_back - foot_back) * part) & (x < span - (foot_front - roof_front) * part)

        def side_paint(x: Floats, y: Floats) -> Floats:
            part = y / tall
            color = np.broadcast_to(self.color * 0.98, (len(x), 3)).copy()
            start, end = (roof_back - foot_back) * part + 0.14, span - (foot_front - roof_front) * part - 0.14
            pillar = np.abs(x - span * 0.5) < 0.05
            solid = (x < span * 0.55) if self.kind == "van" else pillar
            glass = (part > 0.1) & (part < 0.82) & (x > start) & (x < end) & ~solid
            color[glass] = self._glass(0.4 + 0.6 * part[glass])
            return color

        span = foot_front - foot_back
        for side in (-1, 1):
            outward = right * np.float32(side)
            tilt = UP * rise - outward * lean
            tall = np.float32(norm(tilt))
            slanted(rear + forward * foot_back + outward * half, forward * span, tilt, side_paint, side_shape)

        for foot, roof in ((foot_back, roof_back), (foot_front, roof_front)):
            tilt = UP * rise + forward * (roof - foot)
            length = np.float32(norm(tilt))

            def pane_shape(x: Floats, y: Floats, length: np.float32 = length) -> object:
                return np.abs(x - half) < half - lean * y / length

            def pane(x: Floats, y: Floats, length: np.float32 = length) -> Floats:
                color = np.broadcast_to(self.color * 0.98, (len(x), 3)).copy()
                part = y / length
                glass = (np.abs(x - half) < half - lean * part - 0.1) & (part > 0.08) & (part < 0.88)
                color[glass] = self._glass(0.3 + 0.7 * part[glass])
                return color

            slanted(rear + forward * foot - right * half, right * (2 * half), tilt, pane, pane_shape)
        top = rear + forward * roof_back + UP * rise - right * (half - lean)
        self._face(Face(top, right * (2 * half - 2 * lean), forward * (roof_front - roof_back), UP), self.color * 1.06)
