"""Small pieces of the report's HTML: tables, numbers, pictures inside the page."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DASH, NOT_MEASURED = "–", "not measured"
DRAWN_IN = "DejaVu Sans"  # the charts' font, which a reader may not have
NUMBER = re.compile(r"^[+−-]?[\d,.]+( ?[%×]| ms| dB)?$")


def text(value: object) -> str:
    """Escaped; None is a dash."""
    return DASH if value is None or value == "" else html.escape(str(value))


def number(value: float | None, digits: int = 0, sign: bool = False) -> str:
    """With thousands separators; None is a dash."""
    if value is None:
        return DASH
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def megabytes(size: float) -> str:
    """Millions of bytes."""
    return number(size / 1e6, 1)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], ours: Sequence[int] = ()) -> str:
    """A table; cells are text or HTML in `Markup`. ours: rows set off as this project's."""
    cells = [[_shown(value) for value in row] for row in rows]
    marks = [" class=n" if _numeric([row[place] for row in cells]) else "" for place in range(len(heads))]
    head = "".join(f"<th{mark}>{text}</th>" for mark, text in zip(marks, heads, strict=True))
    lines = [f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>"]
    for index, row in enumerate(cells):
        inside = "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, row, strict=True))
        lines.append(f"<tr{' class=ours' if index in ours else ''}>{inside}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Markup) else text(value)


def _numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds figures: all of its cells that say something, but for `not measured`."""
    first_lines = [re.sub(r"<[^>]*>", "", cell.split("<br>")[0]) for cell in cells]
    said = [line for line in first_lines if line not in (DASH, NOT_MEASURED)]
    return bool(said) and all(NUMBER.match(line) for line in said)


def kind(name: str) -> Markup:
    """How a figure came about, as a small label: counted, modelled, predicted, synthesised, published."""
    return Markup(f'<span class="kind {html.escape(name.split(",")[0])}">{html.escape(name)}</span>')


def svg(path: Path, description: str) -> str:
    """A drawn SVG file, put into the page as it is."""
    drawing = path.read_text(encoding="utf-8")
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = drawing.replace(f"'{DRAWN_IN}'", f"'{DRAWN_IN}', system-ui, sans-serif")
    # Names inside a drawing must be its own among all of the page.
    prefix = re.sub(r"\W", "", path.stem)
    drawing = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', drawing)
    drawing = re.sub(r'(xlink:href="#|href="#|url\(#)', rf"\1{prefix}-", drawing)
    drawing = re.sub(r"<svg ", f'<svg role="img" aria-label="{html.escape(description)}" ', drawing, count=1)
    return f"<figure>{drawing}<figcaption>{description}</figcaption></figure>"


def image(path: Path, description: str) -> str:
    """A JPEG or PNG file inside the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    mime = "jpeg" if path.suffix == ".jpg" else "png"
    return f'<figure><img alt="{html.escape(description)}" src="data:image/{mime};base64,{data}"></figure>'
