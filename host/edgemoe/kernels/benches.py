"""The table of RTL runs: what each bench declares under `RUNS`, with which hardware and parameters it is to be built.

    RUNS = [Run("micro", {"LANES": 16}, icarus=True), Run("micro_w16a16", {"LANES": 8})]

All runs of a bench have to pass. Its first run is repeated with one bit of a golden value turned over in every test.

The table is read as text: a bench asks for its hardware while it is imported, so only a simulation can import it.
Arguments of Run are therefore literals.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgemoe.spec.places import REPOSITORY

SUFFIX = "_bench"


@dataclass(frozen=True)
class Run:
    """One run of a bench.

    hardware: name of a configuration, or of one of sim.common.shapes. parameters: of the top module. tests: a regular
    expression over the names of the bench's tests, "" for all. top: the module, "" where it is called like the bench.
    slow: left to `make test-full`. icarus: runs on Icarus Verilog, too, where registers are unknown until they are
    written.
    """

    hardware: str = "micro"
    parameters: Mapping[str, int] = field(default_factory=dict)
    tests: str = ""
    top: str = ""
    slow: bool = False
    icarus: bool = False


@dataclass(frozen=True)
class Bench:
    """A bench, X_bench.py of sim/ or of a wing of it, and its runs. module: as Python imports it."""

    path: Path
    module: str
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """X of X_bench.py."""
        return self.path.stem.removesuffix(SUFFIX)

    @property
    def checks(self) -> str:
        """What it checks: the first sentence of its docstring, without the name before it."""
        text = ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""
        sentence = " ".join(text.partition("\n\n")[0].split()).partition(". ")[0]
        return sentence.partition(": ")[2].rstrip(".")

    def named(self, run: Run) -> str:
        """A run of it, as tests call it: bench, hardware, parameters."""
        return "-".join([self.name, run.hardware, *(f"{name}={value}" for name, value in run.parameters.items())])

    @property
    def top(self) -> str:
        """The Verilog module that it is about."""
        return self.runs[0].top or self.name


def benches(root: Path = REPOSITORY) -> list[Bench]:
    """All benches of sim/ in the order of their paths. Raises ValueError for one that declares no runs."""
    paths = sorted((root / "sim").rglob(f"*{SUFFIX}.py"))
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in paths]
    return [Bench(path, name, _declared(path)) for path, name in zip(paths, names, strict=True)]


def _declared(path: Path) -> tuple[Run, ...]:
    assignments = [one for one in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(one, ast.Assign)]
    tables = [one.value for one in assignments if "RUNS" in map(ast.unparse, one.targets)]
    if len(tables) != 1 or not isinstance(tables[0], ast.List) or not tables[0].elts:
        raise ValueError(f"{path} does not declare its runs; write one list of them: RUNS = [Run()]")
    return tuple(_run(path, one) for one in tables[0].elts)


def _run(path: Path, call: ast.expr) -> Run:
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == Run.__name__):
        raise ValueError(f"{path}, line {call.lineno}: {ast.unparse(call)} in RUNS; write Run(…)")
    try:
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return Run(*positional, **named)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}, line {call.lineno}: {error}; arguments of Run are literals") from error
