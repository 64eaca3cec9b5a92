"""Units that control the RTL engine against golden and the specification, each one's bench in sim/<unit>_bench.py."""

from __future__ import annotations

import pytest

from sim.host_examples import small_hardware
from sim.runner import simulate

SMALL = "small W8A8"
HARDWARE = [SMALL, "micro_w16a16", "zcu102"]


def named(hardware: str) -> str:
    return str(small_hardware("w8a8")) if hardware == SMALL else hardware


@pytest.mark.parametrize("hardware", HARDWARE)
def test_legality(hardware: str) -> None:
    tests = "" if hardware == SMALL else "mutants|just_fit"
    simulate("sim.legality_bench", top="legality", hardware=named(hardware), test=tests)


@pytest.mark.parametrize("unit", ["instruction_unit", "state_rules"])
def test_rules_of_a_run(unit: str) -> None:
    simulate(f"sim.{unit}_bench", top=unit, hardware=named(SMALL))
