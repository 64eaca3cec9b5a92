"""LayerNorm's unit: whole instructions against golden; zcu102 normalises two rows side by side."""

from __future__ import annotations

import pytest

from sim.common.runner import simulate


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16", "zcu102"])
def test_layernorm(hardware: str) -> None:
    simulate("sim.movers.layernorm_bench", top="layernorm", hardware=hardware)


def test_a_wrong_bit_is_seen() -> None:
    simulate("sim.movers.layernorm_bench", top="layernorm", flip=True)
