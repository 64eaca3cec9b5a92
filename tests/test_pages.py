"""What a reader of the pages clicks and types exists: links, files, make targets, commands and modules."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from edgemoe.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "models", "bitstreams", "host", "golden", "hls", "rtl", "sim", "tests", "benchmarks")
PAGES = [ROOT / "README.md", *sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
MAKE = re.compile(r"\bmake ((?:[A-Z_]+=\S+ )*)([a-z][a-z-]*)")
COMMAND = re.compile(r"(?:^|/bin/)edgemoe (\w+)", re.MULTILINE)
MODULE = re.compile(r"\bpython3? -m ([\w.]+)")
FILE = re.compile(rf"^(?:{'|'.join(FOLDERS)})/[\w./-]+$")


def code_of(page: Path) -> list[str]:
    """The blocks and spans of code."""
    text = page.read_text(encoding="utf-8")
    return [*BLOCK.findall(text), *SPAN.findall(BLOCK.sub("", text))]


def module_exists(name: str) -> bool:
    """Whether `python -m name` finds it."""
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    missing = [f"link {link}" for link in links if not (page.parent / link).exists()]
    for code in code_of(page):
        if FILE.match(code) and not (ROOT / code).exists() and not (page.parent / code).exists():
            missing.append(f"file {code}")
        missing += [f"make {target}" for _, target in MAKE.findall(code) if target not in TARGETS]
        missing += [f"edgemoe {command}" for command in COMMAND.findall(code) if command not in COMMANDS]
        missing += [f"module {module}" for module in MODULE.findall(code) if not module_exists(module)]
    assert not missing, f"{page.relative_to(ROOT)} names what does not exist: {', '.join(missing)}"
