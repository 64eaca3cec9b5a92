"""DSP blocks: how far apart two weights stand, and what a configuration may ask of a part's blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgemoe.compiler.fits import require_fit
from edgemoe.spec.dsp import DSP_BLOCKS
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.spec.precision import W8A8
from edgemoe.spec.strict import ConfigError
from edgemoe.tuning.parts import part_of

MICRO = load_hardware_config("micro")


@pytest.mark.parametrize("block", DSP_BLOCKS, ids=lambda block: block.name)
def test_two_weights_fill_the_wide_operand(block: object) -> None:
    """Every pair fits its bits, and one bit further apart some would not."""
    shift, most = block.pair_shift, 1 << block.wide - 1  # type: ignore[attr-defined]
    weights = (-(1 << W8A8.weight_bits - 1), (1 << W8A8.weight_bits - 1) - 1)
    pairs = [(high << shift) + low for high in weights for low in weights]
    assert all(-most <= pair < most for pair in pairs)
    assert min((high << shift + 1) + low for high in weights for low in weights) < -most


def test_shifts_are_those_that_the_verilog_is_proved_for() -> None:
    assert {block.name: block.pair_shift for block in DSP_BLOCKS} == {"dsp48e2": 18, "dsp48e1": 16}
    largest = ((1 << W8A8.exponential_bits) - 1) << W8A8.weight_bits - 1
    assert 2 * largest < 1 << 18, "two products change K by one at most"
    assert largest < 2 << 16, "one product changes K by two at most"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dsp": "dsp58"}, "dsp must be dsp48e2 or dsp48e1, the multiplier of the part's series, found 'dsp58'"),
        ({"dsp": "dsp48e1", "ultra_ram": True}, "ultra_ram: parts with dsp48e1 blocks have none; set it to false"),
        ({"dsp": "dsp48e1", "precision": "w16a16"}, "dsp dsp48e1: for precision w8a8, found w16a16; take dsp48e2"),
    ],
)
def test_what_the_blocks_cannot_do_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        replace(MICRO, **changes)  # type: ignore[arg-type]


def test_shapes_have_the_blocks_of_their_parts() -> None:
    for name in hardware_names():
        hardware = load_hardware_config(name)
        part = part_of(hardware.part)
        assert part is None or hardware.dsp == part.dsp, name


@pytest.mark.parametrize(("name", "tasks"), [("pynq_z2", 1), ("ultra96", 1), ("zcu104", 2)])
def test_the_shapes_of_small_boards_hold_tiny(name: str, tasks: int) -> None:
    model, hardware = load_model_config("tiny"), load_hardware_config(name)
    require_fit(model, tuple(task.name for task in model.tasks)[:tasks], hardware)
