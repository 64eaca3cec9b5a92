"""Docstrings as this project writes them, for autodoc: plain sentences, `code` in backticks, equations indented, and
`name: meaning` for parameters and fields.

A public module, class, function or property without a docstring is a warning, and so ends the build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

_LOG = logging.getLogger(__name__)
_NEEDS_ONE = ("module", "class", "exception", "function", "method", "property")
_SPAN = re.compile(r"`+([^`]+)`+")
_SPECIAL = re.compile(r"([*|\\_])")
_NAMED = re.compile(r"([a-z_]\w*(?:, [a-z_]\w*)*): ")
_ITEM = re.compile(r"(?<=[.;]) (?=[a-z_]\w*(?:, [a-z_]\w*)*: )")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}


def _process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    ours = str(getattr(thing, "__module__", name)).startswith("edgemoe")
    if ours and what in _NEEDS_ONE and not any(line.strip() for line in lines):
        _LOG.warning("%s %s has no docstring; say what it is for", what, name)
    lines[:] = restructured(lines, _names(thing))


def restructured(lines: list[str], names: Collection[str] = ()) -> list[str]:
    """The lines as reStructuredText: what is indented is shown as it stands, `names: …` as a list, the rest is text."""
    result: list[str] = []
    for block in _blocks(lines):
        if _is_code(block):
            result += ["::", "", *(f"    {line}".rstrip() for line in block), ""]
        else:
            result += [*_prose(block, names), ""]
    return result


def _names(thing: object) -> set[str]:
    """Parameters and annotated fields."""
    names = set(getattr(thing, "__annotations__", {}))
    with suppress(TypeError, ValueError):  # what has no signature has no parameters
        names |= set(inspect.signature(thing).parameters)  # type: ignore[arg-type]
    return names


def _prose(block: list[str], names: Collection[str]) -> Iterator[str]:
    """Lines of text. `name: meaning` begins an item, at a line's start or after a sentence; what is no item, after a
    line that ends with a full stop, is text again.
    """
    within = False
    last = ""
    for line in block:
        for part in _ITEM.split(line.strip()):
            named = _NAMED.match(part)
            if named and set(named[1].split(", ")) <= set(names):
                yield from () if within else ("",)
                within = True
                yield f"- **{_text(named[1])}**: {_text(part[named.end() :])}"
                continue
            if within and last.endswith(".") and part == line.strip():
                within = False
                yield ""
            yield f"  {_text(part)}" if within else _text(part)
        last = line


def _is_code(block: list[str]) -> bool:
    """Whether a block is indented, or begins as a statement that holds others."""
    return block[0].startswith("    ") or (block[0].endswith(":") and block[1:2] != [] and block[1].startswith("    "))


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """What empty lines part, but code keeps the empty lines inside it."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            if block and not block[-1] and not line.startswith("    "):
                yield block[:-1]
                block = []
            block.append(line)
        elif block and block[0].startswith("    ") and block[-1]:
            block.append("")
        elif block and block[-1]:
            yield block
            block = []
    if block:
        yield block[:-1] if not block[-1] else block


def _text(line: str) -> str:
    """One line with `code` as literals and everything else taken at its word."""
    parts, end = [], 0
    for span in _SPAN.finditer(line):
        parts += [_SPECIAL.sub(r"\\\1", line[end : span.start()]), f"``{span.group(1)}``"]
        end = span.end()
        if end < len(line) and line[end].isalnum():
            parts.append("\\ ")
    return "".join([*parts, _SPECIAL.sub(r"\\\1", line[end:])])
