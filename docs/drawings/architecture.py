"""The whole: one specification, one program, engines that agree, and what is in the hardware."""

from __future__ import annotations

from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, RED, SLATE, VIOLET, Drawing

_ENGINES = (
    ("golden", "NumPy, defines", GREEN),
    ("csim", "Vitis HLS C++", BLUE),
    ("rtl", "Verilog", BLUE),
    ("board", "through PYNQ", SLATE),
)


def draw() -> Drawing:
    """From a checkpoint to results, top to bottom."""
    drawing = Drawing(640, 668, "One program runs on four engines, which give the same integers; inside, one array")
    drawing.box((0, 0), (640, 46), "one specification: instructions, registers, numbers", SLATE, 17)
    drawing.text((320, 62), "generates the headers of every engine, and the reference pages", 15)
    for index, (name, what, fill) in enumerate((
        ("checkpoint", "floats, ranges", SLATE),
        ("quantise", "8 or 16 bits", AMBER),
        ("compile", "steps, layout", AMBER),
        ("program", "and weights", VIOLET),
    )):  # fmt: skip
        x = index * 165
        drawing.box((x, 88), (145, 56), (name, what), fill, 16)
        if index:
            drawing.arrow([(x - 19, 116), (x - 1, 116)])
    drawing.arrow([(568, 146), (568, 172), (320, 172), (320, 196)], VIOLET, 2.2)
    drawing.text((304, 178), "the same program for each", 15, anchor="end")
    drawing.rectangle((0, 200), (640, 84), stroke=GREY, dashed=True)
    for index, (name, what, fill) in enumerate(_ENGINES):
        x = 14 + index * 159
        drawing.box((x, 212), (135, 60), (name, what), fill, 16)
        if index:
            drawing.text((x - 12, 242), "=" if index < 3 else "?", 20, bold=True)
    drawing.text((320, 300), "golden = csim = rtl, bit for bit; no board has run yet", 15)
    _machine(drawing, 320)
    drawing.arrow([(320, 610), (320, 628)])
    drawing.box((90, 630), (460, 36), "segmentation · depth · experts of each patch", GREEN, 15)
    return drawing


def _machine(drawing: Drawing, top: float) -> None:
    """The hardware engines' inside."""
    drawing.rectangle((0, top), (640, 288), stroke=GREY)
    drawing.text((16, top + 20), "inside the hardware", 16, GREY, "start", bold=True)
    drawing.box((16, top + 40), (132, 60), ("weight ports", "1 to 4 × 128 bit"), SLATE, 15)
    drawing.arrow([(82, top + 102), (82, top + 120)])
    drawing.box((16, top + 122), (132, 60), ("prefetch", "one stream"), SLATE, 15)
    drawing.arrow([(150, top + 152), (178, top + 152)])
    drawing.rectangle((180, top + 40), (186, 142), BLUE)
    drawing.text((273, top + 58), "one array", 17, "#ffffff", bold=True)
    for lane in range(5):
        drawing.rectangle((194, top + 74 + lane * 16), (158, 11), "#ffffff", radius=2, opacity=0.28)
    drawing.text((273, top + 166), "every product", 14, "#ffffff")
    drawing.arrow([(368, top + 111), (396, top + 111)])
    post = ("post lanes", "requantise", "softmax in one pass", "GELU by a table", "residual, expert score")
    drawing.box((398, top + 40), (226, 142), post, AMBER, 16)
    pads = ("scratchpads with fixed roles", "residual, norm, Q K V, hidden, gate")
    drawing.box((180, top + 214), (444, 56), pads, VIOLET, 15)
    drawing.arrow([(511, top + 184), (511, top + 212)])
    drawing.arrow([(273, top + 212), (273, top + 184)])
    drawing.box((16, top + 214), (132, 56), ("row units", "norms, queues"), RED, 15)
    drawing.arrow([(164, top + 242), (150, top + 242)])
    drawing.arrow([(164, top + 242), (178, top + 242)])
