"""The notebooks in the source, and what an executed one shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[2] / "host" / "notebooks"
HASH = re.compile(r"0x[0-9a-fA-F]{6,8}\b")
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def cells_of(name: str) -> list[dict[str, Any]]:
    """Cells of a notebook in the source."""
    cells: list[dict[str, Any]] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return cells


def set_parameters(cells: list[Any], parameters: dict[str, object]) -> None:
    """Give names in the cell that is tagged `parameters` other values."""
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    source = "".join(cell["source"])
    for name, value in parameters.items():
        source, found = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", source, flags=re.MULTILINE)
        assert found == 1, f"the parameters cell sets no {name}"
    cell["source"] = source


def cell_with(cells: list[Any], text: str) -> Any:
    """The one code cell whose source holds `text`."""
    (found,) = [cell for cell in cells if cell["cell_type"] == "code" and text in cell["source"]]
    return found


def printed(cell: Any) -> str:
    """What a cell wrote to standard output."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def rows_of(cell: Any) -> list[list[str]]:
    """Cells of the table that is a cell's value, header first."""
    (html,) = [output.data["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]
    lines = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines]


def values_of(cells: list[Any]) -> list[list[str]]:
    """Text, tables and drawings that each cell shows, but for cells that show times of the computer they ran on.

    Hashes are left out: a configuration's changes whenever configurations get another field.
    """
    told = [cell for cell in cells if "varies" not in cell["metadata"].get("tags", [])]
    texts = ([text for output in cell.get("outputs", []) for text in _texts(output)] for cell in told)
    return [[HASH.sub("0x…", text) for text in each] for each in texts]


def _texts(output: Any) -> list[str]:
    if output["output_type"] == "stream":
        return ["".join(output["text"])] if output["name"] == "stdout" else []
    data = output.get("data", {})
    return ["".join(data[kind]) for kind in ("text/html", "image/svg+xml") if kind in data]
