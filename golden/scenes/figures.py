"""People, trees, lamps and signs: upright figures made of strokes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats, turned
from edgemoe_golden.scenes.canvas import Canvas
from edgemoe_golden.scenes.labels import PERSON, SIGN, VEGETATION
from edgemoe_golden.scenes.noise import texture
from edgemoe_golden.scenes.weather import Weather, rgb

CLOTHES = (0xB8473E, 0x34557A, 0xD9A441, 0x50705A, 0x2B2F36, 0xE6E0D4, 0x7C5A80, 0xC97B5A, 0x5E7F95, 0x8A8F94)
TROUSERS = (0x2B3444, 0x3E3A36, 0x56606B, 0x70604E, 0x23262B, 0x8A8273)
SKIN = (0xF0C8A4, 0xD9A57E, 0xB57C55, 0x8A5A3C, 0x5F3E2C)
HAIR = (0x2A211C, 0x4A3324, 0x7A5636, 0xB08D57, 0x8F8C88)
LEAVES = {
    "summer": (0x4F7F3A, 0x5F8F45, 0x3F7040, 0x6E9440),
    "spring": (0x86AE55, 0x9BBF62, 0xD8A5B5, 0x7FAF60),
    "autumn": (0xC98A35, 0xB5602F, 0xD3A840, 0x8F8A3E),
}
BARK = (0x5E4A3A, 0x6F5B48, 0x4B3D33)


SHADOW_REACH = 55.0
"""Metres beyond which shadows are too small to be worth drawing."""


def contact_shadow(canvas: Canvas, weather: Weather, foot: Floats, radius: float, height: float) -> None:
    """Darken the ground at a figure's foot and, in sun, along its cast shadow."""
    if foot[2] > SHADOW_REACH:
        return
    size = np.float32(radius)
    x, z = np.array([2, 0, 0], dtype=np.float32) * size, np.array([0, 0, 2], dtype=np.float32) * size

    def disc(s: Floats, t: Floats) -> Floats:
        return np.asarray(0.5 * np.clip(1.2 - np.hypot(s - 0.5, t - 0.5) * 2.4, 0, 1), dtype=np.float32)

    canvas.shade(foot - (x + z) / 2, x, z, disc)
    sun = weather.sun_direction
    if weather.shadow < 0.15 or sun[1] < 0.05:
        return
    reach = min(height / float(sun[1]), 16.0)
    sweep = np.array([-sun[0], 0, -sun[2]], dtype=np.float32) * np.float32(reach)
    length = float(np.hypot(sweep[0], sweep[2]))
    across = np.array([sweep[2], 0, -sweep[0]], dtype=np.float32) / np.float32(length) * np.float32(2 * radius)
    strength = np.float32(weather.shadow)

    def oval(s: Floats, t: Floats) -> Floats:
        return np.asarray(
            strength * np.clip(3.2 - np.hypot((s - 0.5) * 2, (t - 0.5) * 2) * 3.2, 0, 1), dtype=np.float32
        )

    canvas.shade(foot - across / 2, across, sweep, oval)


def _light(canvas: Canvas, weather: Weather) -> tuple[Floats, tuple[float, float]]:
    """Colour of light on a figure, and the side of its roundness that is brighter."""
    sun = turned(weather.sun_direction, canvas.camera.rotation)
    power = 0.45 * weather.shadow
    base = weather.ambient * 0.9 + weather.sun * np.float32(0.45 - 0.25 * float(sun[2]))
    return np.asarray(base, dtype=np.float32), (float(sun[0]) * power, 0.1 + float(-sun[1]) * power * 0.6)


def draw_person(canvas: Canvas, weather: Weather, place: Floats, rng: Generator) -> None:
    """A walking or standing person; some carry a bag or, in rain, an umbrella."""
    height = rng.uniform(1.55, 1.9) if rng.random() < 0.88 else rng.uniform(1.05, 1.35)
    contact_shadow(canvas, weather, place, 0.35, height)
    foot = canvas.camera.to_camera(place)
    if foot[2] < 1.5:
        return
    light, side = _light(canvas, weather)
    h, facing = height, float(rng.choice([-1.0, 1.0]))
    stride, swing = rng.uniform(0.0, 0.17) * h, rng.uniform(0.02, 0.13) * h
    shirt, trousers = rgb(int(rng.choice(CLOTHES))), rgb(int(rng.choice(TROUSERS)))
    skin, hair = rgb(int(rng.choice(SKIN))), rgb(int(rng.choice(HAIR)))
    shoe = rgb(0x26262A)

    def stroke(x1: float, y1: float, x2: float, y2: float, r1: float, r2: float, color: Floats) -> None:
        part = (facing * x1 * h, y1 * h, facing * x2 * h, y2 * h, r1 * h, r2 * h)
        canvas.capsule(foot, part, color * light, PERSON, light=side)

    s, w = stride / h, swing / h
    stroke(0.0, 0.79, -w * 1.1, 0.5, 0.03, 0.025, shirt * 0.75)
    stroke(0.01, 0.5, -s * 0.55, 0.27, 0.058, 0.043, trousers * 0.78)
    stroke(-s * 0.55, 0.27, -s * 1.15, 0.045, 0.043, 0.03, trousers * 0.78)
    stroke(-s * 1.15, 0.022, -s * 1.15 + 0.06, 0.02, 0.022, 0.018, shoe)
    stroke(0.0, 0.5, s * 0.7, 0.27, 0.06, 0.045, trousers)
    stroke(s * 0.7, 0.27, s * 0.8, 0.045, 0.045, 0.032, trousers)
    stroke(s * 0.8, 0.022, s * 0.8 + 0.065, 0.02, 0.024, 0.018, shoe)
    if rng.random() < 0.3:
        stroke(-0.085, 0.75, -0.085, 0.6, 0.06, 0.065, rgb(int(rng.choice(CLOTHES))) * 0.8)
    stroke(0.0, 0.775, 0.0, 0.53, 0.082, 0.07, shirt)
    if rng.random() < 0.22:
        stroke(0.0, 0.54, 0.0, 0.4, 0.075, 0.105, shirt * 0.92)
    stroke(0.0, 0.79, 0.0, 0.86, 0.032, 0.03, skin * 0.9)
    stroke(0.0, 0.78, w * 0.8, 0.62, 0.034, 0.028, shirt * 0.9)
    stroke(w * 0.8, 0.62, w * 1.3, 0.47, 0.028, 0.02, shirt * 0.9)
    stroke(w * 1.3, 0.455, w * 1.3, 0.45, 0.021, 0.021, skin)
    stroke(-0.008, 0.935, -0.008, 0.93, 0.066, 0.06, hair)
    stroke(0.014, 0.915, 0.014, 0.905, 0.052, 0.047, skin)
    if weather.wet > 0.5 and rng.random() < 0.6:
        cloth = rgb(int(rng.choice(CLOTHES)))
        stroke(0.1, 0.62, 0.1, 1.16, 0.009, 0.007, shoe)
        for x in (-0.22, 0.42, 0.1):
            stroke(0.1, 1.14, x, 1.05, 0.07, 0.015, cloth)


def draw_tree(canvas: Canvas, weather: Weather, place: Floats, season: str, kind: str, rng: Generator) -> None:
    """A broad-leaved tree, a conifer, or a bush."""
    foot = canvas.camera.to_camera(place)
    if foot[2] < 1.0 or abs(foot[0]) > foot[2] * 1.2 + 5:
        return
    light, side = _light(canvas, weather)
    leaves = rgb(int(rng.choice(LEAVES["summer" if kind == "conifer" else season]))) * np.float32(
        rng.uniform(0.85, 1.1)
    )
    if kind == "conifer":
        leaves = rgb(0x3C5F48) * np.float32(rng.uniform(0.85, 1.15))
    bark, fringe = rgb(int(rng.choice(BARK))), texture(0.75, 10 + int(rng.integers(3)))
    if kind == "bush":
        radius = rng.uniform(0.45, 0.9)
        contact_shadow(canvas, weather, place, radius * 1.2, radius)
        for _ in range(4):
            x, y, r = rng.uniform(-1, 1) * radius, rng.uniform(0.3, 0.8) * radius, rng.uniform(0.5, 0.9) * radius
            tone = leaves * np.float32(0.7 + 0.3 * y / radius)
            canvas.capsule(foot, (x, y, x, y, r, r), tone * light, VEGETATION, fringe, side)
        return
    height = rng.uniform(5.5, 10) if kind == "broad" else rng.uniform(6, 12)
    contact_shadow(canvas, weather, place, height * 0.28, height)
    trunk = height * (0.4 if kind == "broad" else 0.2)
    lean = rng.normal(0, 0.02) * height
    canvas.capsule(
        foot, (0, 0, lean, trunk * 1.25, height * 0.024, height * 0.016), bark * light, VEGETATION, light=side
    )
    if kind == "conifer":
        for level in range(5):
            y = trunk * 0.6 + (height - trunk) * level / 5
            wide = height * 0.2 * (1 - level / 5.6)
            tone = leaves * np.float32(0.72 + 0.08 * level)
            canvas.capsule(
                foot, (0, y, 0, y + height * 0.26, wide, wide * 0.12), tone * light, VEGETATION, fringe, side
            )
        return
    blobs = 7 if foot[2] < 35 else 4 if foot[2] < 70 else 2
    crown, spread = height * 0.7, height * rng.uniform(0.22, 0.3)
    canvas.capsule(foot, (lean, crown, lean, crown, spread, spread), leaves * 0.66 * light, VEGETATION, fringe, side)
    for index in range(blobs):
        angle = index * 2.4 + rng.uniform(-0.4, 0.4)
        reach = spread * rng.uniform(0.45, 0.8)
        x, y = lean + reach * np.cos(angle), crown + reach * np.sin(angle) * 0.85
        radius = spread * rng.uniform(0.42, 0.62)
        tone = leaves * np.float32(np.clip(0.86 + 0.3 * (y - crown) / spread + rng.uniform(-0.05, 0.05), 0.6, 1.2))
        canvas.capsule(foot, (x, y, x, y, radius, radius), tone * light, VEGETATION, fringe, side)


def draw_lamp(canvas: Canvas, weather: Weather, place: Floats, inward: float, rng: Generator) -> None:
    """A street lamp whose arm reaches over the road; it counts as a sign, like every pole."""
    foot = canvas.camera.to_camera(place)
    if foot[2] < 1.5:
        return
    light, side = _light(canvas, weather)
    metal, height = rgb(0x4C545B), rng.uniform(5.5, 7.5)
    canvas.capsule(foot, (0, 0, 0, height, 0.09, 0.055), metal * light, SIGN, light=side)
    canvas.capsule(foot, (0, height, inward * 1.3, height + 0.25, 0.05, 0.045), metal * light, SIGN, light=side)
    lit = weather.lit > 0.3
    head = rgb(0xFFE9B8) * 1.15 if lit else metal * light
    canvas.capsule(foot, (inward * 1.1, height + 0.2, inward * 1.75, height + 0.22, 0.12, 0.09), head, SIGN)


def draw_traffic_light(canvas: Canvas, weather: Weather, place: Floats, rng: Generator) -> None:
    """A pole with a box of three lights."""
    foot = canvas.camera.to_camera(place)
    if foot[2] < 1.5:
        return
    light, side = _light(canvas, weather)
    dark = rgb(0x2C3136)
    canvas.capsule(foot, (0, 0, 0, 2.7, 0.07, 0.06), rgb(0x6B7278) * light, SIGN, light=side)
    canvas.capsule(foot, (0, 2.6, 0, 3.3, 0.2, 0.2), dark * light, SIGN)
    on = int(rng.integers(3))
    for index, color in enumerate((0x46D27A, 0xF2B33D, 0xF0483E)):
        y = 2.65 + 0.3 * index
        lamp = rgb(color) if index == on else rgb(color) * 0.22
        canvas.capsule(foot, (0, y, 0, y, 0.12, 0.12), lamp, SIGN)


def draw_sign(canvas: Canvas, weather: Weather, place: Floats, rng: Generator) -> None:
    """A pole with a round, triangular or square sign."""
    foot = canvas.camera.to_camera(place)
    if foot[2] < 1.5:
        return
    light, side = _light(canvas, weather)
    light = light * 1.08
    canvas.capsule(foot, (0, 0, 0, 2.5, 0.045, 0.045), rgb(0x8A9096) * light, SIGN, light=side)
    kind, y = str(rng.choice(["limit", "mandatory", "warning", "parking", "stop"])), rng.uniform(2.3, 2.6)
    red, blue, white = rgb(0xC8332B) * light, rgb(0x2A63B0) * light, rgb(0xF3F1EA) * light
    r = rng.uniform(0.36, 0.46)

    def disc(radius: float, color: Floats, up: float = 0.0) -> None:
        canvas.capsule(foot, (0, y + up, 0, y + up, radius, radius), color, SIGN)

    def bar(x1: float, y1: float, x2: float, y2: float, radius: float, color: Floats) -> None:
        canvas.capsule(foot, (x1 * r, y + y1 * r, x2 * r, y + y2 * r, radius * r, radius * r), color, SIGN)

    if kind == "limit":
        disc(r, red)
        disc(r * 0.74, white)
        bar(-0.22, -0.25, -0.22, 0.25, 0.1, rgb(0x26282B) * light)
        bar(0.22, -0.2, 0.22, 0.2, 0.16, rgb(0x26282B) * light)
    elif kind == "mandatory":
        disc(r, blue)
        bar(0, -0.5, 0, 0.4, 0.11, white)
        bar(0, 0.5, -0.32, 0.15, 0.1, white)
        bar(0, 0.5, 0.32, 0.15, 0.1, white)
    elif kind == "stop":
        disc(r, red)
        bar(-0.5, 0, 0.5, 0, 0.17, white)
    elif kind == "warning":
        for size, color in ((1.0, red), (0.68, white)):
            for level in range(7):
                reach = size * (1 - level / 6.5)
                bar(
                    -reach,
                    -0.75 * size + level * 0.24 * size,
                    reach,
                    -0.75 * size + level * 0.24 * size,
                    0.13 * size,
                    color,
                )
        bar(0, -0.25, 0, 0.12, 0.09, rgb(0x26282B) * light)
    else:
        for level in range(6):
            bar(-0.68, -0.75 + level * 0.3, 0.68, -0.75 + level * 0.3, 0.2, blue)
        bar(-0.2, -0.5, -0.2, 0.5, 0.1, white)
        bar(0.05, 0.26, 0.05, 0.26, 0.3, white)
