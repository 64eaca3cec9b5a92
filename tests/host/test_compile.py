"""Compiling: what does not fit is refused with its numbers, what is wrong by name; the schedule is as designed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.integers import QuantiseError
from edgemoe.compiler.program import ProgramError
from edgemoe.compiler.quantise import quantise
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.calibration import is_inner, mixable_activations
from edgemoe.spec.checkpoint import CALIBRATION_FILE, CheckpointError
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.isa import Opcode
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import ConfigError, to_dict
from tests.examples.program import plain_calibration, random_tensors, small_program, write_checkpoint


def test_small_does_not_fit_a_zcu102_and_the_numbers_say_why() -> None:
    config = load_model_config("small")
    with pytest.raises(DoesNotFitError) as refused:
        require_fit(config, ("semseg",), load_hardware_config("zcu102"))
    lines = str(refused.value).splitlines()
    assert lines[0] == "model 'small' does not fit hardware 'zcu102':"
    assert "  rows of any buffer (tasks × tokens): needs 1,201 rows, there are 258" in lines
    assert "  LayerNorm width: needs 384 features, there are 192" in lines
    assert any(line.startswith("  each of RESIDUAL, NORM") and "needs 463,872 elements" in line for line in lines)


@pytest.mark.parametrize("name", ["small", "small_pascal"])
def test_small_fits_a_u50_with_all_its_tasks(name: str) -> None:
    config = load_model_config(name)
    require_fit(config, tuple(task.name for task in config.tasks), load_hardware_config("u50"))


LIMITS = {
    "max_rows": ("rows of any buffer", 13),
    "max_tokens": ("keys of attention", 6),
    "max_width": ("LayerNorm width", 16),
    "row_elements": ("each of RESIDUAL", 15 * 32 - 32),
    "hidden_elements": ("HIDDEN (patches", 8 * 768 - 64),
    "max_experts": ("experts:", 3),
    "max_top_k": ("experts per token", 1),
    "prefetch_bytes": ("weight prefetch", 6144),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_alone_refuses_and_names_itself(limit: str) -> None:
    text, value = LIMITS[limit]
    config, hardware = load_model_config("micro"), load_hardware_config("micro")
    require_fit(config, ("semseg", "depth"), hardware)
    with pytest.raises(DoesNotFitError) as refused:
        require_fit(config, ("semseg", "depth"), replace(hardware, **{limit: value}))
    first, *lines = str(refused.value).splitlines()
    assert first == "model 'micro' does not fit hardware 'micro' for tasks semseg, depth together:"
    *problems, remedy = (line.strip() for line in lines)
    assert problems
    assert [line for line in problems if not line.startswith(text)] == []
    assert remedy.startswith("it fits ")
    assert "micro" in remedy.removeprefix("it fits ").split(", ")


def test_widths_of_parts_of_a_vector_are_refused() -> None:
    config = replace(load_model_config("micro"), width=48, heads=2)
    with pytest.raises(DoesNotFitError, match="head width 24: must be a multiple of 16"):
        require_fit(config, ("semseg",), load_hardware_config("micro"))


def test_compiling_tells_how_far_it_is() -> None:
    config, hardware = load_model_config("micro"), load_hardware_config("micro")
    model, told = quantise(config, random_tensors(config), plain_calibration(config), hardware.numbers), []
    compile_model(model, ("semseg",), hardware, progress=lambda done, all_of_them: told.append((done, all_of_them)))
    assert told == [(step, len(told)) for step in range(1, len(told) + 1)]
    assert len(told) > 10


def test_a_model_that_no_shape_holds_is_refused_with_that() -> None:
    config = replace(load_model_config("micro"), width=4096, heads=4)
    with pytest.raises(DoesNotFitError, match="no shipped shape in w8a8 holds it"):
        require_fit(config, ("semseg",), load_hardware_config("zcu102"))


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (("semseg", "normals"), "unknown task 'normals'; model 'micro' has semseg, depth"),
        (("semseg", "semseg"), "named once each"),
        ((), "at least one"),
    ],
)
def test_tasks_that_are_not_the_models_are_refused(tasks: tuple[str, ...], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        small_program(tasks)


def test_a_model_quantised_for_another_precision_is_refused() -> None:
    config = load_model_config("micro")
    fine = load_hardware_config("micro_w16a16")
    model = quantise(config, random_tensors(config), plain_calibration(config), fine.numbers)
    with pytest.raises(ProgramError, match="quantised for w16a16, hardware is w8a8"):
        compile_model(model, ["semseg"], load_hardware_config("micro"))


def test_nan_weights_are_refused_by_name(tmp_path: Path) -> None:
    width = load_model_config("micro").width
    folder = write_checkpoint(tmp_path / "model", backbone__blocks__1__norm2__bias=np.full(width, np.nan))
    with pytest.raises(CheckpointError, match=r"tensor 'backbone\.blocks\.1\.norm2\.bias' holds NaN"):
        compile_checkpoint(folder, None, load_hardware_config("micro"))


FACTORS = dict.fromkeys(("multiplier", "shift", "output_multiplier", "output_shift", "output_zero", "epsilon"), 0)


@pytest.mark.parametrize("moe_blocks", [(1,), (0, 1), ()])
def test_a_model_without_weights_gives_the_same_program_but_for_factors(moe_blocks: tuple[int, ...]) -> None:
    hardware = load_hardware_config("micro")
    config = replace(load_model_config("micro"), moe_blocks=moe_blocks)
    real = quantise(config, random_tensors(config), plain_calibration(config), hardware.numbers)
    programs = [compile_model(model, ("semseg", "depth"), hardware) for model in (real, hollow_model(config, hardware))]
    instructions = [[replace(i, **FACTORS) for i in program.instructions] for program in programs]
    assert instructions[0] == instructions[1]
    assert programs[0].stream.size == programs[1].stream.size
    assert programs[0].manifest.labels == programs[1].manifest.labels


def test_attention_is_named_by_its_task_from_where_tasks_part_on() -> None:
    hardware, config = load_hardware_config("micro"), replace(load_model_config("micro"), moe_blocks=(0,))
    program = compile_model(hollow_model(config, hardware), ("semseg", "depth"), hardware)
    attention = [label for label in program.manifest.labels if "attention" in label]
    assert attention == ["block 0 attention", "block 1 attention semseg", "block 1 attention depth"]


@pytest.mark.parametrize("name", ["micro", "micro_w16a16"])
def test_a_build_without_an_option_is_refused_with_those_that_have_it(name: str) -> None:
    config, hardware = replace(load_model_config("micro"), gate_bias=True), load_hardware_config(name)
    model = quantise(config, random_tensors(config), plain_calibration(config), hardware.numbers)
    shipped = [load_hardware_config(each) for each in hardware_names()]
    names = [each.name for each in shipped if each.gate_forms and each.precision == hardware.precision]
    there = f" ({', '.join(names)})" if names else ""
    with pytest.raises(ProgramError, match=re.escape(f'choose a build with "gate_forms": true{there}') + "$"):
        compile_model(model, ("semseg",), hardware)


def test_what_does_not_fit_is_refused_before_weights_are_quantised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Activations of 16 bits take twice the room, but not of a build in which all have 16."""
    config, hardware = load_model_config("micro"), load_hardware_config("micro")
    folder = write_checkpoint(tmp_path / "model")
    inner = tuple(name for name in mixable_activations(config) if is_inner(name))
    calibration = replace(plain_calibration(config), wide=inner)
    (folder / CALIBRATION_FILE).write_text(json.dumps(to_dict(calibration)), encoding="utf-8")

    def asked(*_: object) -> None:
        raise RuntimeError("weights are quantised")

    monkeypatch.setattr("edgemoe.compiler.compile.quantise", asked)
    rows = config.first_row + 2 * config.tokens
    room = replace(hardware, row_elements=hardware.room(rows, config.width), wide_tokens=True, wide_inner=True)
    with pytest.raises(DoesNotFitError, match=r"QUERY, KEY and VALUE of 16 bits"):
        compile_checkpoint(folder, None, room)
    fine = replace(load_hardware_config("micro_w16a16"), row_elements=room.row_elements)
    with pytest.raises(RuntimeError, match="weights are quantised"):
        compile_checkpoint(folder, None, fine)


def test_one_expert_is_enough(tmp_path: Path) -> None:
    """And one of its segments, one choice for each token, all with the score 1."""
    config = replace(load_model_config("micro"), experts=1, top_k=1)
    program = compile_checkpoint(write_checkpoint(tmp_path / "model", config), None, load_hardware_config("micro"))
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        result = session.run(np.zeros((config.image_height, config.image_width, 3), dtype=np.uint8))
    for by_block in result.routing.values():
        for experts, scores in by_block.values():
            assert (experts.tolist(), scores.tolist()) == ([[0]] * config.tokens, [[1 - 2**-16]] * config.tokens)
    assert (result.counters["experts_run"], result.counters["segments_dropped"]) == (1, 0)


@pytest.mark.parametrize("magnitude", [1e-12, 1e12])
def test_absurd_calibrated_ranges_are_refused(magnitude: float) -> None:
    config = load_model_config("micro")
    calibration = plain_calibration(config, magnitude)
    with pytest.raises(QuantiseError, match=r"range|scale|bits"):
        quantise(config, random_tensors(config), calibration, load_hardware_config("micro").numbers)


def test_a_calibration_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    path = folder / "calibration.json"
    config = load_model_config("micro")
    path.write_text(path.read_text(encoding="utf-8").replace(str(config.hash()), "1"), encoding="utf-8")
    with pytest.raises(ConfigError, match="made for another model"):
        compile_checkpoint(folder, None, load_hardware_config("micro"))


def test_the_prefix_before_the_first_experts_runs_once_and_experts_once_for_all_tasks() -> None:
    opcodes = [each.opcode for each in small_program().instructions]
    assert opcodes.count(Opcode.ATTENTION) == 2, "both blocks come before or at the first MoE block's gate"
    assert opcodes.count(Opcode.COPY) == 1
    assert opcodes.count(Opcode.GATE) == 2
    assert opcodes.count(Opcode.EXPERTS) == 1
    assert opcodes.count(Opcode.HEAD) == 2
    assert opcodes[-1] == Opcode.HALT


def test_a_dense_block_that_hidden_cannot_hold_runs_by_rows_with_the_same_integers(tmp_path: Path) -> None:
    config = replace(load_model_config("micro"), patch=8, mlp_ratio=8)
    folder, large = write_checkpoint(tmp_path / "model", config), load_hardware_config("micro")
    small = replace(large, hidden_elements=24 * config.patch_features)
    assert small.hidden_elements < config.tokens * config.mlp_hidden
    frame = np.random.default_rng(3).integers(0, 256, (config.image_height, config.image_width, 3), dtype=np.uint8)
    outputs, rows = [], []
    for hardware in (large, small):
        program = compile_checkpoint(folder, None, hardware)
        with open_device("golden", hardware) as device, Session(program, device) as session:
            outputs.append(session.run_raw(frame).copy())
        up = (i for i, label in zip(program.instructions, program.manifest.labels, strict=True) if "mlp up" in label)
        rows.append([(i.source_row, i.rows) for i in up])
    assert rows == [[(0, 25)], [(0, 16), (16, 9)]]
    assert np.array_equal(*outputs)


def test_tiny_takes_the_steps_of_the_array_that_the_design_counts() -> None:
    """DESIGN: tiled work of the 8×16×16 array on one task ≈ 450 k cycles, stream ≈ 19 MB."""
    config, hardware = load_model_config("tiny"), load_hardware_config("zcu102")
    model = quantise(config, random_tensors(config), plain_calibration(config), hardware.numbers)
    program = compile_model(model, ["semseg"], hardware)
    predicted = predicted_cycles(program)
    assert sum(each.mac for each in predicted) == pytest.approx(450_000, rel=0.05)
    assert program.stream.size == pytest.approx(19e6, rel=0.05)
    assert sum(each.stream_bytes for each in predicted) == program.stream.size


def test_predicted_cycles_cover_the_work_and_the_memory() -> None:
    program = small_program()
    hardware = program.manifest.hardware
    predicted = predicted_cycles(program)
    assert sum(each.stream_bytes for each in predicted) == program.stream.size
    assert all(each.cycles >= max(each.mac + each.wait, each.post) for each in predicted)
    assert sum(each.cycles for each in predicted) >= program.stream.size / hardware.bytes_per_cycle
    linear = [each.opcode for each in program.instructions].index(Opcode.LINEAR)
    assert predicted[linear].mac == -(-7 // 4) * (32 // 8) * (96 // 8)
