"""The report shows what the benches wrote and nothing else; without one of their files it says what to run and stops.

Reproduce one: `python -m pytest "tests/system/test_report.py::NAME"`.
"""

from __future__ import annotations

import copy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from report_examples import files, write

from benchmarks.report import main
from benchmarks.report_inputs import SOURCES, ReportError, load_inputs
from benchmarks.report_readme import update_readme

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs" / "published.json"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the report reads and writes, in a folder of its own."""
    images = tmp_path / "docs" / "images"
    images.mkdir(parents=True)
    for name in ("docs/published.json", "docs/report_template.html", "docs/images/panel.jpg", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def report(checkout: Path, contents: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> int:
    write(checkout / "reports", contents)
    arguments = ["report", "--reports", str(checkout / "reports"), "--root", str(checkout)]
    monkeypatch.setattr(sys, "argv", arguments)
    return main()


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_file_stops_with_the_command_that_writes_it(
    name: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {each: content for each, content in files().items() if each != name}
    before = (checkout / "README.md").read_bytes()
    assert report(checkout, contents, monkeypatch) == 1
    assert f"{name}.json is missing; `{SOURCES[name]}` writes it" in capsys.readouterr().err
    assert not (checkout / "docs/report.html").exists()
    assert (checkout / "README.md").read_bytes() == before


def altered(**places: Any) -> dict[str, Any]:
    """The example files with some of their parts replaced: file__key=value."""
    contents = copy.deepcopy(files())
    for place, value in places.items():
        file, key = place.split("__")
        contents[file][key] = value
    return contents


def with_a_wrong_frame() -> dict[str, Any]:
    contents = files()
    contents["bench"]["frames"][0]["bit_exact"] = False
    return contents


def without_areas() -> dict[str, Any]:
    contents = files()
    contents["ablation"]["techniques"][0]["area"] = None
    return contents


COMPLAINTS = {
    "frame differs from golden": (with_a_wrong_frame(), "differs from golden in tiny on zcu102"),
    "ablation differs from golden": (altered(ablation__bit_exact=False), "differs from golden in the ablation"),
    "another machine": (altered(ablation__cycles=400_000), "run `make bench` and `make ablation` again"),
    "no areas": (without_areas(), "was made without areas"),
    "no frames": (altered(bench__frames=[]), r"no frame of 'tiny' with 1 task\(s\) on 'zcu102'; `make bench`"),
}


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_figures_that_do_not_belong_together_are_refused(complaint: str, tmp_path: Path) -> None:
    contents, words = COMPLAINTS[complaint]
    write(tmp_path, contents)
    with pytest.raises(ReportError, match=words):
        load_inputs(tmp_path, PUBLISHED)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    write(tmp_path, files())
    (tmp_path / "area.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"area.json is not JSON .*`make area` writes it"):
        load_inputs(tmp_path, PUBLISHED)


def test_the_readme_takes_its_figures_from_the_files(tmp_path: Path) -> None:
    write(tmp_path, files())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    updated = update_readme(readme, load_inputs(tmp_path, PUBLISHED))
    for figure in ("487,654 cycles", "812,345 cycles", "333 DSP", "0.712", "98.76 %", "0.17 s", "71 ms against 61 ms"):
        assert figure in updated, f"{figure} is not in the README"
    assert update_readme(updated, load_inputs(tmp_path, PUBLISHED)) == updated, "a second report changes nothing"
    with pytest.raises(ReportError, match="no place for 'figures'"):
        update_readme("# Nothing", load_inputs(tmp_path, PUBLISHED))


def test_the_page_takes_its_figures_from_the_files(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the report's charts need the extra 'plots': make .venv/plots.stamp")
    assert report(checkout, files(), monkeypatch) == 0
    page = (checkout / "docs/report.html").read_text(encoding="utf-8")
    shown = ("487,654", "812,345", "17.65 MB", "333", "44.5", "654,321", "0.7123", "0.9876", "40.5", "512,345", "34.64")
    missing = [figure for figure in shown if figure not in page]
    assert not missing, f"not on the page: {missing}"
    assert "Task metrics hardly differ" in " ".join(page.split())
    assert "http" not in page.replace("http://www.w3.org", ""), "the page fetches nothing"
    assert {path.name for path in (checkout / "docs/images").glob("report_*.png")} == {
        "report_comparison.png",
        "report_ladder.png",
    }
