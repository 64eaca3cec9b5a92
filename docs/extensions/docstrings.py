"""Docstrings as this project writes them, for autodoc: plain sentences, `code` in backticks, equations indented.

A public module, class, function or property without a docstring is a warning, and so ends the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

_LOG = logging.getLogger(__name__)
_NEEDS_ONE = ("module", "class", "exception", "function", "method", "property")
_SPAN = re.compile(r"`+([^`]+)`+")
_SPECIAL = re.compile(r"([*|\\_])")
_OURS = ("edgemoe", "edgemoe_golden")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}


def _process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    ours = str(getattr(thing, "__module__", name)).split(".")[0] in _OURS
    if ours and what in _NEEDS_ONE and not any(line.strip() for line in lines):
        _LOG.warning("%s %s has no docstring; say what it is for", what, name)
    lines[:] = restructured(lines)


def restructured(lines: list[str]) -> list[str]:
    """The lines as reStructuredText: what is indented is shown as it stands, the rest is text."""
    result: list[str] = []
    for block in _blocks(lines):
        if _is_code(block):
            result += ["::", "", *(f"    {line}".rstrip() for line in block), ""]
        elif any(line.startswith("    ") for line in block):  # `name: meaning`, continued further in
            result += [f"  {_text(line.strip())}" if line.startswith(" ") else f"- {_text(line)}" for line in block]
            result.append("")
        else:
            result += [*(_text(line) for line in block), ""]
    return result


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
