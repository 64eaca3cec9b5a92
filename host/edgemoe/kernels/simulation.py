"""One bench, run as a user asks: simulator, seed, hardware, other modules; and what each of its tests saw."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.devices.build_cache import run_tool
from edgemoe.devices.rtl.build import modules, verilator
from edgemoe.devices.telling import say_to_people
from edgemoe.errors import EdgeMoeError
from edgemoe.extras import how_to_install
from edgemoe.kernels.benches import Bench, Run
from edgemoe.kernels.waves import Waves, keep_waves
from edgemoe.spec.names import path_part
from edgemoe.spec.places import BUILDS, REPOSITORY

SIMULATORS = ("verilator", "icarus")
NEEDED = ("cocotb", "cocotbext.axi", "verilator")  # packages of the extra `sim`
BROUGHT_BY = {"torch": "train", "cocotbext": "sim"}  # what a bench may lack, and the extra that has it
DOES_NOT_BUILD = 2  # exit status of sim.common.runner
WAVES_LINE = re.compile(r"^waves: (.*)$", re.MULTILINE)
MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
COMPLAINT = re.compile(r"^.*(?:%Error|error:|: not found$|: command not found$).*$", re.MULTILINE)


class SimulationError(EdgeMoeError):
    """A simulation that cannot be built or started."""


@dataclass(frozen=True)
class BenchTest:
    """What one test of a bench saw.

    options: those of its parametrisation, in words. values: compared with golden. cycles: of the clock, with those of
    reset and idling. failure: what was wrong, None where nothing was. flipped: whether that is the bit turned over.
    """

    name: str
    options: str
    values: int
    cycles: int
    failure: str | None
    flipped: bool


@dataclass(frozen=True)
class Simulation:
    """A bench that has run. waves: of all its tests, where they were asked for."""

    bench: Bench
    run: Run
    tests: tuple[BenchTest, ...]
    seed: int
    flip: bool
    waves: Waves | None

    @property
    def good(self) -> bool:
        """Whether all tests passed, or with `flip` all saw the bit that was turned over."""
        return all(test.flipped if self.flip else test.failure is None for test in self.tests)


def simulate(
    bench: Bench,
    run: Run,
    *,
    seed: int = 1,
    flip: bool = False,
    waves: bool = False,
    simulator: str = "verilator",
    instead: Sequence[Path] = (),
) -> Simulation:
    """Build the bench's module, unless it is kept, and run all tests of this run.

    instead: Verilog files that stand for the modules of their names. Raises SimulationError or DeviceError where
    something is missing, or where the module does not build.
    """
    require_simulator(simulator)
    known = modules()
    for path in instead:
        if not path.is_file() or path.stem not in known:
            what = "no file" if not path.is_file() else f"no module {path.stem} in rtl/ for it to stand for"
            raise SimulationError(f"{path}: {what}; --module takes a changed copy of a file of rtl/, named like it")
    say_to_people(f"simulating {bench.name} on {run.hardware} with {simulator}; new Verilog is compiled first …")
    with tempfile.TemporaryDirectory(prefix="edgemoe-sim-") as folder:
        report = Path(folder) / "report"
        command = [sys.executable, "-m", "sim.common.runner", bench.module, "--top", bench.top]
        command += ["--hardware", run.hardware, "--seed", str(seed), "--report", str(report)]
        command += [word for name, value in run.parameters.items() for word in ("--parameter", f"{name}={value}")]
        command += [word for path in instead for word in ("--module", str(path.resolve()))]
        command += ["--test", run.tests] * bool(run.tests) + ["--flip"] * flip + ["--waves"] * waves
        done = run_tool(command, _environment(simulator), REPOSITORY)
        lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
    if not lines:
        raise SimulationError(_reason(bench, done))
    tests = tuple(BenchTest(**json.loads(line)) for line in lines)
    found = WAVES_LINE.search(done.stdout)
    kept = None
    if found:
        name = "-".join([bench.name, Path(run.hardware).stem, *map(str, run.parameters.values())])
        kept = keep_waves(Path(found[1]), BUILDS / "waves" / path_part(name), known[bench.top])
    return Simulation(bench, run, tests, seed, flip, kept)


def require_simulator(simulator: str) -> None:
    """Raises SimulationError or DeviceError where a bench cannot be run with this simulator."""
    for package in NEEDED:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            name = package.partition(".")[0]
            raise SimulationError(f"a bench needs {name}, which is not installed; run: {how_to_install('sim')}")
    if simulator == "icarus" and shutil.which("iverilog") is None:
        raise SimulationError(
            "Icarus Verilog (iverilog) is not installed; install package iverilog of your system, or leave out "
            "--simulator for Verilator, which comes with extra 'sim'"
        )
    if simulator == "verilator":
        verilator()


def _environment(simulator: str) -> dict[str, str]:
    """Of the process that simulates: benches are found in the repository, this package where it is."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [str(REPOSITORY), package, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return {**kept, "SIM": simulator, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _reason(bench: Bench, done: subprocess.CompletedProcess[str]) -> str:
    """One sentence on a simulation without a result."""
    said = done.stdout + done.stderr
    missing = MISSING.search(said)
    if missing:
        extra = BROUGHT_BY.get(missing[1], "sim")
        return f"the bench of {bench.name} needs {missing[1]}; run: {how_to_install(extra)}"
    lines = said.strip().splitlines() or ["no reason given"]
    if done.returncode == DOES_NOT_BUILD:
        complaint = COMPLAINT.search(said)
        return f"{bench.top} does not build: {complaint[0].strip() if complaint else lines[-1]}"
    return f"the simulation of {bench.name} ended before its first test: {lines[-1]}"
