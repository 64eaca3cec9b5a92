"""Whole frames of the micro model through the top in cocotb, pins to output region, against golden."""

from __future__ import annotations

import pytest

from sim.common.runner import simulate


@pytest.mark.parametrize("hardware", ["micro", pytest.param("micro_w16a16", marks=pytest.mark.slow)])
def test_frames(hardware: str) -> None:
    simulate("sim.frame_bench", top="edgemoe_top", hardware=hardware)


def test_a_wrong_bit_is_seen() -> None:
    simulate("sim.frame_bench", top="edgemoe_top", test="none", flip=True)
