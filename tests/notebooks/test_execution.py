"""Every notebook runs from top to bottom on simulated engines, and shows what its text promises."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from notebook_cells import NAMES, NOTEBOOKS, cell_with, cells_of, printed, rows_of, values_of
from PIL import Image

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.shipped import model_folder
from edgemoe.spec.hardware import load_hardware_config
from tests.checks import notebooks
from tests.checks.notebooks import stale

REFERENCE = NOTEBOOKS.parents[1] / "docs" / "reference" / "python"

Execute = Callable[..., list[Any]]


def picture(cell: Any) -> Image.Image:
    """The one picture that a cell shows."""
    given = [output.get("data", {}) for output in cell.outputs]
    (data,) = [each for each in given if each.keys() & {"image/png", "image/jpeg"}]
    return Image.open(io.BytesIO(base64.b64decode(data.get("image/png") or data["image/jpeg"])))


def test_first_frame(execute: Execute) -> None:
    cells = execute("1_first_frame")
    assert values_of(cells) == values_of(cells_of("1_first_frame")), "run `make notebook-outputs`"
    assert picture(cell_with(cells, "shows its panel")).width > 1000
    found = {name: float(share) for name, share, _ in rows_of(cell_with(cells, 'result.map("semseg")'))[1:]}
    assert sum(found.values()) == pytest.approx(100, abs=0.1)
    assert found["road"] > 20, "a street is mostly road"
    lines = printed(cell_with(cells, 'Accelerator("golden", ')).splitlines()
    assert lines == [
        "semseg: 14,336 values, all equal on 'csim' and 'golden'",
        "depth: 2,048 values, all equal on 'csim' and 'golden'",
    ]
    costs = {name: (cycles, values) for name, _, _, _, cycles, values in rows_of(cell_with(cells, "def cost("))[1:]}
    assert costs["golden"] == costs["csim"] == ("", "equal")
    cycles, values = costs["rtl"]
    assert values == "equal"
    assert int(cycles.replace(",", "")) > 100_000


def test_first_frame_where_nothing_can_be_built(execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler: golden alone, with the same values, and what the others need."""
    monkeypatch.setenv("PATH", "")
    cells = execute("1_first_frame", ENGINE="golden")
    (shares,) = values_of([cell_with(cells, 'result.map("semseg")')])
    assert shares in values_of(cells_of("1_first_frame"))
    values = {row[0]: row[-1] for row in rows_of(cell_with(cells, "def cost("))[1:]}
    assert values["golden"] == "equal"
    assert "needs g++" in values["csim"]
    assert "needs g++" in values["rtl"]


def test_live_video_updates_one_panel_in_place(execute: Execute) -> None:
    cells = execute("2_live_video", FRAMES=3)
    loop = cell_with(cells, "screen.update(")
    assert [output.output_type for output in loop.outputs] == ["display_data"], "one output, drawn again and again"
    assert picture(loop).width > 500
    rates = {name: float(rate) for name, rate in rows_of(cell_with(cells, "streamed_in ="))[1:]}
    shown, streamed, engine = rates.values()
    assert 0 < shown < streamed
    assert engine > 0
    assert {name for name, _ in rows_of(cell_with(cells, "median_ms"))[1:]} == {"semseg", "depth", "semseg and depth"}


def test_live_video_shows_a_file(execute: Execute, tmp_path: Any) -> None:
    """The same loop over somebody's pictures."""
    for number in range(2):
        Image.effect_noise((300, 200), 60).convert("RGB").save(tmp_path / f"{number}.png")
    cells = execute("2_live_video", SOURCE=str(tmp_path), FRAMES=2, ENGINE="golden")
    assert picture(cell_with(cells, "screen.update(")).width > 500


def test_under_the_hood(execute: Execute) -> None:
    cells = execute("3_under_the_hood")
    assert values_of(cells) == values_of(cells_of("3_under_the_hood")), "run `make notebook-outputs`"
    program = compile_checkpoint(model_folder(None), ("semseg", "depth"), load_hardware_config("zcu102"))
    registers = {row[1]: row[2] for row in rows_of(cell_with(cells, "REGISTERS"))[1:]}
    assert registers["identity"] == "0x454d4f45"
    assert registers["config_hash"] == f"{load_hardware_config('zcu102').hash():#x}"
    assert registers["program_counter"] == f"{len(program.instructions) - 1:#x}"
    listed = rows_of(cell_with(cells, '"features in"'))[1:]
    assert [row[0] for row in listed] == [each.opcode.name for each in program.instructions[: len(listed)]]
    total = sum(cost.cycles for cost in predicted_cycles(program))
    assert printed(cell_with(cells, "predicted_cycles(program)")).startswith(f"predicted: {total:,} cycles")
    bars = rows_of(cell_with(cells, "predicted_cycles(program)"))
    assert sum(int(bar[-1].split()[0].replace(",", "")) for bar in bars) == total
    model = program.manifest.model
    same = rows_of(cell_with(cells, "def same_set"))[1:]
    assert [int(block) for block, _ in same] == list(model.moe_blocks)
    assert all(0 <= float(share) <= 100 for _, share in same)
    assert picture(cell_with(cells, "heat_map(rows")).height > 22 * 2 * len(model.moe_blocks)


def test_own_checkpoint(execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a model of timm, and at the end from M³ViT's own file."""
    if find_spec("timm") is None:
        pytest.skip("timm is not installed here")
    monkeypatch.setenv("PYTHONSTARTUP", str(Path(__file__).with_name("startup.py")))
    cells = execute("4_own_checkpoint", PICTURES=2, FRAMES=1, ENGINE="golden")
    said = printed(cell_with(cells, "report = import_dense(")).splitlines()
    assert said[:2] == [
        "dense vision transformer: 156 tensors",
        "ViT of timm: 12 blocks of width 192, patches of 16×16×3, 1 prefix token(s)",
    ]
    refused = printed(cell_with(cells, "except CheckpointError"))
    assert "'blocks.0.attn.qkv.weight' is missing; expected shape" in refused
    header, coarse, fine = rows_of(cell_with(cells, "def decibels"))
    assert header == ["precision", "classification, dB", "features, dB"]
    assert all(25 < float(value) < 60 for value in coarse[1:]), coarse
    assert all(float(value) > 60 for value in fine[1:]), fine
    assert picture(cell_with(cells, "features_picture(")).width > 3 * 225
    assert printed(cell_with(cells, "report = import_checkpoint(")).startswith("M³ViT file: ")


@pytest.mark.slow
def test_kernel_lab(execute: Execute) -> None:
    pytest.importorskip("pywellen", reason="install the 'sim' extra")
    cells = execute("5_kernel_lab")
    header, *plain = rows_of(cell_with(cells, "def tests_of("))
    assert header[-1] == "golden"
    assert {row[-1] for row in plain} == {"equal"}
    assert all("1 of " in row[-1] for row in rows_of(cell_with(cells, "flip=True"))[1:])
    red = cell_with(cells, "broken = simulate(")
    assert printed(red) == "red\n"
    assert all("values differ, first at" in row[-1] for row in rows_of(red)[1:])
    (found,) = re.findall(
        r"the first in cycle (\d+): GELU of (-?\d+) is (-?\d+), golden (-?\d+)", printed(cell_with(cells, "wrong ="))
    )
    assert found[2] != found[3]
    (drawn,) = [output.data["image/svg+xml"] for output in cell_with(cells, "marked=first").outputs]
    assert all(f">{number}</text>" in drawn for number in found)
    assert [row[-1] for row in rows_of(cell_with(cells, "ramp ="))[1:]] == ["equal", "equal"]


def test_what_a_cell_prints_is_one_output_however_busy_the_computer_is() -> None:
    """A kernel sends what was printed in between every fifth of a second."""
    pytest.importorskip("nbclient", reason="install the 'notebooks' extra")
    nbformat = pytest.importorskip("nbformat")
    source = "import time\nprint('one', flush=True)\ntime.sleep(0.5)\nprint('two')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebooks.execute(notebook)
    assert values_of(notebook.cells) == [["one\ntwo\n"]]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_stored(name: str) -> None:
    """Readers see what the cells show without running them; and it is what these cells have shown."""
    cells = cells_of(name)
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in cells) == 1
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    shown = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in shown if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert name not in stale(), "outputs of other cells; run `make notebook-outputs`"
    file = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|root|home|work|Users)/", file), "a path of somebody's computer"
    assert len(file) < 400_000, "too large to read"


@pytest.mark.parametrize("name", NAMES)
def test_only_public_names_are_used(name: str) -> None:
    """What a notebook imports of the project stands on a page of the Python reference."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    documented = re.findall(r"^```\{package\} ([\w.]+)$", pages, re.MULTILINE)
    code = "\n".join("".join(cell["source"]) for cell in cells_of(name) if cell["cell_type"] == "code")
    for module, names in re.findall(r"^from (edgemoe[\w.]*) import ([^#\n]+)$", code, re.MULTILINE):
        assert module in documented or module.rpartition(".")[0] in documented, f"no page shows {module}"
        for each in names.split(","):
            assert not each.strip().startswith("_"), f"{module} keeps {each} to itself"
