"""Leaves of the RTL against golden, each one's bench in sim/<unit>_bench.py."""

from __future__ import annotations

import pytest

from sim.runner import simulate


@pytest.mark.parametrize("widths", [(12, 16), (35, 17), (58, 27)], ids=str)
def test_multiplier(widths: tuple[int, int]) -> None:
    simulate("sim.multiplier_bench", top="multiplier", parameters={"WIDE_BITS": widths[0], "NARROW_BITS": widths[1]})


def test_a_wrong_bit_is_seen() -> None:
    simulate("sim.multiplier_bench", top="multiplier", parameters={"WIDE_BITS": 12, "NARROW_BITS": 16}, flip=True)
