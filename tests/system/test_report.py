"""The report shows what the benches wrote and nothing else; without one of their files it says what to run and stops.

Reproduce one: `python -m pytest "tests/system/test_report.py::NAME"`.
"""

from __future__ import annotations

import asyncio
import copy
import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_examples import files, write

from benchmarks.report import main
from benchmarks.report_inputs import SOURCES, ReportError, load_inputs
from benchmarks.report_readme import update_readme
from benchmarks.report_tables import dense, mixed, same_precision
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from tests.examples.browser import find_browser, opened

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs" / "published.json"


def copied(folder: Path) -> Path:
    """What the report reads and writes, in a folder of its own."""
    (folder / "docs" / "images").mkdir(parents=True)
    for name in ("docs/published.json", "docs/report_template.html", "docs/images/panel.jpg", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder to write a report in."""
    return copied(tmp_path)


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
    for figure in (
        "487,654 cycles",
        "812,345 cycles",
        "1,234,567 cycles",
        "2.44 / 1.95 / 1.63 ms at 200 / 250 / 300 MHz",
        "W16A16 8.4 × (5.6 ×), W8A8 21.3 × (14.2 ×)",
        "333 DSP",
        "latest path 3.93 ns; of 387,654 endpoints 1,789 late at 300 MHz, 3 late at 250 MHz, 0 late at 200 MHz",
        "0.712",
        "98.76 %",
        "0.17 s",
        "71 ms against 61 ms",
    ):
        assert figure in updated, f"{figure} is not in the README"
    assert update_readme(updated, load_inputs(tmp_path, PUBLISHED)) == updated, "a second report changes nothing"
    with pytest.raises(ArgumentError, match="no place for 'figures'"):
        update_readme("# Nothing", load_inputs(tmp_path, PUBLISHED))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report of the example files."""
    for library in ("matplotlib", "jinja2"):
        pytest.importorskip(library, reason="the page needs the extra 'plots'")
    checkout = copied(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        assert report(checkout, files(), patch) == 0
    return checkout


def page_of(checkout: Path) -> str:
    return (checkout / "docs/report.html").read_text(encoding="utf-8")


def test_the_page_takes_its_figures_from_the_files(made: Path) -> None:
    page = page_of(made)
    shown = (
        "487,654",
        "812,345",
        "17.65 MB",
        "333",
        "44.5",
        "654,321",
        "0.7123",
        "0.9876",
        "40.5",
        "512,345",
        "34.64",
        "387,654",
        "softmax.top ← fifo.front",
    )
    missing = [figure for figure in shown if figure not in page]
    assert not missing, f"not on the page: {missing}"
    assert "Task metrics hardly differ" in " ".join(page.split())


def test_the_page_needs_nothing_but_the_files_beside_it(made: Path) -> None:
    page = page_of(made)
    assert "http" not in page
    beside = set(re.findall(r'src="([^"]+)"', page))
    assert {(made / "docs" / name).is_file() for name in beside} == {True}
    drawn = {f"images/{path.name}" for path in (made / "docs/images").glob("report_*.svg")}
    assert beside == drawn | {"images/panel.jpg"}
    assert set(re.findall(r'href="#([^"]+)"', page)) == set(re.findall(r'id="([^"]+)"', page))


def test_a_second_report_is_the_same_to_the_byte(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert report(made, files(), monkeypatch) == 0
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == before


def test_charts_have_a_colour_for_light_and_for_dark_pages(made: Path) -> None:
    for path in (made / "docs/images").glob("report_*.svg"):
        style, drawing = path.read_text(encoding="utf-8").split("</style>", 1)
        assert "prefers-color-scheme:dark" in style
        fixed = set(re.findall(r"(?:fill|stroke): (?!none|var)([^;\"]+)", drawing))
        assert not fixed, f"{path.name} draws in {fixed}, which do not change with the page"
        black = [text for text in re.findall(r"<text [^>]*>", drawing) if "fill: var" not in text]
        assert not black, f"{path.name}: {black}"


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason="needs Chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_telephone(made: Path, tmp_path: Path, dark: bool) -> None:
    """At 390 pixels nothing but boxes with a shadow scrolls sideways, charts keep their letters, and dark is dark."""

    async def look() -> None:
        async with opened((made / "docs/report.html").as_uri(), tmp_path / "browser") as page:
            await page.size(390, 844, dark)
            await page.wait_for("[...document.images].every((each) => each.complete && each.naturalWidth)")
            assert await page.value("document.documentElement.scrollWidth") <= 390
            widths = await page.value("[...document.querySelectorAll('.scroll img')].map((each) => each.width)")
            assert min(widths) >= 500, "charts keep a size at which letters are read"
            with Image.open(io.BytesIO(await page.picture())) as picture:
                assert (np.asarray(picture.convert("L")).mean() < 128) == dark
            assert page.complaints == []

    asyncio.run(look())


def test_what_a_file_says_is_text_on_the_page(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("matplotlib", "jinja2"):
        pytest.importorskip(library, reason="the page needs the extra 'plots'")
    contents = files()
    contents["ablation"]["techniques"][0] |= {"technique": "<script>", "how": "a < b & c", "cycles_kind": '"x'}
    assert report(checkout, contents, monkeypatch) == 0
    page = page_of(checkout)
    assert "&lt;script&gt;" in page
    assert "a &lt; b &amp; c" in page
    assert "<script>" not in page


def test_published_designs_meet_our_frames_of_their_own_precision(made: Path) -> None:
    """16-bit designs meet W16A16 first, then W8A8; 8-bit ones W8A8 alone; each at three clocks, from counted cycles."""
    inputs = load_inputs(made / "reports", PUBLISHED)
    shown = same_precision(inputs)
    rows = [[cell.text for cell in row] for row in shown.rows]
    cycles = {"W8A8": 487_654, "W16A16": 1_234_567}
    assert [(row[0], row[3]) for row in rows] == [
        ("Edge-MoE", "W16A16"), ("Edge-MoE", "W8A8"), ("UbiMoE", "W16A16"), ("UbiMoE", "W8A8"),
        ("CoQMoE, M³ViT-T", "W8A8"),
    ]  # fmt: skip
    assert shown.ours == {0, 2, 4}
    for row in rows:
        times = [cycles[row[3]] / clock / 1000 for clock in (200, 250, 300)]
        assert row[4:7] == [f"{ms:.2f}" for ms in times]
        assert row[7:] == [f"{float(row[2]) / ms:.1f} ×" for ms in times]


def test_mixed_widths_have_a_table_of_their_own(made: Path) -> None:
    """Their shapes have options that the ones with an area lack, so no other table shows them."""
    inputs = load_inputs(made / "reports", PUBLISHED)
    assert [[cell.text for cell in row[:4]] for row in mixed(inputs).rows] == [
        ["kv260, experts W4", "1", "912,345", "912,000"]
    ]
    assert 912_345 not in [frame["cycles"] for frame in inputs.frames()]


def test_dense_networks_stand_beside_published_designs_once_they_are_counted(tmp_path: Path) -> None:
    counted = {"model": "deit_tiny", "hardware": "zcu102_vit", "precision": "w8a8", "clock_mhz": 300, "ms": 2.345,
               "cycles": 703_500, "bit_exact": True}  # fmt: skip
    write(tmp_path, files())

    without = dense(load_inputs(tmp_path, PUBLISHED))
    write(tmp_path, {"bench_dense": {"frames": {"a key": counted}}})
    with_it = dense(load_inputs(tmp_path, PUBLISHED))
    assert with_it.rows[:-1] == without.rows
    assert [cell.text for cell in with_it.rows[-1][1:5]] == ["zcu102_vit, 300 MHz", "W8A8", "deit_tiny", "2.345"]
    write(tmp_path, {"bench_dense": {"frames": {"a key": counted | {"bit_exact": False}}}})
    with pytest.raises(ReportError, match="differs from golden in deit_tiny on zcu102_vit"):
        load_inputs(tmp_path, PUBLISHED)


def test_figures_without_w16a16_are_refused(tmp_path: Path) -> None:
    contents = files()
    contents["bench"]["frames"] = [f for f in contents["bench"]["frames"] if f["precision"] == "w8a8"]
    write(tmp_path, contents)
    with pytest.raises(ReportError, match=r"no frame of 'tiny' with 1 task in W16A16 on .*; `make bench`"):
        load_inputs(tmp_path, PUBLISHED).precisions()


def test_without_the_libraries_the_report_says_what_to_install(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    before = (checkout / "README.md").read_bytes()
    assert report(checkout, files(), monkeypatch) == 1
    error = capsys.readouterr().err
    assert error.startswith("no report: it needs ")
    assert error.endswith(f"run: {how_to_install('plots')}\n")
    assert (checkout / "README.md").read_bytes() == before
