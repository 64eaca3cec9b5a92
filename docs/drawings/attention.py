"""Attention reordering: each lane is one key behind the lane before it, so one key is read per step."""

from __future__ import annotations

from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, RED, SLATE, VIOLET, Drawing

_LANES, _STEPS, _KEYS = 4, 7, 5
_SHADES = (BLUE, GREEN, AMBER, VIOLET, RED)


def draw() -> Drawing:
    """Lanes against steps; a key keeps its colour on its way down."""
    drawing = Drawing(520, 350, "Queries stay in their lanes; a key enters lane 0 and moves on by one lane per step")
    left, top, width, height = 96, 92, 56, 44
    drawing.text((260, 12), "one key is read per step, however many lanes there are")
    for step in range(_STEPS):
        x = left + step * (width + 4)
        if step < _KEYS:
            drawing.box((x, 34), (width, 30), f"key {step}", _SHADES[step], 14)
            drawing.arrow([(x + width / 2, 66), (x + width / 2, top - 3)], _SHADES[step])
        drawing.text((x + width / 2, top + _LANES * (height + 6) + 10), str(step), 14)
    drawing.text((left - 10, top + _LANES * (height + 6) + 10), "step", 14, anchor="end")
    for lane in range(_LANES):
        y = top + lane * (height + 6)
        drawing.box((4, y), (78, height), (f"lane {lane}", f"query {lane}"), SLATE, 14)
        for step in range(_STEPS):
            x, key = left + step * (width + 4), step - lane
            if 0 <= key < _KEYS:
                drawing.box((x, y), (width, height), f"q{lane}·k{key}", _SHADES[key], 14)
            else:
                drawing.rectangle((x, y), (width, height), stroke=GREY, opacity=0.5, dashed=True)
    drawing.text((260, 336), "else each lane reads its own: 4 lanes, 4 reads per step", 14)
    return drawing
