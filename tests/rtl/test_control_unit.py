"""Units that control the RTL engine against golden and the specification, each one's bench in sim/control."""

from __future__ import annotations

import pytest

from sim.common.host_examples import small_hardware
from sim.common.runner import bench_of, simulate

SMALL = "small W8A8"
HARDWARE = [SMALL, "micro_w16a16", "zcu102"]


def named(hardware: str) -> str:
    return str(small_hardware("w8a8")) if hardware == SMALL else hardware


@pytest.mark.parametrize("hardware", HARDWARE)
def test_legality(hardware: str) -> None:
    tests = "" if hardware == SMALL else "mutants|just_fit"
    simulate("sim.control.legality_bench", top="legality", hardware=named(hardware), test=tests)


@pytest.mark.parametrize("unit", ["instruction_unit", "state_rules"])
def test_rules_of_a_run(unit: str) -> None:
    simulate(bench_of(unit), top=unit, hardware=named(SMALL))
