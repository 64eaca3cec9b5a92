"""A drive through a street without end: one world, a camera that moves along it, weather that changes.

The street is a ring: after a lap it begins again, seamlessly, so that a lap can be drawn once and shown for ever. What
stands beside it has a place on the ring and chance of its own, so that it is the same from every frame. What moves
closes in on the camera at a speed that fits into a lap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from edgemoe.errors import ArgumentError
from edgemoe_golden.scenes.buildings import draw_block
from edgemoe_golden.scenes.camera import Camera
from edgemoe_golden.scenes.canvas import Canvas
from edgemoe_golden.scenes.figures import draw_lamp, draw_person, draw_sign, draw_traffic_light, draw_tree
from edgemoe_golden.scenes.ground import draw_backdrop, draw_ground, draw_sky
from edgemoe_golden.scenes.labels import SKY
from edgemoe_golden.scenes.scene import SAMPLES, Scene, develop
from edgemoe_golden.scenes.solids import Box
from edgemoe_golden.scenes.street import Street
from edgemoe_golden.scenes.vehicles import KINDS, cast_shadow, draw_vehicle, random_kind
from edgemoe_golden.scenes.weather import Weather, between, weather_of

LAP = 400.0  # metres
_NEAR, _FAR = -14.0, 120.0  # what is drawn, from the camera
_MOODS = ("clear", "overcast", "rain", "morning", "golden", "dusk")
_CHANGE = 0.5  # share of a mood's stretch in which it turns into the next
_CROSSINGS = (150.0, 330.0)
_CROSSING_WIDTH = 9.0
_LANE, _HALF = 3.4, 5.6
_SIDES = (-1.0, 1.0)
_RING = 160.0  # metres between a moving thing and the one that follows it with the same chance


@dataclass(frozen=True)
class Drive:
    """The frames of one lap. seed: which world. height, width: of the pictures, pixels. frames: of a lap.

    Raises ArgumentError for a lap without frames, and for sizes that cannot be drawn.
    """

    seed: int = 0
    height: int = 128
    width: int = 256
    frames: int = 480

    def __post_init__(self) -> None:
        if self.seed < 0 or self.frames < 1:
            raise ArgumentError(f"a drive needs a seed from 0 and a frame, found {self.seed} and {self.frames}")
        if not (16 <= self.height <= 4096 and 16 <= self.width <= 4096):
            raise ArgumentError(f"a drive of {self.height} × {self.width} pixels cannot be drawn; sides: 16 … 4096")

    def __iter__(self) -> Iterator[Scene]:
        """One lap."""
        return (self.frame(number) for number in range(self.frames))

    def frame(self, number: int) -> Scene:
        """Frame `number`, of any lap; the same one from whatever frame one comes."""
        turn = number % self.frames / self.frames
        camera = Camera(
            height=self.height * SAMPLES,
            width=self.width * SAMPLES,
            focal=SAMPLES * 0.75 * max(self.width, self.height * 1.5),
            elevation=1.5,
            pitch=0.02,
            yaw=0.0,
        )
        weather, street = _weather(turn), _street(turn)
        canvas = Canvas(camera, SKY)
        draw_sky(canvas, weather, self._chance("sky"))
        draw_backdrop(canvas, weather, street, self._chance("backdrop"))
        draw_ground(canvas, weather, street, self._chance("ground"))
        for side in _SIDES:
            self._buildings(canvas, weather, street, side)
            self._roadside(canvas, weather, street, side)
            self._parked(canvas, weather, street, side)
        self._traffic(canvas, weather, street, turn)
        self._people(canvas, weather, street, turn)
        return Scene(
            image=develop(canvas, weather, self._chance("film")),
            label=np.ascontiguousarray(canvas.label[::SAMPLES, ::SAMPLES]),
            inverse_depth=np.ascontiguousarray(canvas.inverse[::SAMPLES, ::SAMPLES]),
            camera=camera,
            weather=weather.name,
        )

    def _chance(self, kind: str, *place: float) -> Generator:
        """Chance of one thing: the same whenever it is drawn."""
        key = [self.seed, 0xD21FE, *kind.encode(), *(int(value) + 1000 for value in place)]
        return np.random.default_rng(key)

    def _along(self, kind: str, side: float, step: float, street: Street) -> Iterator[tuple[float, Generator]]:
        """Places every `step` metres of the ring that can be seen, from the camera, each with its chance."""
        cells = round(LAP / step)
        first = int(np.floor((street.travelled + _NEAR) / step))
        for cell in range(first, int(np.ceil((street.travelled + _FAR) / step))):
            yield cell * step - street.travelled, self._chance(kind, side, cell % cells)

    def _buildings(self, canvas: Canvas, weather: Weather, street: Street, side: float) -> None:
        length, depth = 12.5, 12.0
        for z, chance in self._along("building", side, length, street):
            middle = z + length / 2
            if _crossed(middle + street.travelled, length / 2 + 1):
                continue
            forward, right = street.axes(middle)
            base = street.place(side * (street.edge + chance.uniform(0, 0.5) + depth / 2), middle)
            box = Box(base, forward, right, length, depth, chance.uniform(8, 24))
            shops = bool(chance.random() < 0.6)
            cast_shadow(canvas, weather, base, right * np.float32(depth), box.height, box)
            draw_block(canvas, weather, box, chance, shops)

    def _roadside(self, canvas: Canvas, weather: Weather, street: Street, side: float) -> None:
        line = street.half + 0.9
        for z, chance in self._along("tree", side, 10.0, street):
            place = z + chance.uniform(0, 4)
            if place > 1.5 and not _crossed(place + street.travelled, 2) and chance.random() < 0.75:
                season = str(chance.choice(["summer", "summer", "spring", "autumn"]))
                draw_tree(canvas, weather, street.place(side * line, place), season, "broad", chance)
        for z, chance in self._along("lamp", side, 25.0, street):
            if z > 1.5 and not _crossed(z + street.travelled, 1):
                draw_lamp(canvas, weather, street.place(side * (street.half + 0.5), z), -side, chance)
        for z, chance in self._along("sign", side, 20.0, street):
            place = z + chance.uniform(3, 17)
            if place > 1.5 and not _crossed(place + street.travelled, 1) and chance.random() < 0.7:
                draw_sign(canvas, weather, street.place(side * (street.half + 0.6), place), chance)
        if 3 < street.crossing < _FAR:
            corner = street.place(side * (street.half + 0.6), street.crossing - 1)
            draw_traffic_light(canvas, weather, corner, self._chance("light", side))

    def _parked(self, canvas: Canvas, weather: Weather, street: Street, side: float) -> None:
        for z, chance in self._along("parked", side, 6.25, street):
            if chance.random() < 0.55 and not _crossed(z + street.travelled, 7):
                kind = random_kind(chance, large=False)
                draw_vehicle(canvas, weather, street, side * (street.half - 1.1), z, kind, side < 0, chance)

    def _traffic(self, canvas: Canvas, weather: Weather, street: Street, turn: float) -> None:
        """Cars that come, and one ahead that keeps its distance, more or less."""
        for slot in range(4):
            z, chance = self._moving("oncoming", slot, 4, 6, turn)
            kind = random_kind(chance)
            draw_vehicle(canvas, weather, street, -_LANE / 2, z + KINDS[kind].length / 2, kind, True, chance)
        distance = 17 + 5 * np.sin(4 * np.pi * turn)
        draw_vehicle(canvas, weather, street, _LANE / 2, distance, "hatchback", False, self._chance("ahead"))

    def _people(self, canvas: Canvas, weather: Weather, street: Street, turn: float) -> None:
        """People on both pavements, some coming, some going the same way."""
        for slot in range(20):
            closing = 2 if slot % 2 else 3  # rings of a lap: slower and faster than what stands
            z, chance = self._moving("person", slot, 20, closing, turn)
            side = _SIDES[slot // 2 % 2]
            lateral = side * (street.half + chance.uniform(0.8, street.pavement - 0.3))
            if z > 1.5 and not _crossed(z + street.travelled, 0):
                draw_person(canvas, weather, street.place(lateral, z), chance)

    def _moving(self, kind: str, slot: int, slots: int, rings: int, turn: float) -> tuple[float, Generator]:
        """Where one of `slots` things is that close in by `rings` rings of 160 m a lap; another one follows each."""
        gone = slot / slots - rings * turn
        lap = int(np.floor(gone)) % rings
        return gone % 1 * _RING + _NEAR, self._chance(kind, slot, lap)


def _weather(turn: float) -> Weather:
    """Moods one after the other, each turning into the next."""
    place = turn * len(_MOODS)
    now = int(place)
    first, second = (weather_of(_MOODS[index % len(_MOODS)], 0.9) for index in (now, now + 1))
    share = max(0.0, (place - now - (1 - _CHANGE)) / _CHANGE)
    return between(first, second, share * share * (3 - 2 * share))


def _street(turn: float) -> Street:
    """The street as it lies before the camera."""
    travelled = turn * LAP
    ahead = [crossing + lap - travelled for crossing in _CROSSINGS for lap in (-LAP, 0, LAP)]
    crossing = min((each for each in ahead if each > -_CROSSING_WIDTH - 6), default=np.inf)
    straight = Street(
        style="avenue",
        offset=-_LANE / 2,
        curve=0.0022 * float(np.sin(2 * np.pi * 2 * turn)),
        lanes=1,
        lane=_LANE,
        half=_HALF,
        pavement=3.6,
        verge=0.0,
        parking=True,
        crossing=crossing,
        crossing_width=_CROSSING_WIDTH,
        zebra=crossing - 4.5,
        paved=True,
    )
    return replace(straight, travelled=travelled)


def _crossed(place: float, margin: float) -> bool:
    """Whether a place of the ring lies in a side street."""
    return any(each - margin < place % LAP < each + _CROSSING_WIDTH + margin for each in _CROSSINGS)
