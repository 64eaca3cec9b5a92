"""The RTL's way to memory and to the host, each unit's bench in sim/<unit>_bench.py."""

from __future__ import annotations

import pytest

from sim.runner import simulate


@pytest.mark.parametrize("unit", ["control_registers", "data_reader", "data_writer", "weight_port"])
def test_unit(unit: str) -> None:
    simulate(f"sim.{unit}_bench", top=unit)
