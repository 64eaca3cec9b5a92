"""Plan of the street: widths, curve, crossing, and where a point lies across it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from edgemoe_golden.scenes.camera import Floats

STYLES = ("city", "avenue", "suburb", "country", "boulevard")


@dataclass(frozen=True)
class Street:
    """A street along Z whose centre line is X = offset + curve·Z²/2; metres.

    lanes: per direction. half: half width of the carriageway. pavement: width of each pavement (0: none).
    verge: width of grass between pavement and what follows. crossing: Z of a side street, or infinity.
    travelled: how far the camera has gone along it: what is painted and worn on the ground stays where it is.
    """

    style: str
    offset: float
    curve: float
    lanes: int
    lane: float
    half: float
    pavement: float
    verge: float
    parking: bool
    crossing: float
    crossing_width: float
    zebra: float
    paved: bool
    travelled: float = 0.0

    def center(self, z: float) -> float:
        """X of the centre line at Z."""
        return self.offset + self.curve * z * z / 2

    def place(self, lateral: float, z: float) -> Floats:
        """World point on the ground, `lateral` metres right of the centre line."""
        return np.array([self.center(z) + lateral, 0, z], dtype=np.float32)

    def axes(self, z: float) -> tuple[Floats, Floats]:
        """Unit vectors along and to the right of the street at Z."""
        slope = self.curve * z
        length = np.hypot(1, slope)
        forward = np.array([slope, 0, 1], dtype=np.float32) / np.float32(length)
        right = np.array([forward[2], 0, -forward[0]], dtype=np.float32)
        return forward, right

    @property
    def edge(self) -> float:
        """Distance from the centre line to the outer edge of pavement and verge."""
        return self.half + self.pavement + self.verge

    def in_crossing(self, z: float, margin: float = 0.0) -> bool:
        """Whether Z lies in the side street."""
        return self.crossing - margin < z < self.crossing + self.crossing_width + margin


def random_street(rng: Generator) -> Street:
    """Draw a street of one of the styles."""
    style = STYLES[rng.choice(len(STYLES), p=[0.3, 0.2, 0.22, 0.13, 0.15])]
    lanes = int(rng.integers(1, 3)) if style in ("city", "avenue", "boulevard") else 1
    lane = rng.uniform(3.0, 3.6)
    parking = style in ("city", "suburb", "avenue") and rng.random() < 0.65
    half = lanes * lane + (2.2 if parking else 0.4)
    pavement = 0.0 if style == "country" else rng.uniform(2.0, 4.5 if style != "suburb" else 2.6)
    verge = {"city": 0.0, "avenue": 0.0, "suburb": 3.5, "country": 2.5, "boulevard": 2.5}[style]
    crossing = rng.uniform(18, 60) if rng.random() < 0.4 and style != "country" else np.inf
    zebra = crossing - 4.5 if np.isfinite(crossing) else (rng.uniform(9, 40) if rng.random() < 0.25 else np.inf)
    return Street(
        style=style,
        offset=-lane / 2 - (lanes - 1) * lane * int(rng.integers(0, 2)) + rng.uniform(-0.4, 0.4),
        curve=rng.normal(0, 0.0016) if rng.random() < 0.6 else 0.0,
        lanes=lanes,
        lane=lane,
        half=half,
        pavement=pavement,
        verge=verge,
        parking=parking,
        crossing=crossing,
        crossing_width=rng.uniform(7, 11),
        zebra=zebra if style != "country" else np.inf,
        paved=style in ("city", "avenue"),
    )
