"""Single-pass softmax: the usual three sweeps over the scores beside the one that is left."""

from __future__ import annotations

from docs.drawings.svg import AMBER, BLUE, GREEN, SLATE, Drawing

_SCORES = (0.35, 0.8, 0.5, 1.0, 0.25, 0.6, 0.45, 0.7)


def draw() -> Drawing:
    """Two columns: sweeps one below the other."""
    drawing = Drawing(520, 396, "Three sweeps over the scores, and the one sweep that is left")
    drawing.text((126, 14), "usual softmax", 16, bold=True)
    drawing.text((394, 14), "here", 16, bold=True)
    _column(drawing, 6, (
        ("sweep 1", "maximum of all scores", SLATE),
        ("sweep 2", "exponentials and sum", SLATE),
        ("sweep 3", "divide, times values", SLATE),
    ))  # fmt: skip
    _scores(drawing, 284, 40, BLUE)
    drawing.box((274, 100), (240, 44), ("while scores are written", "m = max ⌈t⌉, whole octaves"), BLUE, 14)
    drawing.arrow([(394, 146), (394, 162)])
    _scores(drawing, 284, 170, GREEN)
    drawing.arrow([(284, 224), (504, 224)], GREEN, 2.4)
    drawing.box((274, 234), (240, 62), ("the only sweep", "e = 2^(t − m)", "s = Σ e,  a = Σ e·v"), GREEN, 14)
    drawing.arrow([(394, 298), (394, 318)])
    drawing.box((274, 322), (240, 44), ("once per row and head", "out = a · (1 / s)"), AMBER, 14)
    drawing.text((260, 386), "sums of integers: no order of keys changes a bit", 14)
    return drawing


def _column(drawing: Drawing, left: float, sweeps: tuple[tuple[str, str, str], ...]) -> None:
    for index, (name, what, fill) in enumerate(sweeps):
        top = 40 + index * 110
        _scores(drawing, left + 10, top, fill, height=34)
        drawing.arrow([(left + 10, top + 42), (left + 230, top + 42)], fill, 2.4)
        drawing.box((left, top + 52), (240, 42), (name, what), fill, 14)


def _scores(drawing: Drawing, left: float, top: float, fill: str, height: float = 46) -> None:
    """A row of scores as bars."""
    for index, score in enumerate(_SCORES):
        bar = height * score
        drawing.rectangle((left + index * 28, top + height - bar), (22, bar), fill, radius=2)
