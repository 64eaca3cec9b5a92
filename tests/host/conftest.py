"""Every engine on a bench, with the good program's outcome, for the machine tests."""

from __future__ import annotations

import pytest

from edgemoe.devices.base import MissingToolError
from edgemoe.spec.faults import Fault
from sim.examples.machine import HALT, Bench, Outcome, encoded, program, small_hardware

ENGINES = ("golden", "csim", "rtl")
LONG_BUILD = ("rtl", "w16a16")  # faults are found by the same modules in both precisions


@pytest.fixture(
    params=[
        pytest.param((engine, precision), marks=[pytest.mark.slow] if (engine, precision) == LONG_BUILD else [])
        for engine in ENGINES
        for precision in ("w8a8", "w16a16")
    ],
    ids=lambda param: "-".join(param),
    scope="module",
)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Skipped with one sentence where the engine cannot be built."""
    engine, precision = request.param
    try:
        return Bench(small_hardware(precision), engine)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def golden(bench: Bench) -> Bench:
    """A golden device of the same hardware."""
    return Bench(bench.hardware)


@pytest.fixture(scope="module")
def good(bench: Bench) -> Outcome:
    """What the good program gives on a golden device that has run nothing else: every engine gives the same."""
    outcome = Bench(bench.hardware).run(encoded(program()))
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, HALT)
    return outcome
