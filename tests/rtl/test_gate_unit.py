"""The gate's unit: whole instructions against golden; zcu102 drains two rows a cycle."""

from __future__ import annotations

import pytest

from sim.common.runner import simulate


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16", "zcu102"])
def test_gate(hardware: str) -> None:
    simulate("sim.movers.gate_bench", top="gate", hardware=hardware)


def test_a_wrong_bit_is_seen() -> None:
    simulate("sim.movers.gate_bench", top="gate", flip=True)
