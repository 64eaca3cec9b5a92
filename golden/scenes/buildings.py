"""Town blocks with windows and shops, and houses with gabled roofs."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats, norm
from edgemoe_golden.scenes.canvas import Canvas
from edgemoe_golden.scenes.labels import BUILDING
from edgemoe_golden.scenes.noise import hashed, sample, texture
from edgemoe_golden.scenes.solids import UP, Box, Face, draw_face
from edgemoe_golden.scenes.weather import Weather, rgb

PLASTER = (0xE3D5BD, 0xD9B99B, 0xC98F72, 0xB8C4C2, 0xE8E1D3, 0xCFA98A, 0xA9B7C4, 0xD8C7A0, 0xC7BBAE, 0xE0B8A0)
BRICK = (0x9B5A45, 0x8A4F40, 0xA8674E, 0x7D5347, 0xB07B60)
GLASS = (0x6F8CA3, 0x56788F, 0x7C98A8, 0x486377)
AWNING = (0xB5443C, 0x2F6B5B, 0x2D5C86, 0xD39B3A, 0x7A3F57, 0xE3DED2)
ROOF = (0x7A4A3C, 0x8F5A45, 0x54565C, 0x6B5348, 0xA0604A)
LAMP: Floats = rgb(0xFFD890)


class Facade:
    """Paints a wall: plaster, brick or glass with rows of windows, a ground floor with shops or doors."""

    def __init__(self, rng: Generator, weather: Weather, height: float, shops: bool) -> None:
        self.weather = weather
        self.seed = int(rng.integers(1 << 30))
        self.height = height
        self.style = str(
            rng.choice(["plaster", "brick", "glass"], p=[0.55, 0.27, 0.18] if height > 12 else [0.7, 0.3, 0])
        )
        self.wall = rgb(int(rng.choice({"plaster": PLASTER, "brick": BRICK, "glass": GLASS}[self.style])))
        self.trim = np.minimum(self.wall * np.float32(rng.choice([0.72, 1.22])), 1)
        self.floor = rng.uniform(2.9, 3.5)
        self.bay = rng.uniform(1.8, 3.2) if self.style != "glass" else rng.uniform(1.2, 1.8)
        self.open = (rng.uniform(0.42, 0.62), rng.uniform(0.5, 0.66)) if self.style != "glass" else (0.9, 0.82)
        self.ground = rng.uniform(3.4, 4.2) if shops else 0.4
        self.shops = shops
        self.awning = rgb(int(rng.choice(AWNING)))
        self.shutters = self.style == "plaster" and rng.random() < 0.35

    def __call__(self, x: Floats, y: Floats) -> Floats:
        """Colours [n, 3] at x metres along and y metres up."""
        column, row = np.floor(x / self.bay), np.floor((y - self.ground) / self.floor)
        u = np.abs(x / self.bay - column - 0.5)
        v = np.abs((y - self.ground) / self.floor - row - 0.52)
        upper = (y > self.ground) & (y < self.height - 0.9)
        window = (u < self.open[0] / 2) & (v < self.open[1] / 2) & upper
        frame = (u < self.open[0] / 2 + 0.05) & (v < self.open[1] / 2 + 0.04) & upper & ~window
        grain = sample(texture(0.8, 9), x * 16, y * (40 if self.style == "brick" else 16)) - 0.5
        stain = sample(texture(1.6, 2), x * 6, y * 3) - 0.5
        color = self.wall * (1 + 0.12 * grain + 0.12 * stain)[:, None]
        color[frame] = self.trim
        if self.shutters:
            shutter = (u < self.open[0] / 2 + 0.14) & (u > self.open[0] / 2) & (v < self.open[1] / 2) & upper
            color[shutter] = self.awning * 0.85
        color[window] = self._glass(column[window], row[window], u[window], v[window], y[window])
        if self.style != "glass":
            band = (np.abs(y - self.ground) < 0.14) | (np.abs(y - self.height + 0.75) < 0.12)
            color[band] = self.trim
        color[y > self.height - 0.35] = self.trim * 0.9
        if self.shops:
            self._shop(color, x, y)
        return np.asarray(color, dtype=np.float32)

    def _glass(self, column: Floats, row: Floats, u: Floats, v: Floats, y: Floats) -> Floats:
        chance = hashed(column, row, self.seed)
        reflection = np.clip(y / max(self.height, 9) * 0.5 + chance * 0.35, 0, 1)[:, None]
        dark = rgb(0x2B3A48)
        color = dark + reflection * (self.weather.horizon * 0.75 - dark)
        curtain = (hashed(row, column, self.seed + 1) < 0.3) & (u > 0.12)
        color[curtain] = color[curtain] * 0.5 + rgb(0xD9D2C4) * 0.45
        color[(u < 0.018) & (v < 0.5)] *= 0.7
        lit = chance < self.weather.lit
        # Lamps shine by themselves: undo the dim light of the wall, which draw_face multiplies in afterwards.
        color[lit] = LAMP * (0.75 + 0.5 * hashed(column[lit], row[lit], self.seed + 2))[:, None] * self._glow()
        return color

    def _glow(self) -> Floats:
        return np.asarray(0.95 / np.maximum(self.weather.ambient, 0.3), dtype=np.float32)

    def _shop(self, color: Floats, x: Floats, y: Floats) -> None:
        width = self.bay * 2
        unit = np.floor(x / width)
        u = np.abs(x / width - unit - 0.5)
        below = y < self.ground - 0.2
        pane = below & (y > 0.5) & (y < self.ground - 1.0) & (u < 0.43)
        glow = rgb(0x3A4650) + (LAMP * self._glow() - rgb(0x3A4650)) * np.float32(min(1.0, self.weather.lit * 1.6))
        shelf = 0.75 + 0.5 * hashed(np.floor(x * 2.5), np.floor(y * 2), self.seed)
        color[below] = self.trim * 0.62
        color[pane] = glow * shelf[pane][:, None]
        sign = below & (y > self.ground - 0.95)
        hues = np.array([rgb(code) for code in AWNING])
        choice = (hashed(unit, unit, self.seed + 3) * 5.99).astype(int)
        stripe = np.where((x * 1.6).astype(int) % 2 == 0, 1.0, 0.86)
        color[sign] = (hues[choice] * stripe[:, None])[sign]


def draw_block(canvas: Canvas, weather: Weather, box: Box, rng: Generator, shops: bool) -> None:
    """A town building with a flat roof."""
    facade = Facade(rng, weather, box.height, shops)
    if not canvas.sees(box.corners(box.height)):
        return
    for face in box.sides().values():
        draw_face(canvas, weather, face, BUILDING, facade)


def draw_house(canvas: Canvas, weather: Weather, box: Box, rng: Generator) -> None:
    """A house whose gabled roof runs along the street."""
    facade = Facade(rng, weather, box.height + 1, shops=False)
    if not canvas.sees(box.corners(box.height * 2)):
        return
    for face in box.sides().values():
        draw_face(canvas, weather, face, BUILDING, facade)
    roof = rgb(int(rng.choice(ROOF)))
    rise, eave = np.float32(rng.uniform(0.32, 0.5) * box.width), np.float32(0.4)

    def tiles(x: Floats, y: Floats) -> Floats:
        shade = np.where(y / 0.35 % 1 < 0.18, 0.86, 1.0) + 0.2 * (sample(texture(0.8, 9), x * 12, y * 12) - 0.5)
        return np.asarray(roof * shade[:, None], dtype=np.float32)

    along = box.forward * np.float32(box.length + 2 * eave)
    for side in (-1.0, 1.0):
        outward = box.right * np.float32(side)
        foot = (
            box.corner(-0.5, side / 2, box.height)
            - box.forward * eave
            + outward * eave
            - UP * (eave * rise / (box.width / 2))
        )
        slope = -outward * np.float32(box.width / 2 + eave) + UP * np.float32(rise * (1 + 2 * eave / box.width))
        normal = UP * np.float32(box.width / 2) + outward * rise
        draw_face(canvas, weather, Face(foot, along, slope, normal / np.float32(norm(normal))), BUILDING, tiles)
    half = box.width / 2
    for end, outward in ((-0.5, -box.forward), (0.5, box.forward)):
        gable = Face(box.corner(end, -0.5, box.height), box.right * np.float32(box.width), UP * rise, outward)
        draw_face(canvas, weather, gable, BUILDING, facade.wall, lambda x, y: y < rise * (1 - np.abs(x - half) / half))
