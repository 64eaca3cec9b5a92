"""What all errors of this project have in common, and what users cause outside of files and devices."""

from __future__ import annotations

_ITEM = "\n  "  # between a sentence and a list below it


class EdgeMoeError(Exception):
    """Root of every error that this project raises for its users.

    The message is one sentence: what is wrong, what was expected, what to do. `except EdgeMoeError` catches all of
    them; anything else that comes out of this project is a fault of it. Control characters, which names of files can
    bring along, are written out, so that no message moves a terminal's cursor or ends a line of its own.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_ITEM.join(_written_out(part) for part in message.split(_ITEM)))


def _written_out(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class ArgumentError(EdgeMoeError, ValueError):
    """An argument of a call or of a command that cannot be used."""
