"""Runs the notebooks as Jupyter does, and keeps what they showed in their files, for readers who do not run them.

    python -m tests.checks.notebooks --write [NAME …]    runs them (all of them) and stores their outputs
    python -m tests.checks.notebooks                     says which outputs are of other cells, 1 when there are any

Stored are values and pictures, the latter as JPEG; not when it was run, and by whom. Cells tagged `varies` show times
of the computer that they ran on.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from edgemoe.spec.terminal import accept_all_text

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "host" / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
STARTUP = ROOT / "tests" / "notebooks" / "startup.py"

_WIDEST = 960  # pixels of a stored picture
_QUALITY = 82
_SECONDS = 900  # for one cell: the Verilog is built


def sources_hash(cells: list[Any]) -> str:
    """Of all code, which the outputs are to be of."""
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def execute(notebook: Any, seconds: int = _SECONDS) -> None:
    """Run all cells, with what they show put into `notebook`; raises CellExecutionError with a cell's traceback."""
    from nbclient import NotebookClient

    where = {"metadata": {"path": str(NOTEBOOKS)}}
    # What a cell prints is one output, in however many messages a busy kernel sends it.
    NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", resources=where, record_timing=False, coalesce_streams=True
    ).execute()


def stored(notebook: Any) -> dict[str, Any]:
    """The notebook as it lies in its file: outputs without what changes from run to run for no reason."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [_slim(output) for output in cell["outputs"] if output.get("name") != "stderr"]
    kept: dict[str, Any] = json.loads(json.dumps(notebook))
    kept["metadata"] = {
        "edgemoe": {"outputs_of": sources_hash(kept["cells"])},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return kept


def _slim(output: Any) -> Any:
    """One picture is enough, and JPEG is a tenth of PNG; `transient` and metadata of pictures are Jupyter's own."""
    data = output.get("data", {})
    given = data.pop("image/png", None) or data.get("image/jpeg")
    if given:
        picture = Image.open(io.BytesIO(base64.b64decode(given))).convert("RGB")
        if picture.width > _WIDEST:
            picture = picture.resize(
                (_WIDEST, round(picture.height * _WIDEST / picture.width)), Image.Resampling.LANCZOS
            )
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_QUALITY)
        data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
    if "metadata" in output:
        output["metadata"] = {}
    output.pop("transient", None)
    return output


def write(name: str) -> None:
    """Run one notebook and store what it shows."""
    import nbformat

    path = NOTEBOOKS / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    execute(notebook)
    text = json.dumps(_split(stored(notebook)), indent=1, ensure_ascii=False, sort_keys=False)
    path.write_text(text + "\n", encoding="utf-8")


def _split(notebook: dict[str, Any]) -> dict[str, Any]:
    """Texts as lists of lines, as Jupyter writes them, so that a difference is a line."""
    for cell in notebook["cells"]:
        cell["source"] = _lines(cell["source"])
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = _lines(output["text"])
            for kind, value in output.get("data", {}).items():
                if not kind.startswith("image/jp"):
                    output["data"][kind] = _lines(value)
    return notebook


def _lines(text: str | list[str]) -> list[str]:
    return "".join(text).splitlines(keepends=True)


def stale() -> list[str]:
    """Notebooks whose outputs are of other cells than those in the file."""
    found = []
    for name in NAMES:
        notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
        if notebook["metadata"].get("edgemoe", {}).get("outputs_of") != sources_hash(notebook["cells"]):
            found.append(name)
    return found


def main() -> int:
    """The command."""
    accept_all_text()
    parser = argparse.ArgumentParser(description="Outputs of the notebooks.")
    parser.add_argument("name", nargs="*", choices=[[], *NAMES], help="of a notebook (default: all)")
    parser.add_argument("--write", action="store_true", help="run them and store what they show")
    options = parser.parse_args()
    if options.write:
        os.environ["PYTHONSTARTUP"] = str(STARTUP)
        for name in options.name or NAMES:
            print(f"running {name}", flush=True)
            write(name)
        return 0
    for name in stale():
        print(f"{name}: its outputs are of other cells; run `python -m tests.checks.notebooks --write {name}`")
    return bool(stale())


if __name__ == "__main__":
    sys.exit(main())
