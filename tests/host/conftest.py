"""The golden device on a bench, with the good program's outcome, for the machine tests."""

from __future__ import annotations

import pytest
from machine_examples import HALT, Bench, Outcome, encoded, program, small_hardware

from edgemoe.spec.faults import Fault


@pytest.fixture(params=["w8a8", "w16a16"], scope="module")
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(small_hardware(request.param))


@pytest.fixture(scope="module")
def good(bench: Bench) -> Outcome:
    """What the good program gives on a device that has run nothing else."""
    outcome = Bench(bench.hardware).run(encoded(program()))
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, HALT)
    return outcome
