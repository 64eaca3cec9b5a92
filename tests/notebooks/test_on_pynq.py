"""The notebooks where PYNQ is: delivered by `pynq get-notebooks`, and the first one on a simulated board."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_cells import NAMES, NOTEBOOKS, cells_of, set_parameters

pytestmark = pytest.mark.skipif(
    not list(importlib.metadata.Distribution.discover(name="pynq")),
    reason="pynq is not installed here; run `make test-pynq`",
)


def test_pynq_delivers_the_notebooks(tmp_path: Path) -> None:
    (found,) = [each for each in importlib.metadata.entry_points(group="pynq.notebooks") if each.name == "edgemoe"]
    assert found.value == "edgemoe_notebooks"
    script = "from pynq._cli.get_notebooks import main; main()"
    command = [sys.executable, "-c", script, "-o", "-p", str(tmp_path), "edgemoe"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    delivered = {path.name for path in (tmp_path / "edgemoe").iterdir()}
    assert delivered == {*(f"{name}.ipynb" for name in NAMES), "drawing.py"}


RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
for cell in json.load(open(sys.argv[1])):
    if not shell.run_cell(cell).success:
        sys.exit(1)
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("1_first_frame", "14,336 values, all equal on"), ("3_under_the_hood", "predicted: ")]
)
def test_a_notebook_runs_through_pynq_on_a_simulated_board(name: str, expected: str, tmp_path: Path) -> None:
    """Unchanged but for the word: driver, buffers, flushes and registers are those of the board."""
    cells = cells_of(name)
    set_parameters(cells, {"ENGINE": "zcu102"})
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "cells.json").write_text(json.dumps(sources), encoding="utf-8")
    shutil.copy(NOTEBOOKS / "drawing.py", tmp_path)
    environment = {**os.environ, "EDGEMOE_SIMULATED_BOARD": "golden", "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "cells.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout
