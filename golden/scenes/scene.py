"""One street scene by seed: picture, labels and inverse depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe_golden.scenes.buildings import draw_block, draw_house
from edgemoe_golden.scenes.camera import Camera, Floats
from edgemoe_golden.scenes.canvas import Canvas
from edgemoe_golden.scenes.figures import draw_lamp, draw_person, draw_sign, draw_traffic_light, draw_tree
from edgemoe_golden.scenes.functions import exponential, power
from edgemoe_golden.scenes.ground import draw_backdrop, draw_ground, draw_sky
from edgemoe_golden.scenes.labels import SKY
from edgemoe_golden.scenes.solids import Box
from edgemoe_golden.scenes.street import Street, random_street
from edgemoe_golden.scenes.vehicles import KINDS, cast_shadow, draw_vehicle, random_kind
from edgemoe_golden.scenes.weather import Weather, random_weather

DEMO_SEEDS = range(0, 1_000)
VALIDATION_SEEDS = range(1_000, 100_000)
TRAINING_SEEDS = range(1_000_000, 100_000_000)

DRAWING_VERSION = 4
"""Changes whenever the same seed gives another scene, so that scenes kept in files are drawn again."""

SAMPLES = 2
"""Colour samples per pixel side; labels and depth are those of the pixel's upper left sample."""


TONE = 0.86
"""Exponent of the tone curve: below 1 lifts shadows."""


@dataclass(frozen=True)
class Scene:
    """image [H, W, 3] uint8 RGB; label [H, W] uint8 class numbers; inverse_depth [H, W] float32, 1/m, 0 for sky.

    camera: made the picture, in samples (`SAMPLES` per pixel side). weather: name of the mood.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    inverse_depth: Floats
    camera: Camera
    weather: str


def draw_scene(seed: int, height: int = 128, width: int = 256) -> Scene:
    """Draw the scene of `seed`; the same seed and size give the same scene.

    Raises ArgumentError for a negative seed and for pictures smaller than 16 pixels or larger than 4096.
    """
    if seed < 0:
        raise ArgumentError(f"scene {seed} does not exist; seeds are whole numbers from 0")
    if not (16 <= height <= 4096 and 16 <= width <= 4096):
        raise ArgumentError(f"a scene of {height} × {width} pixels cannot be drawn; sides must be 16 … 4096")
    rng = np.random.default_rng([seed, 0x5CE7E])
    camera = Camera(
        height=height * SAMPLES,
        width=width * SAMPLES,
        focal=SAMPLES * rng.uniform(0.62, 0.95) * max(width, height * 1.5),
        elevation=rng.uniform(1.25, 2.1),
        pitch=rng.normal(0.02, 0.025),
        yaw=rng.normal(0, 0.04),
    )
    weather, street = random_weather(rng), random_street(rng)
    canvas = Canvas(camera, SKY)
    draw_sky(canvas, weather, rng)
    draw_backdrop(canvas, weather, street, rng)
    draw_ground(canvas, weather, street, rng)
    _fill(canvas, weather, street, rng)
    return Scene(
        image=develop(canvas, weather, rng),
        label=np.ascontiguousarray(canvas.label[::SAMPLES, ::SAMPLES]),
        inverse_depth=np.ascontiguousarray(canvas.inverse[::SAMPLES, ::SAMPLES]),
        camera=camera,
        weather=weather.name,
    )


def _fill(canvas: Canvas, weather: Weather, street: Street, rng: Generator) -> None:
    """Place buildings, plants, vehicles, people and signs, each kind from near to far."""
    for side in (-1.0, 1.0):
        _buildings(canvas, weather, street, side, rng)
        _roadside(canvas, weather, street, side, rng)
    _traffic(canvas, weather, street, rng)
    _people(canvas, weather, street, rng)


def _buildings(canvas: Canvas, weather: Weather, street: Street, side: float, rng: Generator) -> None:
    dense = {"city": 1.0, "avenue": 0.95, "suburb": 0.8, "boulevard": 0.6, "country": 0.12}[street.style]
    tall = {"city": (10, 30), "avenue": (9, 22), "boulevard": (7, 18)}.get(street.style, (4.5, 7))
    shops = street.style in ("city", "avenue") and rng.random() < 0.75
    z = rng.uniform(-6, 4)
    while z < 130:
        length, depth = (rng.uniform(9, 18), 12.0) if tall[1] > 8 else (rng.uniform(8, 12), rng.uniform(7, 9))
        middle = z + length / 2
        gap = 0.0 if street.paved else rng.uniform(2, 9)
        if street.in_crossing(middle, length / 2 + 2):
            z = street.crossing + street.crossing_width + 3
            continue
        if rng.random() < dense:
            setback = rng.uniform(0, 0.6) if street.paved else rng.uniform(1.5, 6)
            forward, right = street.axes(middle)
            base = street.place(side * (street.edge + setback + depth / 2), middle)
            box = Box(base, forward, right, length, depth, rng.uniform(*tall))
            cast_shadow(canvas, weather, base, right * np.float32(depth), box.height, box)
            if tall[1] > 8:
                draw_block(canvas, weather, box, rng, shops)
            else:
                draw_house(canvas, weather, box, rng)
        z += length + gap


def _roadside(canvas: Canvas, weather: Weather, street: Street, side: float, rng: Generator) -> None:
    """Trees, bushes, lamps, signs along one side."""
    season = str(rng.choice(["summer", "summer", "spring", "autumn"]))
    step = {"city": 40.0, "avenue": 9.0, "boulevard": 10.0, "suburb": 13.0, "country": 9.0}[street.style]
    kind = "conifer" if street.style in ("country", "suburb") and rng.random() < 0.35 else "broad"
    line = street.half + (0.9 if street.pavement else 2.0)
    if street.style in ("suburb", "boulevard"):
        line = street.half + street.pavement + 1.2
    z = rng.uniform(4, 4 + step)
    while z < 120:
        if not street.in_crossing(z, 2):
            lateral = line + (rng.uniform(0, 8) if street.style == "country" else rng.uniform(-0.2, 0.2))
            draw_tree(canvas, weather, street.place(side * lateral, z), season, kind, rng)
        z += step * rng.uniform(0.8, 1.3)
    if not street.paved:
        for _ in range(int(rng.integers(3, 11))):
            z, lateral = rng.uniform(5, 60), street.half + street.pavement + rng.uniform(1, 7)
            if not street.in_crossing(z, 2):
                draw_tree(canvas, weather, street.place(side * lateral, z), season, "bush", rng)
    z, spacing = rng.uniform(6, 25), rng.uniform(22, 32)
    while z < 110 and street.style != "country":
        if not street.in_crossing(z, 1):
            draw_lamp(canvas, weather, street.place(side * (street.half + 0.5), z), -side, rng)
        z += spacing
    for _ in range(int(rng.integers(0, 4))):
        place = street.place(side * (street.half + rng.uniform(0.4, 1.2)), rng.uniform(6, 45))
        draw_sign(canvas, weather, place, rng)
    if np.isfinite(street.crossing) and rng.random() < 0.7:
        place = street.place(
            side * (street.half + 0.6), street.zebra - 0.8 if side > 0 else street.crossing + street.crossing_width
        )
        draw_traffic_light(canvas, weather, place, rng)


def _traffic(canvas: Canvas, weather: Weather, street: Street, rng: Generator) -> None:
    for direction in (-1.0, 1.0):
        for lane in range(street.lanes):
            lateral = direction * (lane + 0.5) * street.lane
            z = rng.uniform(7, 32)
            while z < 90:
                kind = random_kind(rng)
                draw_vehicle(
                    canvas,
                    weather,
                    street,
                    lateral + rng.uniform(-0.2, 0.2),
                    z + KINDS[kind].length / 2,
                    kind,
                    direction < 0,
                    rng,
                )
                z += rng.uniform(9, 45) + (8 if kind in ("bus", "lorry") else 0)
        if street.parking:
            z = rng.uniform(5, 12)
            while z < 70:
                if rng.random() < 0.7 and not street.in_crossing(z, 6) and abs(z - street.zebra - 1.5) > 5:
                    kind = random_kind(rng, large=False)
                    draw_vehicle(canvas, weather, street, direction * (street.half - 1.1), z, kind, direction < 0, rng)
                z += rng.uniform(5.4, 6.5)


def _people(canvas: Canvas, weather: Weather, street: Street, rng: Generator) -> None:
    width = max(street.pavement, 1.5)
    for _ in range(rng.poisson(9 if street.paved else 6)):
        z = 4 + 38 * rng.random() ** 1.3
        lateral = rng.choice([-1.0, 1.0]) * (street.half + rng.uniform(0.3, width - 0.3))
        for mate in range(2 if rng.random() < 0.3 else 1):
            draw_person(canvas, weather, street.place(lateral + 0.6 * mate, z + 0.2 * mate), rng)
    if np.isfinite(street.zebra):
        for _ in range(rng.poisson(1.8)):
            draw_person(
                canvas,
                weather,
                street.place(rng.uniform(-1, 1) * street.half, street.zebra + rng.uniform(0.4, 2.6)),
                rng,
            )


def develop(canvas: Canvas, weather: Weather, rng: Generator) -> NDArray[np.uint8]:
    """Haze with distance, average the samples of a pixel, vignette, a little sensor noise."""
    color, inverse = canvas.color, canvas.inverse
    depth = 1 / np.maximum(inverse, np.float32(1e-3))
    haze = np.where(inverse > 0, 1 - exponential(-np.float32(weather.fog) * depth), 0)[..., None].astype(np.float32)
    color = color + haze * (weather.horizon - color)
    samples = [color[i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)]
    pixels = np.sum(samples, axis=0) / np.float32(SAMPLES**2)
    height, width = pixels.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    pixels *= (1 - 0.1 * (x * x + y * y))[..., None] * np.float32(rng.uniform(0.98, 1.16))
    pixels = power(np.clip(pixels, 0, 1), TONE)
    pixels += rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(0.002, 0.012))
    return np.asarray(np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
