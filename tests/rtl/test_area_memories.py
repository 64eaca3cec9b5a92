"""A module alone is that of the shape; Yosys puts the large memories where the hardware configuration says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.area import measure
from benchmarks.area_synthesis import elaborate
from edgemoe.spec.hardware import load_hardware_config

MICRO = load_hardware_config("micro")


@pytest.mark.parametrize("hardware", [pytest.param("micro", marks=pytest.mark.slow), "micro_w16a16"])
def test_a_module_alone_has_the_widths_of_the_shape(hardware: str) -> None:
    shape = load_hardware_config(hardware)
    *_, gelu = elaborate(shape, "gelu").values()
    assert f"parameter \\ACTIVATION_BITS {shape.numbers.activation_bits}\n" in gelu


@pytest.mark.slow
def test_adders_of_a_chain_are_inside_of_its_dsp_blocks() -> None:
    used = measure(MICRO, "dot_product").used  # 16 lanes
    assert used.dsp == 16
    assert used.lut < 100


@pytest.mark.slow
@pytest.mark.parametrize("top", ["weight_buffer", "scratchpads"])
def test_ultra_ram_takes_the_place_of_block_ram(top: str) -> None:
    without, with_it = (measure(replace(MICRO, ultra_ram=ultra), top).used for ultra in (False, True))
    assert without.uram == 0 < with_it.uram
    assert with_it.bram36 < without.bram36
