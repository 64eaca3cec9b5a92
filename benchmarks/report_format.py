"""Figures as text, and tables of them; docs/report_template.html makes HTML of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DASH, NOT_MEASURED = "–", "not measured"
NUMBER = re.compile(r"^[+−-]?[\d,.]+( ?[%×]| ms| dB)?$")


def number(value: float | None, digits: int = 0, sign: bool = False) -> str:
    """With thousands separators; None is a dash."""
    if value is None:
        return DASH
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def megabytes(size: float) -> str:
    """Millions of bytes."""
    return number(size / 1e6, 1)


@dataclass(frozen=True)
class Cell:
    """text; below it in small letters `note`, and as a label `kind`: how a figure came about, e.g. `counted`."""

    text: str = ""
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """heads: of the columns. ours: which rows are this project's, and set off."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    ours: frozenset[int] = frozenset()

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds figures: all of its cells that say something, but for `not measured`."""
        columns = ([row[place].text for row in self.rows] for place in range(len(self.heads)))
        said = [[text for text in column if text not in (DASH, NOT_MEASURED)] for column in columns]
        return tuple(bool(texts) and all(NUMBER.match(text) for text in texts) for texts in said)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], ours: Iterable[int] = ()) -> Table:
    """A table of cells or plain values; None and empty text are a dash."""
    return Table(tuple(heads), tuple(tuple(map(_cell, row)) for row in rows), frozenset(ours))


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    return Cell(DASH if value is None or value == "" else str(value))
