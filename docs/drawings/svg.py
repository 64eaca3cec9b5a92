"""A small canvas for the drawings: boxes, arrows and text that read on a light and on a dark page.

Nothing behind is painted. Boxes are filled strongly enough for white text; what stands free is of a grey that has a
contrast of at least 4 with both white and black. Drawings are narrow (about 520 units), so that a telephone shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

BLUE, GREEN, AMBER, VIOLET, RED, SLATE = "#2a66ad", "#237a57", "#96600a", "#7350a8", "#ab3f3f", "#5d6875"
GREY = "#77808b"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
LINE_HEIGHT = 1.25
_WIDEST = {False: 0.57, True: 0.64}  # a letter's mean width by its size, plain and bold, in a wide typeface


class Drawing:
    """One SVG file; lengths in units of the view box. title: what a reader who cannot see it is told.

    Raises ValueError for words that would leave the drawing, or their box, in a wide typeface.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def rectangle(
        self,
        place: Point,
        size: Point,
        fill: str = "none",
        stroke: str = "none",
        radius: float = 6,
        opacity: float = 1,
        dashed: bool = False,
    ) -> None:
        """A rectangle; place: its upper left corner."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        shade = f' opacity="{_number(opacity)}"' if opacity != 1 else ""
        self._parts.append(
            f'<rect x="{_number(place[0])}" y="{_number(place[1])}" width="{_number(size[0])}" '
            f'height="{_number(size[1])}" rx="{_number(radius)}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="1.6"{dashes}{shade}/>'
        )

    def text(
        self,
        place: Point,
        words: str,
        size: float = 15,
        fill: str = GREY,
        anchor: str = "middle",
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """One line; place: the middle of its height, at its start, middle or end as `anchor` says."""
        length = _length(words, size, bold or mono)
        left = place[0] - length * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        if left < -1 or left + length > self.width + 1:
            raise ValueError(f"'{words}' leaves the drawing: {left:.0f} … {left + length:.0f} of {self.width:.0f}")
        weight = ' font-weight="600"' if bold else ""
        family = f' font-family="{MONO}"' if mono else ""
        self._parts.append(
            f'<text x="{_number(place[0])}" y="{_number(place[1] + size * 0.35)}" font-size="{_number(size)}" '
            f'fill="{fill}" text-anchor="{anchor}"{weight}{family}>{escape(words)}</text>'
        )

    def box(
        self,
        place: Point,
        size: Point,
        lines: Sequence[str] | str,
        fill: str = BLUE,
        text_size: float = 15,
        mono: bool = False,
    ) -> None:
        """A filled box with centred lines in white, the first one bold."""
        self.rectangle(place, size, fill)
        rows = [lines] if isinstance(lines, str) else list(lines)
        middle = place[0] + size[0] / 2
        top = place[1] + size[1] / 2 - (len(rows) - 1) * text_size * LINE_HEIGHT / 2
        for index, row in enumerate(rows):
            smaller = text_size if index == 0 else text_size - 1
            if _length(row, smaller, bold=index == 0) > size[0]:
                raise ValueError(f"'{row}' is too long for a box of {size[0]:.0f}")
            at = (middle, top + index * text_size * LINE_HEIGHT)
            self.text(at, row, smaller, "#ffffff", bold=index == 0, mono=mono and index == 0)

    def line(self, points: Sequence[Point], stroke: str = GREY, width: float = 1.8, dashed: bool = False) -> None:
        """Straight pieces from point to point."""
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{_number(width)}" '
            f'stroke-linejoin="round"{dashes}/>'
        )

    def arrow(self, points: Sequence[Point], stroke: str = GREY, width: float = 1.8, dashed: bool = False) -> None:
        """A line with a head at its last point."""
        (x0, y0), (x1, y1) = points[-2], points[-1]
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        back = (x1 - 8 * dx, y1 - 8 * dy)
        self.line([*points[:-1], back], stroke, width, dashed)
        corners = ((x1, y1), (back[0] - 4.5 * dy, back[1] + 4.5 * dx), (back[0] + 4.5 * dy, back[1] - 4.5 * dx))
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
        self._parts.append(f'<polygon points="{path}" fill="{stroke}"/>')

    def svg(self) -> str:
        """The file's text."""
        size = f'width="{_number(self.width)}" height="{_number(self.height)}"'
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
                f'viewBox="0 0 {_number(self.width)} {_number(self.height)}" '
                f'role="img" aria-label="{escape(self.title)}" font-family="{escape(SANS)}">',
                f"<title>{escape(self.title)}</title>",
                *self._parts,
                "</svg>\n",
            )
        )


def _length(words: str, size: float, bold: bool) -> float:
    return len(words) * size * _WIDEST[bold]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
