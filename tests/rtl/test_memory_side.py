"""The RTL's way to memory and to the host, each unit's bench in sim/<wing>/<unit>_bench.py."""

from __future__ import annotations

import pytest

from sim.common.runner import bench_of, simulate


@pytest.mark.parametrize("unit", ["control_registers", "data_reader", "data_writer", "weight_port"])
def test_unit(unit: str) -> None:
    simulate(bench_of(unit), top=unit)


@pytest.mark.parametrize(
    "hardware",
    ["micro", "micro_w16a16", "zcu102_w16a16"],
    ids=["1 line, 1 port", "2 lines, 2 ports", "4 lines, 4 ports"],
)
def test_weight_buffer(hardware: str) -> None:
    simulate("sim.memory.weight_buffer_bench", top="weight_buffer", hardware=hardware)


@pytest.mark.parametrize("unit", ["data_writer", "weight_buffer"])
def test_a_wrong_bit_is_seen(unit: str) -> None:
    simulate(bench_of(unit), top=unit, flip=True)
