"""Executing the notebooks as Jupyter does, with other parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebook_cells import NOTEBOOKS, set_parameters

from tests.checks import notebooks


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """execute(name, **parameters) → cells with their outputs; a cell that fails fails the test with its traceback."""
    pytest.importorskip("nbclient", reason="install the 'notebooks' extra")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(name: str, **parameters: object) -> list[Any]:
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        set_parameters(notebook.cells, parameters)
        notebooks.execute(notebook, seconds=300)
        return list(notebook.cells)

    return run
