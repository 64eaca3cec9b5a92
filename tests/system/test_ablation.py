"""The ablation keeps values, its models hold for sizes that one can count by hand, its GELU units compute.

Reproduce one: `python -m pytest "tests/system/test_ablation.py::NAME"`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ablation_area import Area
from benchmarks.ablation_gelu import all_inputs, by_polynomial, by_wide_table, exact, step_bits_of_equal_error
from benchmarks.ablation_gelu_bench import check_unit
from benchmarks.ablation_models import Attention, expert_bytes, token_by_token_bytes, token_by_token_cycles
from benchmarks.ablation_programs import first_moe_block, segments_of
from benchmarks.ablation_reads import passes
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import Program
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import STREAM_LINE, Opcode
from edgemoe.spec.model import load_model_config
from edgemoe.spec.precision import W8A8
from edgemoe_golden.ops.gelu import gelu
from edgemoe_golden.scenes import draw_scene

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
TINY, ZCU102 = load_model_config("tiny"), load_hardware_config("zcu102")


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_checkpoint(MINI, ["semseg"], load_hardware_config("micro"))


def output_of(program: Program) -> bytes:
    model = program.manifest.model
    with GoldenDevice(program.manifest.hardware) as device, Session(program, device) as session:
        return session.run_raw(draw_scene(27, model.image_height, model.image_width).image).tobytes()


@pytest.mark.parametrize("alone", [1, 5, 129])
def test_experts_token_by_token_give_the_same_residuals(program: Program, alone: int) -> None:
    together, one_by_one = first_moe_block(program), first_moe_block(program, alone)
    assert output_of(one_by_one) == output_of(together)
    model, hardware = program.manifest.model, program.manifest.hardware
    calls = [i.opcode for i in one_by_one.instructions].count(Opcode.EXPERTS)
    assert calls == min(alone + 1, model.tokens)
    streamed = (calls - 1) * model.experts * expert_bytes(model, hardware)
    assert one_by_one.stream.size - together.stream.size >= streamed, "every call has all experts before it"


def test_segments_are_numbered_in_order(program: Program) -> None:
    rebuilt = first_moe_block(program, 3)
    place = 0
    for number, segment in enumerate(segments_of(rebuilt)):
        assert rebuilt.stream[place : place + 4].view("<u4")[0] == number
        place += STREAM_LINE + segment.payload.size
    assert place == rebuilt.stream.size


def test_programs_that_cannot_be_cut_are_refused(program: Program) -> None:
    with pytest.raises(ValueError, match="the model has 129"):
        first_moe_block(program, 130)
    both = compile_checkpoint(MINI, None, program.manifest.hardware)
    with pytest.raises(ValueError, match="a program of one task"):
        first_moe_block(both)


def test_attention_of_a_size_that_one_can_count() -> None:
    """16 tokens, one head of 16 features, a 2 × 8 × 8 array: one block of 8 tiles of 2 queries, 4 tiles of keys and of
    values each; a tile takes 8 / 2 = 4 reads, so 8 steps hide it, and 2 · 4 reads, too."""
    model = replace(TINY, image_height=16, image_width=240, width=16, heads=1, depth=1, moe_blocks=())
    attention = Attention.of(model, replace(ZCU102, token_par=2, in_par=8, out_par=8))
    assert model.tokens == 16
    assert attention.steps() == attention.cycles() == (4 + 4) * 8
    assert attention.plain_extra() == 0
    assert attention.cycles(fold=4) == (4 + 4) * 16
    assert attention.sweep_cycles() == 8 * 2
    assert attention.score_reads() == 16 * 2
    assert attention.exponentials() == 16 * 16


@pytest.mark.parametrize("token_par", [2, 4, 8, 16])
def test_passes_of_a_bench_are_the_tiles_of_the_model(token_par: int) -> None:
    shape = replace(ZCU102, token_par=token_par, row_elements=65536, hidden_elements=262144)
    tiles = [p["output_tiles"] * p["input_tiles"] for p in passes(TINY.tokens, TINY.width, TINY.heads, shape)]
    attention = Attention.of(TINY, shape)
    assert sum(tiles) == attention.heads * len(attention.blocks) * attention.tiles


def test_bytes_without_reordering() -> None:
    each = expert_bytes(TINY, ZCU102)
    assert each > 2 * TINY.width * TINY.expert_hidden
    assert token_by_token_bytes(TINY, ZCU102) == 6 * 129 * 2 * each
    assert token_by_token_cycles(TINY, ZCU102) == int(6 * 129 * 2 * each / 45.5)


def test_the_wide_table_is_the_smallest_that_is_not_worse() -> None:
    values = all_inputs(W8A8)
    truth = exact(values, W8A8)
    errors = {bits: np.abs(by_wide_table(values, bits, W8A8) - truth).max() for bits in range(4, 9)}
    bar = np.abs(gelu(values, W8A8) - truth).max()
    chosen = step_bits_of_equal_error(W8A8)
    assert errors[chosen] <= bar < errors[chosen - 1]
    assert np.abs(by_polynomial(values, W8A8) - truth).max() < 0.02 * 2**W8A8.gelu_fraction


@pytest.mark.slow
@pytest.mark.parametrize("top", ["ablation_gelu_table", "ablation_gelu_polynomial"])
def test_the_units_that_are_synthesised_compute(top: str) -> None:
    check_unit(top)


def test_area_of_more_modules() -> None:
    area = Area({"exponential": (4, {"LUT": 100.0, "DSP": 0.0}), "dot_product": (8, {"LUT": 8.0, "DSP": 8.0})})
    assert area.times("exponential", 2) == {"LUT": 50.0, "DSP": 0.0}
