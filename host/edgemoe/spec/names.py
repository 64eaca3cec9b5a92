"""Names and texts that come from files: the rule for each, and how they are written where other programs read them.

A name reaches paths, generated sources, Tcl and tensor names; a text is only ever shown to people.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import islice

NAME_LENGTH = 64
NAME_RULE = f"1 to {NAME_LENGTH} letters, digits, '_', '.' or '-', and not '.' or '..'"
_NAME = re.compile(rf"[A-Za-z0-9_.\-]{{1,{NAME_LENGTH}}}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]")
_COMPLAINT_LENGTH = 160
_LISTED = 12
_NOT_TEXT = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, invisible, half of a pair, line and paragraph separators


def is_name(text: str) -> bool:
    """Whether a text may be a name, see NAME_RULE; letters and digits are those of ASCII."""
    return _NAME.fullmatch(text) is not None and text not in (".", "..")


def is_text(text: str) -> bool:
    """Whether a text can be shown on a line of a terminal: nothing in it ends the line, hides or turns the rest."""
    return not any(unicodedata.category(character) in _NOT_TEXT for character in text)


def shown(value: object) -> str:
    """A value of a file for a message: short, and control characters written out."""
    if isinstance(value, dict | list | tuple):
        return f"{type(value).__name__} of {len(value):,}"
    text = repr(value)
    return text if len(text) <= NAME_LENGTH + 2 else f"{text[: NAME_LENGTH - 1]}…{text[-1]}"


def listed(values: Collection[object]) -> str:
    """Values of a file one by one for a message, the first few of many."""
    first = ", ".join(shown(value) for value in islice(values, _LISTED))
    return f"[{first}]" if len(values) <= _LISTED else f"[{first}, … {len(values):,} in all]"


def complaint(error: BaseException) -> str:
    """What another library says of a file, for a message: one line, short, without anything that would end the line."""
    words = " ".join(str(error).split()) or type(error).__name__
    text = "".join(character if character.isprintable() else "_" for character in words)
    return text if len(text) <= _COMPLAINT_LENGTH else f"{text[: _COMPLAINT_LENGTH - 1]}…"


def path_part(text: str) -> str:
    """A name as part of a path, whatever it is: characters that names do not have become `_`."""
    return _UNSAFE.sub("_", text)[:NAME_LENGTH]


def one_line(text: str) -> str:
    """A text as part of one line, as in a comment of C++, Verilog or Tcl: it neither ends nor continues the line."""
    return "".join(character if character.isprintable() and character != "\\" else "_" for character in text)


def tcl_word(text: str) -> str:
    """A text as one word of Tcl: in braces, or with a backslash before every character where braces would not do."""
    if re.search(r"[{}\\]", text) is None:
        return f"{{{text}}}"
    return _UNSAFE.sub(lambda match: "\\n" if match[0] == "\n" else f"\\{match[0]}", text)
