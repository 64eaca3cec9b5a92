"""The site's build finds what it is for, and shows docstrings as they are meant."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="needs the extra docs")

from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = ROOT / "docs" / "extensions"
MISTAKES = {
    "[nowhere](nowhere.md)": "'nowhere.md'",
    "[no heading](#no-such-heading)": "'no-such-heading'",
    "![gone](gone.svg)": "gone.svg",
    "```{command} fly\n```": "there is no command 'edgemoe fly'",
    "```{eval-rst}\n.. automodule:: edgemoe_undocumented\n```": "edgemoe_undocumented.Silent has no docstring",
    "```{eval-rst}\n.. autofunction:: edgemoe.nothing\n```": "'nothing'",
}
MODULE = '''"""A module with one class that says nothing."""
class Silent:
    pass
Silent.__module__ = "edgemoe_undocumented"
'''


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the build says of a page that has every mistake."""
    folder = tmp_path_factory.mktemp("site")
    site = folder / "docs"
    site.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", site)
    (folder / "edgemoe_undocumented.py").write_text(MODULE, encoding="utf-8")
    (site / "index.md").write_text("# Mistakes\n\n" + "\n\n".join(MISTAKES), encoding="utf-8")
    said = folder / "warnings.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXTENSIONS))
        patch.syspath_prepend(str(folder))
        settings = ["-D", "html_extra_path=", "-D", "html_static_path="]
        arguments = ["-q", "-n", "--fail-on-warning", "-w", str(said), "-b", "html", *settings, str(site)]
        assert build_main([*arguments, str(folder / "out")]) == 1
    sys.modules.pop("edgemoe_undocumented", None)
    return said.read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_on_a_page_ends_the_build(mistake: str, complaints: str) -> None:
    assert MISTAKES[mistake] in complaints, f"{mistake} was not found; the build said:\n{complaints}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Sum of a_b and |c|*d, see `spec.isa`.", "Sum of a\\_b and \\|c\\|\\*d, see ``spec.isa``."),
        ("First.\n\n    y = x_1 * 2\n\nLast.", "First.\n\n::\n\n        y = x_1 * 2\n\nLast."),
        ("with Session() as s:\n    s.run(f)", "::\n\n    with Session() as s:\n        s.run(f)"),
        ("Run. rows: how many,\nfrom 1. size: of each.\nRaises.", "Run.\n\n- **rows**: how many,\n  from 1.\n"
         "- **size**: of each.\n\nRaises."),
        ("other: no parameter", "other: no parameter"),
    ],
)  # fmt: skip
def test_docstrings_are_shown_as_they_are_written(said: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    from docstrings import restructured

    assert "\n".join(restructured(said.split("\n"), ("rows", "size"))).strip() == shown
