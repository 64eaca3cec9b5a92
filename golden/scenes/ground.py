"""Sky, distant silhouettes and the ground: everything that is computed for whole rows of the picture."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats
from edgemoe_golden.scenes.canvas import Canvas, Mask
from edgemoe_golden.scenes.functions import arctangent, exponential, power
from edgemoe_golden.scenes.labels import BUILDING, ROAD, VEGETATION
from edgemoe_golden.scenes.noise import sample, texture
from edgemoe_golden.scenes.street import Street
from edgemoe_golden.scenes.weather import Weather, rgb

FAR = 320.0


def world_rays(canvas: Canvas, rows: slice) -> tuple[Floats, Floats, Floats]:
    """World direction (x, y, z) of every sample of some rows, per metre of depth."""
    rotation = canvas.camera.rotation
    u, v = canvas.camera.columns()[None, :], canvas.camera.rows()[rows][:, None]
    x, y, z = (rotation[0, i] * u + rotation[1, i] * v + rotation[2, i] for i in range(3))
    return x, y, z


def horizon_row(canvas: Canvas) -> int:
    """Row of the horizon, within the picture."""
    camera = canvas.camera
    return int(np.clip(camera.height / 2 - np.tan(camera.pitch) * camera.focal, 1, camera.height - 1))


def _ground_start(canvas: Canvas) -> int:
    """First row that the ground within FAR fills from side to side."""
    camera = canvas.camera
    return horizon_row(canvas) + int(np.ceil(camera.elevation / FAR * camera.focal)) + 2


def _power16(values: Floats) -> Floats:
    for _ in range(4):
        values = values * values
    return values


def draw_sky(canvas: Canvas, weather: Weather, rng: Generator) -> None:
    """Gradient, glow around the sun and a layer of clouds seen in perspective."""
    rows = slice(0, min(_ground_start(canvas), canvas.camera.height))
    x, y, z = world_rays(canvas, rows)
    length = np.sqrt(x * x + y * y + z * z)
    up = np.maximum(y / length, 0)
    blend = (1 - exponential(-3.2 * up))[..., None]
    color = weather.horizon * (1 - blend) + weather.zenith * blend
    sx, sy, sz = weather.sun_direction
    toward = np.maximum((x * sx + y * sy + z * sz) / length, 0)
    wide = _power16(toward)
    color += (wide * 0.35 + _power16(wide) * wide * 0.8)[..., None] * weather.sun

    shift = rng.uniform(0, 512, 2).tolist()
    field = texture(1.7, 3)
    scale = 150 / (up + 0.12)
    value = sample(field, x / length * scale + shift[0], z / length * scale * 1.6 + shift[1])
    wisps = sample(texture(1.1, 4), x / length * scale * 2.1 + shift[1], z / length * scale * 3 + shift[0])
    density = np.clip((value * 0.8 + wisps * 0.2 - (1 - weather.cover)) * 4, 0, 1)
    density *= np.clip(up * 9, 0, 1) * 0.85
    shaded = weather.cloud * (0.86 + 0.14 * wisps[..., None]) + weather.sun * (wide * 0.25)[..., None]
    canvas.color[rows] = color + density[..., None] * (shaded - color)


def draw_backdrop(canvas: Canvas, weather: Weather, street: Street, rng: Generator) -> None:
    """Hills and a tree line or a skyline, standing far away."""
    azimuth = arctangent(canvas.camera.columns()) + canvas.camera.yaw
    city = street.style in ("city", "avenue") or rng.random() < 0.3
    layers = [(300.0, VEGETATION, rng.uniform(8, 42), rgb(0x5F7F6C), 1.4)]
    if city:
        layers.append((240.0, BUILDING, rng.uniform(14, 40), rgb(0x8B93A0), 0.0))
    layers.append((180.0, VEGETATION, rng.uniform(4, 9), rgb(0x4F7043), 0.7))
    top = weather.light(np.array([0, 1, 0], dtype=np.float32))
    for depth, label, height, color, smooth in layers:
        if smooth:
            line = texture(1.3 + smooth, 5)[int(rng.integers(512))]
            relief = np.interp((azimuth * 90 * (2 - smooth) + 256) % 511, np.arange(512), line)
            fuzz = texture(0.8, 6)[3][((azimuth + 2) * 420).astype(int) % 512] if smooth < 1 else 0.0
            heights = height * (0.45 + 0.45 * relief + 0.1 * fuzz)
        else:
            steps = ((azimuth + 2) * 60 + rng.uniform(0, 40)).astype(int)
            heights = height * power(texture(0.4, 7)[int(rng.integers(512))][steps % 512], 1.5)
        base = canvas.camera.height / 2 - np.tan(canvas.camera.pitch) * canvas.camera.focal
        crest = base - heights / depth * canvas.camera.focal
        rows = slice(max(int(crest.min()), 0), int(np.clip(_ground_start(canvas), 0, canvas.camera.height)))
        inside = np.arange(rows.start, rows.stop)[:, None] >= crest
        canvas.color[rows][inside] = color * top * np.float32(rng.uniform(0.8, 1.05))
        canvas.label[rows][inside] = label
        canvas.inverse[rows][inside] = 1 / depth


def draw_ground(canvas: Canvas, weather: Weather, street: Street, rng: Generator) -> None:
    """Carriageway, markings, kerbs, pavements and grass on the plane Y = 0."""
    rows = slice(horizon_row(canvas), canvas.camera.height)
    x, y, z = world_rays(canvas, rows)
    depth = np.float32(canvas.camera.elevation) / np.maximum(-y, np.float32(1e-4))
    below = (y < 0) & (depth < FAR)
    depth = depth[below]
    points = _Ground(x[below] * depth, z[below] * depth, depth, canvas, street)
    along = points.z + np.float32(street.travelled)

    shift = rng.uniform(0, 512, 2).tolist()
    grain = sample(texture(0.5, 1), points.x * 14 + shift[0], along * 9 + shift[1]) - 0.5
    blotch = sample(texture(1.6, 2), points.x * 5 + shift[1], along * 3 + shift[0]) - 0.5
    tone = rng.uniform(0.36, 0.52)
    asphalt = np.array([tone, tone, tone * rng.uniform(1.0, 1.06)], dtype=np.float32)
    wheel = np.abs(np.abs(points.lateral / street.lane % 1 - 0.5) - 0.25)
    worn = (1 + 0.16 * grain + 0.18 * blotch) * (1 - 0.08 * np.clip(1 - wheel * 9, 0, 1))
    color = worn[:, None] * asphalt
    color[points.road & _markings(street, points.lateral, points.z, rng)] = rgb(0xDEDCD3)

    slab = rng.uniform(0.6, 1.2)
    stone = rgb(int(rng.choice([0xB9B2A6, 0xA9A9AB, 0xC2B5A3, 0x9E9C98])))
    meadow = rgb(int(rng.choice([0x7E9B4E, 0x6F9150, 0x93A05A, 0x64884A])))
    if points.paved.any():
        part = points.paved
        joint = (points.lateral[part] / slab % 1 < 0.06) | (along[part] / slab % 1 < 0.06)
        joint &= points.stretch[part] < slab / 3
        color[part] = stone * (1 + 0.1 * grain[part] + 0.1 * blotch[part] - 0.13 * joint)[:, None]
    if street.pavement > 0:
        color[points.kerb] = rgb(0xCFCBC2)
    if points.grass.any():
        part = points.grass
        blades = sample(texture(0.9, 8), points.x[part] * 22, along[part] * 12) - 0.5
        color[part] = meadow * (1 + 0.3 * blotch[part] + 0.22 * blades)[:, None]

    color *= weather.light(np.array([0, 1, 0], dtype=np.float32))
    if weather.wet:
        mirror = weather.wet * np.clip(0.65 - 0.5 * exponential(-depth / 22) + 0.25 * blotch, 0, 0.7) * ~points.grass
        color += mirror[:, None] * (weather.horizon * np.float32(0.9) - color)

    canvas.color[rows][below] = color
    canvas.label[rows][below] = np.where(points.grass, np.uint8(VEGETATION), np.uint8(ROAD))
    canvas.inverse[rows][below] = 1 / depth


class _Ground:
    """Points on the ground: world x and z, distance from the centre line, and what covers them."""

    def __init__(self, x: Floats, z: Floats, depth: Floats, canvas: Canvas, street: Street) -> None:
        self.x, self.z = x, z
        self.lateral = x - street.offset - street.curve / 2 * z * z
        across = np.abs(self.lateral)
        # Metres of ground that one sample row covers: finer patterns would only flicker.
        self.stretch = depth * depth * (1 / (canvas.camera.focal * canvas.camera.elevation))
        crossing = (z > street.crossing) & (z < street.crossing + street.crossing_width)
        self.road = (across < street.half) | crossing
        walk = across < street.half + street.pavement
        self.paved = ~self.road & (np.ones_like(walk) if street.paved else walk)
        self.grass = ~self.road & ~self.paved
        self.kerb = ~self.road & (across < street.half + 0.22)


def _markings(street: Street, lateral: Floats, z: Floats, rng: Generator) -> Mask:
    """Where paint lies: lane dashes, centre and edge lines, a zebra crossing."""
    period = rng.uniform(7, 10)
    dash = ((z + np.float32(street.travelled)) / period + rng.random()) % 1 < 0.42
    thin, across = 0.07, np.abs(lateral)
    paint = across < thin if rng.random() < 0.5 else (across < thin) & dash
    for lane in range(1, street.lanes):
        paint |= (np.abs(across - lane * street.lane) < thin) & dash
    if street.parking or rng.random() < 0.5:
        paint |= np.abs(across - street.lanes * street.lane) < thin
    clear = (z > street.crossing - 1) & (z < street.crossing + street.crossing_width + 1)
    zebra = (z > street.zebra) & (z < street.zebra + 3)
    stop = (z > street.zebra - 1.6) & (z < street.zebra - 1.2) & (lateral > 0)
    bars = zebra & (lateral % 1.0 < 0.5)
    return np.asarray(((paint & ~clear & ~zebra) | bars | stop) & (across < street.half), dtype=np.bool_)
