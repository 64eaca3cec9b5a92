"""A fixed sample of random programs, legal and illegal, on the other engines; `make fuzz` goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgemoe.devices.base import DeviceError
from edgemoe.devices.csim import build as csim
from edgemoe.devices.rtl import build as rtl
from tests.examples.machine import small_hardware
from tests.fuzz.campaign import Budget, Campaign
from tests.fuzz.engines import ENGINES, SANITIZED, sanitizers

CASES = {"csim w8a8": 40, "csim w16a16": 40, "rtl w8a8": 20, "rtl w16a16": 20}


@pytest.mark.parametrize(
    "names",
    [
        ("csim w8a8", "csim w16a16"),
        ("rtl w8a8",),
        pytest.param(("rtl w16a16",), marks=pytest.mark.slow),  # takes long to build
    ],
    ids=" and ".join,
)
def test_random_programs_end_as_on_golden(names: Sequence[str], tmp_path: Path) -> None:
    targets = [target for target in ENGINES if target.name in names]
    try:
        for name in names:
            _build(*name.split())
    except DeviceError as error:
        pytest.skip(str(error))
    tallies = Campaign(targets, 1, tmp_path).run(Budget(cases=CASES[names[0]]))
    for tally in tallies:
        assert not tally.places, f"{tally.target.name}: {tally.places}; repeat: make fuzz REPLAY={tally.kept[0]}"
        assert tally.cases == CASES[names[0]]
        assert tally.outcomes["ended"] >= tally.cases // 3
        assert len(tally.outcomes) >= 4, "hardly any faults among the illegal programs"


def _build(engine: str, precision: str) -> None:
    """Or raise DeviceError with what is missing."""
    hardware = small_hardware(precision)
    if engine == "csim":
        csim.library_path(hardware, tuple(SANITIZED.split()))
        if any(not Path(part).is_absolute() for part in sanitizers()["LD_PRELOAD"].split()):
            raise DeviceError("g++ comes without the runtimes of its sanitizers")
    else:
        rtl.library_path(hardware)
