"""Light and weather: the palette of a scene."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats, dot


def rgb(code: int) -> Floats:
    """Colour of a 24-bit code such as 0x87B5D9, as float32 in 0 … 1."""
    return np.array([code >> 16, code >> 8 & 255, code & 255], dtype=np.float32) / np.float32(255)


@dataclass(frozen=True)
class Weather:
    """Palette and light of one scene.

    sun: colour of direct light. ambient: colour of light from the sky. elevation: of the sun, radians.
    fog: density in 1/m. cover: cloud cover 0 … 1. lit: part of windows and lamps that are on. wet: 0 … 1.
    """

    name: str
    zenith: Floats
    horizon: Floats
    cloud: Floats
    sun: Floats
    ambient: Floats
    elevation: float
    azimuth: float
    fog: float
    cover: float
    lit: float
    wet: float

    @cached_property
    def sun_direction(self) -> Floats:
        """Unit vector toward the sun, world axes."""
        flat = np.cos(self.elevation)
        x, z = flat * np.sin(self.azimuth), flat * np.cos(self.azimuth)
        return np.array([x, np.sin(self.elevation), z], dtype=np.float32)

    @cached_property
    def shadow(self) -> float:
        """How much a cast shadow darkens, 0 … 1."""
        direct = float(self.sun.mean())
        return 0.72 * direct / (direct + float(self.ambient.mean()))

    def light(self, normal: Floats) -> Floats:
        """Light [3] that a surface of unit normal (world axes) receives."""
        facing = max(0.0, dot(normal, self.sun_direction))
        sky = 0.75 + 0.25 * float(normal[1])
        return np.asarray(self.ambient * sky + self.sun * facing, dtype=np.float32)


@dataclass(frozen=True)
class _Mood:
    zenith: int
    horizon: int
    cloud: int
    sun: int
    sun_power: float
    ambient: int
    ambient_power: float
    elevation: tuple[float, float]
    fog: tuple[float, float]
    cover: tuple[float, float]
    lit: float
    wet: float
    weight: float


_MOODS = {
    "clear": _Mood(
        0x3F86C9,
        0xC9E2F0,
        0xFFFFFF,
        0xFFF1D6,
        0.72,
        0xBFD3EA,
        0.62,
        (0.6, 1.1),
        (0.0006, 0.002),
        (0.1, 0.5),
        0.02,
        0,
        3,
    ),
    "morning": _Mood(
        0x6FA3D0, 0xF6DDBE, 0xFFF3E2, 0xFFDDAA, 0.75, 0xB9C2DB, 0.6, (0.3, 0.5), (0.002, 0.006), (0.1, 0.5), 0.08, 0, 2
    ),
    "golden": _Mood(
        0x5B7FB4,
        0xFFC58A,
        0xFFD9B0,
        0xFFB86B,
        0.85,
        0xA9A6C6,
        0.55,
        (0.14, 0.3),
        (0.0015, 0.005),
        (0.2, 0.6),
        0.2,
        0,
        2,
    ),
    "overcast": _Mood(
        0xA9B6C1, 0xD5DBDF, 0xC4CCD3, 0xFFFFFF, 0.12, 0xD7DEE6, 0.88, (0.7, 1.0), (0.002, 0.006), (0.7, 1.0), 0.12, 0, 2
    ),
    "rain": _Mood(
        0x7C8A97,
        0xB4BEC6,
        0x8E99A3,
        0xFFFFFF,
        0.05,
        0xC3CDD8,
        0.78,
        (0.7, 1.0),
        (0.006, 0.012),
        (0.9, 1.0),
        0.35,
        0.9,
        1.2,
    ),
    "fog": _Mood(
        0xC6CDD2,
        0xDADFE1,
        0xD5DADD,
        0xFFFFFF,
        0.08,
        0xD9DEE2,
        0.86,
        (0.6, 0.9),
        (0.014, 0.026),
        (0.8, 1.0),
        0.2,
        0.2,
        0.8,
    ),
    "dusk": _Mood(
        0x27355E,
        0xE0927A,
        0x8A6C86,
        0xFF9E70,
        0.14,
        0x7C82A8,
        0.66,
        (0.05, 0.12),
        (0.002, 0.005),
        (0.3, 0.7),
        0.6,
        0.2,
        1.2,
    ),
    "night": _Mood(
        0x0E1730,
        0x33415F,
        0x26304A,
        0x9FB4E0,
        0.08,
        0x5F6D92,
        0.52,
        (0.5, 0.8),
        (0.003, 0.007),
        (0.2, 0.7),
        0.7,
        0.3,
        0.8,
    ),
}


def weather_of(name: str, azimuth: float) -> Weather:
    """The middle of a mood, with the sun at `azimuth`, radians from the direction of the street."""
    mood = _MOODS[name]
    return Weather(
        name=name,
        zenith=rgb(mood.zenith),
        horizon=rgb(mood.horizon),
        cloud=rgb(mood.cloud),
        sun=rgb(mood.sun) * np.float32(mood.sun_power),
        ambient=rgb(mood.ambient) * np.float32(mood.ambient_power),
        elevation=sum(mood.elevation) / 2,
        azimuth=azimuth,
        fog=sum(mood.fog) / 2,
        cover=sum(mood.cover) / 2,
        lit=mood.lit,
        wet=mood.wet * 0.85,
    )


def between(first: Weather, second: Weather, share: float) -> Weather:
    """Weather on its way from the first (share 0) to the second (1)."""

    def mixed(field: str) -> Any:
        a, b = getattr(first, field), getattr(second, field)
        return a + (b - a) * (np.float32(share) if isinstance(a, np.ndarray) else share)

    values = {each.name: mixed(each.name) for each in fields(Weather) if each.name != "name"}
    return Weather(name=second.name if share >= 0.5 else first.name, **values)


def random_weather(rng: Generator) -> Weather:
    """Draw one of eight moods and vary it."""
    names = list(_MOODS)
    weights = np.array([_MOODS[name].weight for name in names])
    name = names[rng.choice(len(names), p=weights / weights.sum())]
    mood = _MOODS[name]
    return Weather(
        name=name,
        zenith=rgb(mood.zenith) * np.float32(rng.uniform(0.9, 1.08)),
        horizon=np.minimum(rgb(mood.horizon) * np.float32(rng.uniform(0.95, 1.04)), 1),
        cloud=rgb(mood.cloud),
        sun=rgb(mood.sun) * np.float32(mood.sun_power * rng.uniform(0.9, 1.1)),
        ambient=rgb(mood.ambient) * np.float32(mood.ambient_power * rng.uniform(0.92, 1.06)),
        elevation=rng.uniform(*mood.elevation),
        azimuth=rng.uniform(-np.pi, np.pi),
        fog=rng.uniform(*mood.fog),
        cover=rng.uniform(*mood.cover),
        lit=mood.lit,
        wet=mood.wet * rng.uniform(0.7, 1.0),
    )
