"""Where Yosys puts the large memories: in UltraRAM when the hardware configuration says so, else in block RAM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.area import measure
from edgemoe.spec.hardware import load_hardware_config

MICRO = load_hardware_config("micro")


@pytest.mark.slow
@pytest.mark.parametrize("top", ["weight_buffer", "scratchpads"])
def test_ultra_ram_takes_the_place_of_block_ram(top: str) -> None:
    without, with_it = (measure(replace(MICRO, ultra_ram=ultra), top).used for ultra in (False, True))
    assert without.uram == 0 < with_it.uram
    assert with_it.bram36 < without.bram36
