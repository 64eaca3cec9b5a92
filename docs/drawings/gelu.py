"""GELU as ReLU minus δ: the three curves, computed."""

from __future__ import annotations

import math

from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, Drawing, Point

_LEFT, _RIGHT = 20.0, 500.0


def draw() -> Drawing:
    """Above ReLU and GELU, below what lies between them."""
    drawing = Drawing(520, 452, "GELU and ReLU differ by δ, an even bump of at most 0.17, which a small table holds")
    _axes(drawing, base=214, top=14)
    values = [step / 25 for step in range(-80, 81)]
    drawing.line([_at(x, max(x, 0), 214, 56) for x in values], AMBER, 3, dashed=True)
    drawing.line([_at(x, _gelu(x), 214, 56) for x in values], BLUE, 3)
    drawing.box((288, 54), (76, 28), "ReLU(x)", AMBER, 14)
    drawing.box((432, 104), (76, 28), "GELU(x)", BLUE, 14)
    _axes(drawing, base=406, top=284)
    bars = 64
    for index in range(bars):
        x = -3.2 + 6.4 * (index + 0.5) / bars
        place, foot = _at(x, _delta(x), 406, 620), _at(x, 0, 406, 620)
        drawing.rectangle((place[0] - 3, place[1]), (5.6, foot[1] - place[1]), GREEN, radius=0)
    drawing.box((4, 250), (250, 28), "δ(|x|) = ReLU(x) − GELU(x)", GREEN, 14)
    drawing.text((384, 316), "0.17 at 0.75", 14, GREY, "start")
    drawing.text((260, 442), "even, and 0 beyond |x| = 4: 256 entries of one byte", 14)
    return drawing


def _gelu(x: float) -> float:
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _delta(x: float) -> float:
    return max(x, 0) - _gelu(x)


def _at(x: float, y: float, base: float, scale: float) -> Point:
    return _LEFT + (x + 3.2) / 6.4 * (_RIGHT - _LEFT), base - scale * y


def _axes(drawing: Drawing, base: float, top: float) -> None:
    drawing.arrow([(_LEFT, base), (_RIGHT + 14, base)], GREY, 1.4)
    drawing.arrow([(260, base + 8), (260, top)], GREY, 1.4)
    for x in (-3, -2, -1, 1, 2, 3):
        place = _at(x, 0, base, 1)
        drawing.line([place, (place[0], base + 5)], GREY, 1.4)
        drawing.text((place[0], base + 15), str(x).replace("-", "−"), 13)
