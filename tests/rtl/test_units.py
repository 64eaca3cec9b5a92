"""Every bench of sim/ in every run that it declares: plain, with a flipped bit, and leaves on Icarus Verilog."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgemoe.kernels.benches import Bench, Run, benches
from sim.common.runner import simulate

BENCHES = benches()


def cases(chosen: Callable[[Bench], tuple[Run, ...]]) -> list[Any]:
    """Bench and run, called after both."""
    found = []
    for bench in BENCHES:
        for run in chosen(bench):
            marks = [pytest.mark.slow] if run.slow else []
            found.append(pytest.param(bench, run, marks=marks, id=bench.named(run)))
    return found


def start(bench: Bench, run: Run, **how: Any) -> None:
    simulate(bench.module, top=bench.top, hardware=run.hardware, parameters=run.parameters, test=run.tests, **how)


@pytest.mark.parametrize(("bench", "run"), cases(lambda bench: bench.runs))
def test_the_unit_is_golden(bench: Bench, run: Run) -> None:
    start(bench, run)


@pytest.mark.parametrize(("bench", "run"), cases(lambda bench: bench.runs[:1]))
def test_every_test_sees_a_wrong_bit(bench: Bench, run: Run) -> None:
    start(bench, run, flip=True)


@pytest.mark.slow
@pytest.mark.parametrize(("bench", "run"), cases(lambda bench: bench.runs[:1]))
def test_the_netlist_of_the_unit_is_golden(bench: Bench, run: Run) -> None:
    start(bench, run, mapped=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bench", "run"), cases(lambda bench: bench.runs[:1] if bench.name in ("softmax", "requantise", "fifo") else ())
)
def test_a_wrong_bit_is_seen_on_the_netlist(bench: Bench, run: Run) -> None:
    start(bench, run, mapped=True, flip=True)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
@pytest.mark.parametrize(("bench", "run"), cases(lambda bench: tuple(run for run in bench.runs if run.icarus)))
def test_a_leaf_on_icarus(bench: Bench, run: Run) -> None:
    """Registers are unknown until they are written: what depends on one before fails here and not on Verilator."""
    start(bench, run, on="icarus")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CYCLES = 3", "does not declare its runs"),
        ("RUNS = []", "does not declare its runs"),
        ("RUNS = [Run()]\nRUNS = [Run('wide')]", "does not declare its runs; write one list"),
        ("RUNS = ['micro']", "line 1: 'micro' in RUNS; write Run"),
        ("RUNS = [\n    Run(name)]", "line 2: malformed node .*; arguments of Run are literals"),
        ("RUNS = [Run(seeds=3)]", "unexpected keyword argument 'seeds'"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(text: str, said: str, tmp_path: Path) -> None:
    bench = tmp_path / "sim" / "parts" / "fifo_bench.py"
    bench.parent.mkdir(parents=True)
    bench.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"fifo_bench.py.*{said}"):
        benches(tmp_path)
