"""A fixed sample of random programs, legal and illegal, on the other engines; `make fuzz` goes on from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.csim import build as csim
from edgemoe.devices.rtl import build as rtl
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import Buffer, Instruction, Opcode
from sim.examples.machine import SENTINEL
from tests.fuzz.campaign import Budget, Campaign
from tests.fuzz.engines import BUILDS, ENGINES, SANITIZED, build, sanitizers
from tests.fuzz.programs import Generator
from tests.fuzz.target import Target

PLAIN = "csim w8a8"
QUICK = [target for target in ENGINES if target.group == "csim" and target.name != PLAIN]
"""W16A16, and W8A8 with all options, which takes what the plain one takes."""

LONG = [target for target in ENGINES if target not in QUICK]

CASES = {"csim": 40, "rtl": 20}


@pytest.mark.parametrize(
    "targets",
    [
        QUICK,
        *(pytest.param([target], marks=pytest.mark.slow) for target in LONG),
    ],
    ids=lambda targets: " and ".join(target.name for target in targets),
)
def test_random_programs_end_as_on_golden(targets: list[Target], tmp_path: Path) -> None:
    """Builds that no other test needs take long."""
    cases = CASES[targets[0].group]
    try:
        for engine, *which in BUILDS:
            if any(target.name == " ".join((engine, which[0], *which[1])) for target in targets):
                _build(engine, build(*which))
    except MissingToolError as error:
        pytest.skip(str(error))
    tallies = Campaign(targets, 1, tmp_path).run(Budget(cases=cases))
    for tally in tallies:
        assert not tally.places, f"{tally.target.name}: {tally.places}; repeat: make fuzz REPLAY={tally.kept[0]}"
        assert tally.cases == cases
        assert tally.outcomes["ended"] >= tally.cases // 3
        assert len(tally.outcomes) >= 4, "hardly any faults among the illegal programs"


def _build(engine: str, hardware: HardwareConfig) -> None:
    """Or raise DeviceError with what is missing."""
    if engine == "csim":
        csim.library_path(hardware, tuple(SANITIZED.split()))
        if any(not Path(part).is_absolute() for part in sanitizers()["LD_PRELOAD"].split()):
            raise DeviceError("g++ comes without the runtimes of its sanitizers")
    else:
        rtl.library_path(hardware)


def test_programs_are_drawn_over_the_memory_that_they_run_in() -> None:
    """What LOAD brings from rows that nobody stored decides on experts, and so on what is legal behind it."""
    hardware = next(build(*which) for engine, *which in BUILDS if "streaming" in which[1])
    drawn = Generator(hardware, np.random.default_rng(0))
    drawn.machine.execute(Instruction(Opcode.LOAD, destination=Buffer.KEY, rows=2, in_features=VECTOR))
    assert (drawn.machine.scratchpads.read(Buffer.KEY, 0, 2) == SENTINEL).all()
