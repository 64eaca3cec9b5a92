"""What people type, from where it is defined: `{command} NAME` for edgemoe's commands, `{make-targets}` for make's.

A command that the page forgets, or one that is gone, is a warning, and so ends the build.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from edgemoe.cli import COMMANDS

_LOG = logging.getLogger(__name__)
_MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"
_PAGE = "reference/command_line"
_TARGET = re.compile(r"^([a-z-]+):.*?## (.*)$", re.MULTILINE)


class CommandDirective(SphinxDirective):
    """Usage and options of one command, as argparse has them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of the command."""
        name = self.arguments[0]
        if name not in COMMANDS:
            _LOG.warning("there is no command 'edgemoe %s'", name, location=self.get_location())
            return []
        module, text = COMMANDS[name]
        parser = argparse.ArgumentParser(prog=f"edgemoe {name}", add_help=False)
        module.add_arguments(parser)
        usage = "\n".join(line[len("usage: ") :] for line in parser.format_usage().splitlines())
        rows = [(_names(action), _meaning(action)) for action in parser._actions]
        return [
            nodes.paragraph("", f"{text[0].upper()}{text[1:]}."),
            nodes.literal_block(usage, usage, language="text"),
            _definitions(rows),
        ]


class MakeTargetsDirective(SphinxDirective):
    """Every target of the Makefile that `make help` prints."""

    def run(self) -> list[nodes.Node]:
        """The nodes of the list."""
        self.env.note_dependency(str(_MAKEFILE))
        targets = _TARGET.findall(_MAKEFILE.read_text(encoding="utf-8"))
        return [_definitions([(f"make {name}", text) for name, text in targets])]


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.dest).upper()
    value = "" if action.nargs == 0 else f" {action.metavar or str(action.dest).upper()}"
    return ", ".join(action.option_strings) + value


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": "edgemoe"}
    if action.choices:
        text += f"; one of {', '.join(map(str, action.choices))}"
    return text + ("; required" if action.required and action.option_strings else "")


def _definitions(rows: list[tuple[str, str]]) -> nodes.Node:
    items = []
    for name, text in rows:
        words = [
            nodes.literal(part, part) if index % 2 else nodes.Text(part) for index, part in enumerate(text.split("`"))
        ]
        meaning = nodes.definition("", nodes.paragraph(text, "", *words))
        items.append(nodes.definition_list_item("", nodes.term("", "", nodes.literal(name, name)), meaning))
    return nodes.definition_list("", *items)


def _check(app: Sphinx, name: str, source: list[str]) -> None:
    """The page names every command."""
    if name == _PAGE:
        for missing in COMMANDS.keys() - set(re.findall(r"\{command\} (\w+)", source[0])):
            _LOG.warning("the command 'edgemoe %s' is not on the page", missing, location=name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("command", CommandDirective)
    app.add_directive("make-targets", MakeTargetsDirective)
    app.connect("source-read", _check)
    return {"parallel_read_safe": True}
