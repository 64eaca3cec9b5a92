"""What the dependence pragmas of the loop ARRAY promise is kept by every pass of every shipped model on every shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from distances import least_distances

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.compiler.hls_array import WRITE_DISTANCE
from edgemoe.devices.csim.build import HLS_FOLDER
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.hls_schedule import ACCUMULATE_DISTANCE
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode
from sim.common.shapes import shape
from tests.checks.hls_ir.pragmas import read

MODELS = HLS_FOLDER.parent / "models"
CONSTANTS = {
    "ACCUMULATE_DISTANCE": ACCUMULATE_DISTANCE,
    "FINISH_DISTANCE": ACCUMULATE_DISTANCE + 1,
    "WRITE_DISTANCE": WRITE_DISTANCE,
}
PROMISED = {each.variable: CONSTANTS[each.distance] for each in read(HLS_FOLDER).promises if each.distance}
UNEVEN = (0, 40, 3, 0, 0, 86, 1, 0)  # tokens of experts


def queues(instruction: Instruction, entries: int) -> Iterator[tuple[int, ...]]:
    """Even ones, one for all tokens, and empty ones between others."""
    experts = instruction.experts
    yield tuple((entries + n) // experts for n in range(experts))
    yield (0,) * (experts - 1) + (min(entries, 129),)
    yield tuple(UNEVEN[n % len(UNEVEN)] for n in range(experts))


def least(instructions: list[Instruction], hardware: HardwareConfig) -> dict[str, int]:
    """Over all passes of these, each with any place and number of rows that its last block of queries may have."""
    found: dict[str, int] = {}
    entries = 0
    for instruction in dict.fromkeys(instructions):
        if instruction.opcode == Opcode.GATE:
            entries += instruction.rows * instruction.top_k
        experts = instruction.opcode == Opcode.EXPERTS
        for each in queues(instruction, entries) if experts else ((),):
            for name, distance in least_distances(instruction, hardware, each).items():
                found[name] = min(distance, found.get(name, distance))
    return found


def complaints(found: dict[str, int]) -> list[str]:
    return [f"{name}: {found[name]}, {PROMISED[name]} promised" for name in found if found[name] < PROMISED[name]]


@pytest.mark.parametrize("model", ["mini", "tiny"])
@pytest.mark.parametrize("name", hardware_names())
def test_every_pass_of_a_shipped_model_keeps_what_is_promised(model: str, name: str) -> None:
    hardware = shape(name)
    try:
        program = compile_checkpoint(MODELS / model, None, hardware)
    except DoesNotFitError as error:
        pytest.skip(str(error))
    found = least(program.instructions, hardware)
    assert found.keys() == PROMISED.keys(), "every promise is looked at"
    assert complaints(found) == []


@pytest.mark.parametrize("name", hardware_names())
@pytest.mark.parametrize("source_row", [0, 5])
def test_attention_over_any_number_of_rows_keeps_it(name: str, source_row: int) -> None:
    """The last block of queries may be one tile, whose scores are drained in few turns."""
    hardware = shape(name)
    rows = (1, 5, 16, 17, 65, 66, 70, hardware.max_tokens)
    one = Instruction(Opcode.ATTENTION, in_features=192, source_row=source_row)
    given = [replace(one, rows=n, heads=heads) for n in rows if n <= hardware.max_tokens for heads in (1, 3, 12)]
    assert complaints(least(given, hardware)) == []


@pytest.mark.parametrize("name", ["wide_tokens", "wide_tokens_pairs", "wide_inner", "wide_inner_pairs", "narrow"])
@pytest.mark.parametrize("rows", [1, 2, 5, 9, 129])
def test_wide_activations_and_narrow_weights_keep_it(name: str, rows: int) -> None:
    """Two steps per token tile, two right tiles per input tile, and tiles that are loaded in half the time."""
    hardware = shape(name)
    widths = {"wide_source": int(hardware.wide_tokens), "narrow_weights": int(hardware.narrow_weights), "segments": 1}
    sizes = {"rows": rows, "in_features": 192, "out_features": 192}
    source = Buffer.GATE_INPUT if hardware.wide_tokens else Buffer.NORM
    linear = Instruction(Opcode.LINEAR, epilogue=Epilogue.RESIDUAL, source=source, **sizes, **widths)
    experts = Instruction(Opcode.EXPERTS, in_features=192, hidden_features=384, experts=8, **widths)
    found = [linear, Instruction(Opcode.HEAD, **sizes, **widths)]
    if hardware.wide_inner:
        one = Instruction(Opcode.ATTENTION, rows=rows, in_features=192, wide_source=1)
        found += [replace(one, heads=heads, source_row=row) for heads in (1, 3, 12) for row in (0, 5)]
        found += [replace(linear, epilogue=Epilogue.GELU, wide_result=1), replace(linear, source=Buffer.HIDDEN)]
        experts = replace(experts, wide_result=1)
    assert complaints(least(found, hardware)) == []
    for each in ((rows,) * 8, (1, rows) * 4):
        assert complaints(least_distances(experts, hardware, each)) == []


def test_a_distance_that_is_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Instruction(Opcode.GATE, rows=1, in_features=192, experts=16, top_k=2, segments=1)
    assert complaints(least([gate], load_hardware_config("zcu102"))) == []
    monkeypatch.setitem(PROMISED, "running", ACCUMULATE_DISTANCE + 1)
    assert complaints(least([gate], load_hardware_config("zcu102"))) == ["running: 3, 4 promised"]
