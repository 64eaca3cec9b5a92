"""Pages that work in the repository and on the site alike: links are those of the files, and are turned here.

    ```{page} ../../bitstreams/README.md     the text of a page that lies beside what it describes
    ```{package} edgemoe.spec                every module of a package, from its docstrings

A link to such a page leads to its place on the site, one to the report opens it, and one to any other file of the
repository leaves its words alone. A link to nothing stays as it is, and Sphinx complains.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
REPORT = DOCS / "report.html"
PACKAGES = {"edgemoe": ROOT / "host" / "edgemoe", "edgemoe_golden": ROOT / "golden"}

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
_PAGE = re.compile(r"^```\{page\} (\S+)\n```$", re.MULTILINE)
_PACKAGE = re.compile(r"^```\{package\} ([\w.]+)\n```$", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = DOCS / f"{name}.md"
    text = _turn_links(source[0], page, page)
    for target in _PAGE.findall(text):
        path = (page.parent / target).resolve()
        app.env.note_dependency(str(path), docname=name)
        text = text.replace(f"```{{page}} {target}\n```", _turn_links(path.read_text(encoding="utf-8"), path, page))
    source[0] = _PACKAGE.sub(lambda match: "\n".join(map(_module, modules(match[1]))), text)


def pages_elsewhere() -> dict[Path, Path]:
    """Pages of the repository by the page of the site that shows them."""
    found = {}
    for page in DOCS.rglob("*.md"):
        for target in _PAGE.findall(page.read_text(encoding="utf-8")):
            found[(page.parent / target).resolve()] = page
    return found


def _turn_links(text: str, written_in: Path, shown_in: Path) -> str:
    """The text with its links from `written_in` as links of the site from `shown_in`."""
    elsewhere = pages_elsewhere()

    def turn(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = (written_in.parent / target).resolve()
        path = elsewhere.get(path, path)
        relative = Path(os.path.relpath(path, shown_in.parent)).as_posix()
        if path == REPORT:
            return f'<a href="{relative}">{words.strip("`")}</a>'
        if path.suffix == ".md" and path.is_relative_to(DOCS):
            return f"[{words}]({relative}{anchor})"
        return words if path.exists() else match[0]

    return _LINK.sub(turn, text)


def modules(package: str) -> list[str]:
    """The package's own modules, or the one module that the name is; packages inside it are asked for by themselves."""
    first, *rest = package.split(".")
    place = PACKAGES[first].joinpath(*rest)
    if not place.is_dir():
        return [package]
    return [package, *(f"{package}.{path.stem}" for path in sorted(place.glob("[!_]*.py")))]


def _module(name: str) -> str:
    return f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n"
