"""The house: every folder and wing, what it holds, and whom its Python may import. Drawn from the plan."""

from __future__ import annotations

from docs.drawings.plan import PLAN, Part
from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, RED, SLATE, VIOLET, Drawing

_ROW, _HEAD, _GAP = 20, 34, 14
_SHADES = (BLUE, BLUE, GREEN, VIOLET, VIOLET, AMBER, RED, RED, SLATE, SLATE, SLATE)
_WIDTH = 620


def draw() -> Drawing:
    """One block per folder, one row per wing."""
    height = 30 + sum(_HEAD + _ROW * len(_rows(part)) + _GAP for part in PLAN)
    drawing = Drawing(_WIDTH, height, "Every folder of the repository, what it holds and whom its modules may import")
    drawing.text((0, 12), "folder and wing", 14, anchor="start", bold=True)
    drawing.text((150, 12), "holds", 14, anchor="start", bold=True)
    drawing.text((_WIDTH, 12), "may import", 14, anchor="end", bold=True)
    top = 30.0
    for part, fill in zip(PLAN, _SHADES, strict=True):
        drawing.rectangle((0, top), (_WIDTH, 26), fill)
        drawing.text((10, top + 13), f"{part.path}/", 14, "#ffffff", "start", bold=True, mono=True)
        drawing.text((_WIDTH - 10, top + 13), part.holds, 14, "#ffffff", "end")
        for index, (name, holds, imports) in enumerate(_rows(part)):
            middle = top + _HEAD + index * _ROW + 6
            drawing.text((10, middle), name, 13, anchor="start", mono=True)
            drawing.text((150, middle), holds, 13.5, anchor="start")
            drawing.text((_WIDTH, middle), imports, 12.5, GREY, "end", mono=True)
        top += _HEAD + _ROW * len(_rows(part)) + _GAP
    return drawing


def _rows(part: Part) -> list[tuple[str, str, str]]:
    """Name, contents and imports of each wing; the modules that lie in no wing are `*.py`."""
    return [
        ("*.py" if wing.name == "." else wing.name, wing.holds, " ".join(_short(name) for name in wing.imports))
        for wing in part.wings
        if wing.holds or wing.imports
    ]


def _short(name: str) -> str:
    return name.removeprefix("edgemoe/") if name != "edgemoe" else name
