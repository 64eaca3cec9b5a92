"""The drawing of the house is true: its folders are those of the tree, and its imports are those of the modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.drawings.files import IMAGES, drawings
from docs.drawings.plan import COMMON, PLAN, Part, Wing

ROOT = Path(__file__).resolve().parents[1]
# A package's place in the plan, by the first name of an import.
PLACES = {
    "edgemoe": "edgemoe",
    "edgemoe_golden": "golden",
    **{name: name for name in ("sim", "tests", "benchmarks", "docs")},
}
FREE = ("tests",)  # may import everything
DRAWINGS = drawings()


def folders(place: Path) -> set[str]:
    """Names of the folders in a place, without what tools leave behind."""
    kept = (path for path in place.iterdir() if path.is_dir() and any(path.rglob("*.*")))
    return {path.name for path in kept if not path.name.startswith((".", "__")) and path.suffix != ".egg-info"}


def packages(part: Part) -> set[str]:
    """Names of all folders of a part that hold modules, however deep."""
    base = ROOT / part.path
    return {str(path.parent.relative_to(base)) for path in base.rglob("*.py")}


def targets(module: Path) -> Iterator[str]:
    """Places in the plan that a module imports from."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            first, *rest = name.split(".")
            if first in PLACES:
                yield "/".join((PLACES[first], *rest))


def within(place: str, beginning: str) -> bool:
    return place == beginning or place.startswith(f"{beginning}/")


@pytest.mark.parametrize("part", PLAN, ids=lambda part: part.path)
def test_a_part_has_the_wings_that_the_plan_gives_it(part: Part) -> None:
    planned = {wing.name for wing in part.wings} - {"."}
    first = {name for name in planned if "/" not in name}
    assert folders(ROOT / part.path) == first, f"folders of {part.path}/ and docs/drawings/plan.py differ"
    if part.path in ("host/edgemoe", "golden", "sim"):
        missing = packages(part) - planned - {"."}
        assert not missing, f"docs/drawings/plan.py has no wing {', '.join(missing)} in {part.path}/"
    for name in planned:
        assert (ROOT / part.path / name).is_dir(), f"{part.path}/{name} is drawn and does not exist"


def test_every_folder_at_the_top_is_in_the_plan() -> None:
    assert folders(ROOT) - {"build"} == {part.path.split("/")[0] for part in PLAN}


@pytest.mark.parametrize(
    ("part", "wing"),
    [(part, wing) for part in PLAN if part.path not in FREE for wing in part.wings],
    ids=lambda piece: piece.path if isinstance(piece, Part) else piece.name,
)
def test_a_wing_imports_what_is_drawn_and_nothing_else(part: Part, wing: Wing) -> None:
    folder = ROOT / part.path / wing.name
    own = part.path.removeprefix("host/") if wing.name == "." else f"{part.path.removeprefix('host/')}/{wing.name}"
    used: set[str] = set()
    for module in sorted(folder.glob("*.py")):
        for place in targets(module):
            if place in COMMON:
                continue
            parent, _, name = place.rpartition("/")
            neighbour = place == own or (parent == own and (folder / f"{name}.py").is_file())
            if neighbour if wing.name == "." else within(place, own):
                continue
            allowed = [beginning for beginning in wing.imports if within(place, beginning)]
            assert allowed, f"{module.relative_to(ROOT)} imports {place}; docs/drawings/plan.py lets it import " + (
                ", ".join(wing.imports) or "nothing"
            )
            used.update(allowed)
    assert used == set(wing.imports), f"drawn for {own}, but imported by none: {set(wing.imports) - used}"


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_fresh(name: str) -> None:
    path = IMAGES / name
    assert path.is_file(), f"{name} is missing; run `make drawings`"
    assert path.read_text(encoding="utf-8") == DRAWINGS[name], f"{name} is stale; run `make drawings`"
