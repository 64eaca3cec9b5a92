"""`edgemoe sim`: one kernel alone, its bench in a simulator, or an array of yours on golden, csim and RTL."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.commands.common import table, task_names
from edgemoe.errors import ArgumentError
from edgemoe.kernels.benches import Bench, Run, benches
from edgemoe.kernels.comparison import EngineResult, compare
from edgemoe.kernels.engines import ENGINES
from edgemoe.kernels.inputs import INPUTS, operation
from edgemoe.kernels.simulation import SIMULATORS, Simulation, simulate
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.places import REPOSITORY

SHOWN_VALUES = 8
BESIDE = tuple(name for name in ENGINES if name != "golden")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("kernel", nargs="?", help="which one, see --list")
    parser.add_argument("--list", action="store_true", help="print every kernel, its module, its bench, what it checks")
    parser.add_argument("--hardware", help="shape to build it for (default: the bench's first, mostly micro)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn at random (default: %(default)s)")
    parser.add_argument("--waves", action="store_true", help="keep a waveform, and lists of signals for its viewers")
    parser.add_argument(
        "--flip", action="store_true", help="turn one bit of golden over: every comparison has to see it"
    )
    parser.add_argument("--simulator", choices=SIMULATORS, default="verilator", help="default: %(default)s")
    parser.add_argument(
        "--module", type=Path, action="append", default=[], metavar="FILE.v",
        help="a changed copy of a file of rtl/, to be simulated instead of it; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--input", type=Path, metavar="FILE.npy", help="run this array through the kernel on every engine, no bench"
    )
    parser.add_argument(
        "--engines", default=",".join(BESIDE), help="with --input: those beside golden (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.npz", help="with --input: write every engine's results")


def main(options: argparse.Namespace) -> int:
    """Run; returns 0 where everything equals golden (with --flip: where the wrong bit was seen), else 1."""
    there = {bench.name: bench for bench in benches()}
    if options.list:
        print(_listed(list(there.values())))
        return 0
    _require_known(options.kernel, [*there, *(name for name in INPUTS if name not in there)])
    if options.input is not None:
        return _compare(options)
    if options.kernel not in there:
        raise ArgumentError(
            f"'{options.kernel}' has no bench of its own, as many modules share in it; give it an array with --input, "
            f"or simulate 'compute'"
        )
    bench = there[options.kernel]
    status = 0
    for run in _runs(bench, options.hardware, list(there.values())):
        found = simulate(
            bench, run, seed=options.seed, flip=options.flip, waves=options.waves, simulator=options.simulator,
            instead=options.module,
        )  # fmt: skip
        print(_told(found, options))
        status |= not found.good
    return status


def _listed(there: list[Bench]) -> str:
    rows = [(bench.name, _module(bench), str(bench.path.relative_to(REPOSITORY)), bench.checks) for bench in there]
    takes = [(name, given.described(), given.others) for name, given in INPUTS.items()]
    return (
        table(("kernel", "module", "bench", "what it checks"), rows)
        + f"\n\nThe files lie in {REPOSITORY}.\n\nWith --input FILE.npy, integers:\n\n"
        + table(("kernel", "array", "the rest"), takes)
    )


def _module(bench: Bench) -> str:
    found = sorted((REPOSITORY / "rtl").rglob(f"{bench.top}.v"))
    return str(found[0].relative_to(REPOSITORY)) if found else bench.top


def _require_known(name: str | None, known: list[str]) -> None:
    if name is None:
        raise ArgumentError(
            "name a kernel, such as `edgemoe sim softmax`, or see all of them with `edgemoe sim --list`"
        )
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ArgumentError(f"no kernel '{name}'; {meant}`edgemoe sim --list` names all of them")


def _runs(bench: Bench, hardware: str | None, there: list[Bench]) -> list[Run]:
    """The bench's runs on this hardware; where its table has none, those of its first with other hardware."""
    wanted = hardware or bench.runs[0].hardware
    declared = [run for run in bench.runs if run.hardware == wanted]
    if declared:
        return declared
    shapes = sorted({run.hardware for each in there for run in each.runs} | set(hardware_names()))
    if wanted.endswith(".json"):
        load_hardware_config(wanted)
        wanted = str(Path(wanted).resolve())
    elif wanted not in shapes:
        raise ArgumentError(f"no hardware '{wanted}'; there are {', '.join(shapes)}, or a JSON file")
    first = bench.runs[0]
    return [Run(wanted, first.parameters, first.tests, first.top)]


def _told(found: Simulation, options: argparse.Namespace) -> str:
    run, rows = found.run, []
    for test in found.tests:
        good = "saw the bit" if test.flipped else "equal" if test.failure is None else "WRONG"
        rows.append((test.name, test.options, test.values, test.cycles, good))
    parts = [f"{found.bench.name}: {found.bench.checks}", table(("test", "with", "values", "cycles", "golden"), rows)]
    parts += [
        f"{test.name}{f' ({test.options})' if test.options else ''}: {test.failure}"
        for test in found.tests
        if test.failure and not test.flipped
    ]
    parameters = "".join(f", {name} = {value}" for name, value in run.parameters.items())
    values, cycles = (sum(getattr(test, name) for test in found.tests) for name in ("values", "cycles"))
    verdict = ("every test saw the bit" if found.flip else "all equal") if found.good else "NOT as golden"
    parts.append(
        f"{verdict}: {len(found.tests)} tests, {values:,} values compared, {cycles:,} cycles, seed {found.seed}, on "
        f"'{Path(run.hardware).stem}'{parameters}, {options.simulator}"
    )
    if found.waves:
        waves = found.waves
        parts.append(
            f"waveform: {waves.values}\n"
            f"  surfer --command-file {waves.surfer} {waves.values}\n"
            f"  gtkwave {waves.gtkwave}"
        )
    return "\n\n".join(parts)


def _compare(options: argparse.Namespace) -> int:
    unused = [name for name in ("waves", "module") if getattr(options, name)]
    if unused:
        raise ArgumentError(f"--{unused[0]} goes with a bench; leave out --input, or leave out --{unused[0]}")
    if options.kernel not in INPUTS:
        raise ArgumentError(f"{options.kernel} takes no array of yours; these do: {', '.join(INPUTS)}")
    engines = task_names(options.engines) or ()
    for name in engines:
        if name not in BESIDE:
            raise ArgumentError(f"--engines takes some of {', '.join(BESIDE)}; found '{name}'")
    hardware = load_hardware_config(options.hardware or "micro")
    op = operation(options.kernel, _array(options.input), hardware, options.seed)
    found = compare(op, hardware, engines, options.flip)
    given, first = INPUTS[options.kernel], found[0].results or ()
    rows = [(each.engine, _verdict(each), each.seconds) for each in found]
    print(f"{options.kernel} on hardware '{hardware.name}', {hardware.precision}; besides: {given.others}")
    print(table(("engine", "against golden", "seconds"), rows))
    for name, values in zip(given.results, first, strict=True):
        flat = values.reshape(-1)
        dots = " …" if flat.size > SHOWN_VALUES else ""
        shape = " × ".join(map(str, values.shape))
        print(f"{name} [{shape}]: {' '.join(map(str, flat[:SHOWN_VALUES].tolist()))}{dots}")
    if options.out is not None:
        _write(options.out, found, given.results)
    beside = [each for each in found[1:] if each.results is not None]
    return int(any(each.wrong != options.flip for each in beside))


def _verdict(each: EngineResult) -> str:
    if each.engine == "golden":
        return f"defines {sum(part.size for part in each.results or ()):,} values"
    return each.said


def _array(path: Path) -> NDArray[np.generic]:
    """Raises ArgumentError for a file that holds no array, OSError for one that cannot be read."""
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ArgumentError(f"{path}: no array of NumPy; write one with np.save") from error
    if not isinstance(found, np.ndarray):
        raise ArgumentError(f"{path}: an archive of arrays; write one array with np.save")
    return found


def _write(path: Path, found: list[EngineResult], names: tuple[str, ...]) -> None:
    arrays = {
        f"{each.engine}.{name}": values
        for each in found
        for name, values in zip(names, each.results or (), strict=each.results is not None)
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"written: {path}")
