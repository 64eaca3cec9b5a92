"""One unified compute unit: every product of the network goes through the same array."""

from __future__ import annotations

from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, SLATE, VIOLET, Drawing

_LAYERS = (
    ("patch embed", SLATE),
    ("QKV, projection", SLATE),
    ("scores Q·Kᵀ", GREEN),
    ("weights · V", GREEN),
    ("dense MLP", SLATE),
    ("gate, 16 bits", AMBER),
    ("experts", VIOLET),
    ("heads", SLATE),
)
_EPILOGUES = (
    ("requantise", "→ Q, K, V, NORM"),
    ("scale to octaves", "→ scores"),
    ("GELU", "→ HIDDEN"),
    ("score, residual", "→ RESIDUAL"),
    ("compare", "→ expert queues"),
    ("16 bit", "→ memory"),
)


def draw() -> Drawing:
    """Layers on the left, the array in the middle, epilogues on the right."""
    drawing = Drawing(520, 372, "All layers share one array of multipliers and one set of post lanes")
    for index, (name, fill) in enumerate(_LAYERS):
        y = 28 + index * 40
        drawing.box((2, y), (140, 32), name, fill, 14)
        drawing.line([(142, y + 16), (156, y + 16)])
    drawing.line([(156, 44), (156, 324)])
    drawing.arrow([(156, 184), (182, 184)])
    drawing.text((72, 12), "every product", 14)
    drawing.rectangle((184, 84), (150, 200), BLUE)
    for lane in range(8):
        drawing.rectangle((196, 128 + lane * 16), (126, 12), "#ffffff", radius=2, opacity=0.28)
    drawing.text((259, 104), "one array", 16, "#ffffff", bold=True)
    drawing.text((259, 270), "8 lanes × 16 × 16", 14, "#ffffff")
    drawing.text((259, 304), "2,048 products a cycle,", 14)
    drawing.text((259, 322), "two int8 in a multiplier", 14)
    drawing.text((259, 48), "weights, keys, values", 14, GREY)
    drawing.arrow([(259, 58), (259, 82)])
    drawing.line([(336, 184), (350, 184)])
    drawing.text((436, 12), "32 post lanes", 14)
    for index, (name, where) in enumerate(_EPILOGUES):
        y = 28 + index * 52
        drawing.box((364, y), (154, 44), (name, where), AMBER if index == 4 else SLATE, 14)
        drawing.line([(350, y + 22), (364, y + 22)])
    drawing.line([(350, 50), (350, 310)])
    return drawing
