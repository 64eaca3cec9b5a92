"""Tables that a command writes into pages, between `<!-- NAME: written by COMMAND -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgemoe.errors import ArgumentError
from edgemoe.spec.files import write_text


def placed(page: str, name: str, command: str, lines: Iterable[str], where: Path) -> str:
    """The text of the page with these lines as the table's. where: the page, for the error.

    Raises ArgumentError when the page has no place for it.
    """
    begin, end = f"<!-- {name}: written by `{command}` -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ArgumentError(f"{where} has no place for '{name}'; put '{begin}' and '{end}' where the table belongs")
    before, rest = page.split(begin, 1)
    return "\n".join([before + begin, *lines, end]) + rest.split(end, 1)[1]


def write_table(where: Path, name: str, command: str, lines: Iterable[str]) -> None:
    """Put it into the page's file; raises ArgumentError when that has no place for it."""
    write_text(where, placed(where.read_text(encoding="utf-8"), name, command, lines, where))
