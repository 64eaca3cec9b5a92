"""What a reader of the pages clicks and types exists: links, files, make targets, commands, modules, tests; and
every page is found by clicking from the README.
"""

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

SOURCES = sorted(
    path
    for folder in FOLDERS
    for kind in ("py", "v", "vh", "hpp", "cpp", "md", "ipynb")
    for path in (ROOT / folder).rglob(f"*.{kind}")
)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
MAKE = re.compile(r"\bmake ((?:[A-Z_]+=\S+ )*)([a-z][a-z-]*)")
COMMAND = re.compile(r"(?:^|/bin/)edgemoe (\w+)", re.MULTILINE)
MODULE = re.compile(r"\bpython3? -m ([\w.]+)")
PAGE = re.compile(r"\bdocs/[\w./]+\.md\b")
TESTS = re.compile(r"`(tests/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)")
FILE = re.compile(rf"^(?:{'|'.join(FOLDERS)})/[\w./-]+$")


def code_of(page: Path) -> list[str]:
    """The blocks and spans of code."""
    text = page.read_text(encoding="utf-8")
    return [*BLOCK.findall(text), *SPAN.findall(BLOCK.sub("", text))]


def links_of(page: Path) -> list[str]:
    """Targets of the links to other files."""
    return [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]


def module_exists(name: str) -> bool:
    """Whether `python -m name` finds it."""
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    missing = [f"link {link}" for link in links_of(page) if not (page.parent / link).exists()]
    for code in code_of(page):
        if FILE.match(code) and not (ROOT / code).exists() and not (page.parent / code).exists():
            missing.append(f"file {code}")
        missing += [f"make {target}" for _, target in MAKE.findall(code) if target not in TARGETS]
        missing += [f"edgemoe {command}" for command in COMMAND.findall(code) if command not in COMMANDS]
        missing += [f"module {module}" for module in MODULE.findall(code) if not module_exists(module)]
    assert not missing, f"{page.relative_to(ROOT)} names what does not exist: {', '.join(missing)}"


def test_every_page_is_found_by_clicking_from_the_readme() -> None:
    found, waiting = {ROOT / "README.md"}, [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        for link in links_of(page):
            target = (page.parent / link).resolve()
            if target.suffix == ".md" and target not in found:
                found.add(target)
                waiting.append(target)
    shown = "```{page} "  # a page of the site that shows another one
    lost = [page for page in PAGES if page not in found and not page.read_text(encoding="utf-8").startswith(shown)]
    assert not lost, "no page links " + ", ".join(str(page.relative_to(ROOT)) for page in lost)


def test_the_tests_that_pages_name_exist() -> None:
    named = [pair for page in PAGES for pair in TESTS.findall(page.read_text(encoding="utf-8"))]
    assert len(named) >= 5, "the pages of the five ideas name their proofs as `tests/FILE.py`: `NAME`"
    for file, names in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        missing = [name for name in SPAN.findall(names) if f"def test_{name}(" not in text]
        assert not missing, f"{file} has no test {', '.join(missing)}"


def test_the_pages_that_sources_name_exist() -> None:
    named = {(path, page) for path in SOURCES for page in PAGE.findall(path.read_text(encoding="utf-8"))}
    lost = sorted(f"{path.relative_to(ROOT)}: {page}" for path, page in named if not (ROOT / page).is_file())
    assert named, "no source names a page; is the pattern right?"
    assert not lost, "named and not there: " + ", ".join(lost)
