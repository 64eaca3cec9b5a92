"""Activations of 16 bits and weights of 4 in a W8A8 build: exact sums, right places, equal on device and function."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.fits import DoesNotFitError, limits, require_fit
from edgemoe.compiler.program import Program, ProgramError
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.devices.base import DeviceError
from edgemoe.devices.registry import open_device
from edgemoe.frames import read_rows
from edgemoe.session import Session
from edgemoe.spec.calibration import Calibration, is_inner, mixable_activations, mixable_layers
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import OPTIONS, Buffer, Opcode
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.precision import W8A8, WIDE_LIMIT
from edgemoe.spec.strict import ConfigError
from edgemoe_golden.budget.cost import frame_cycles
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded, head_output
from edgemoe_golden.ops.attention import attention_scores
from edgemoe_golden.ops.linear import accumulate, digits, prepare_linear
from sim.common.shapes import shape
from tests.examples.equality import require_golden_values
from tests.examples.program import plain_calibration, random_tensors, write_checkpoint

CONFIG = load_model_config("micro")
TASKS = [task.name for task in CONFIG.tasks]
ACTIVATIONS, LAYERS = mixable_activations(CONFIG), mixable_layers(CONFIG)


def slow(value: str) -> ParameterSet:
    """For a build of its own."""
    return pytest.param(value, marks=pytest.mark.slow)


def mixed_hardware(name: str = "micro", **changes: object) -> HardwareConfig:
    options = dict.fromkeys(OPTIONS, True)
    return replace(load_hardware_config(name), **{**options, **changes})  # type: ignore[arg-type]


def with_widths(wide: list[str], narrow: list[str], config: ModelConfig = CONFIG) -> Calibration:
    return replace(plain_calibration(config), wide=tuple(wide), narrow=tuple(narrow))


def mixed_model(wide: list[str], narrow: list[str], config: ModelConfig = CONFIG) -> QuantisedModel:
    return quantise(config, random_tensors(config), with_widths(wide, narrow, config), W8A8)


def test_every_wide_value_is_two_signed_digits() -> None:
    values = np.arange(-WIDE_LIMIT, WIDE_LIMIT + 1)
    high, low = digits(values)
    assert np.array_equal(256 * high + low, values)
    assert (high.min(), high.max(), low.min(), low.max()) == (-127, 127, -128, 127)


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_of_wide_values_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([-WIDE_LIMIT, -1, 0, 1, WIDE_LIMIT, 12345], (5, 4096))
    weights = rng.choice([-127, 127, 5], (3, 4096))
    zeros = np.zeros(3, dtype=np.int64)
    prepared = prepare_linear(LinearWeights(weights, zeros + 7, zeros, zeros), W8A8)
    exact = [[7 + sum(int(v) * int(w) for v, w in zip(row, own, strict=True)) for own in weights] for row in values]
    assert accumulate(values, prepared, W8A8, wide=True).tolist() == exact


def test_scores_of_wide_queries_and_keys_are_exact_at_the_extremes() -> None:
    rows = np.full((2, 64), WIDE_LIMIT)
    rows[1] = -WIDE_LIMIT
    scores = attention_scores(rows, rows, 1, 1 << 15, 27, W8A8, wide=True)
    top = 64 * WIDE_LIMIT**2
    expected = [min(max((sign * top * 2**15 + 2**26) >> 27, -(2**15)), 2**15 - 1) for sign in (1, -1)]
    assert scores[0].tolist() == [expected, expected[::-1]]


def traced(model: QuantisedModel, tasks: list[str], hardware: HardwareConfig) -> tuple[Program, np.ndarray, np.ndarray]:
    """(program, frame, output region) of one random frame on the golden device, every buffer stored."""
    program = compile_model(model, tasks, hardware, trace=True)
    shape = (CONFIG.image_height, CONFIG.image_width, 3)
    frame = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    with open_device("golden", hardware) as device, Session(program, device) as session:
        return program, frame, session.run_raw(frame).copy()


def subsets(seed: int) -> tuple[list[str], list[str]]:
    """Half of everything that can be mixed, drawn by `seed`; all of it for seed 0."""
    rng = np.random.default_rng(seed)
    pick = [[name for name in names if seed == 0 or rng.random() < 0.5] for names in (ACTIVATIONS, LAYERS)]
    return pick[0], pick[1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("task", range(len(TASKS)))
def test_the_golden_device_equals_plain_function_calls_whatever_is_mixed(seed: int, task: int) -> None:
    model = mixed_model(*subsets(seed))
    program, frame, region = traced(model, [TASKS[task]], mixed_hardware())
    residual = embedded(model, frame)
    for block in model.blocks:
        residual = IntegerBlock(block, CONFIG, W8A8).run(residual, task).residual
    last = [record for record in program.manifest.trace if record.buffer == Buffer.RESIDUAL.name][-1]
    stored = read_rows(region, last.address, last.rows, last.features, last.value_type(program.manifest.hardware))
    assert np.array_equal(stored, residual), f"widths of seed {seed}: {subsets(seed)}"
    (output,) = program.manifest.outputs
    values = read_rows(region, output.address, output.rows, output.features, "<i2") * output.scale
    assert np.array_equal(values, head_output(model, TASKS[task], residual))


def test_one_task_alone_and_both_together_give_the_same_integers() -> None:
    model, hardware = mixed_model(*subsets(3)), mixed_hardware()
    together = traced(model, TASKS, hardware)
    for task in TASKS:
        alone = traced(model, [task], hardware)
        outputs = []
        for program, _, region in (together, alone):
            record = next(each for each in program.manifest.outputs if each.task == task)
            outputs.append(read_rows(region, record.address, record.rows, record.features, "<i2").copy())
        assert np.array_equal(*outputs)


@pytest.mark.parametrize(
    "change", [{}, {"token_par": 8}, {"in_par": 16, "out_par": 16, "post_lanes": 16}, {"ports": 4}]
)
def test_mixed_results_do_not_depend_on_the_shape_of_the_hardware(change: dict[str, int]) -> None:
    model = mixed_model(*subsets(2))
    expected = traced(model, TASKS[:1], mixed_hardware())[2]
    assert np.array_equal(traced(model, TASKS[:1], mixed_hardware(**change))[2], expected)


def test_each_width_reaches_the_instructions_that_it_concerns() -> None:
    """name → the instructions whose fields differ from the plain program's."""
    plain = compile_model(mixed_model([], []), TASKS[:1], mixed_hardware()).instructions
    fields = ("source", "wide_source", "wide_result", "narrow_weights", "gate_copy")

    def changed(wide: list[str], narrow: list[str]) -> set[tuple[str, str]]:
        other = compile_model(mixed_model(wide, narrow), TASKS[:1], mixed_hardware()).instructions
        pairs = zip(plain, other, strict=True)
        return {(b.opcode.name, name) for a, b in pairs for name in fields if getattr(a, name) != getattr(b, name)}

    reads = {("LINEAR", "source"), ("LINEAR", "wide_source")}
    assert changed(["blocks.0.norm1"], []) == reads | {("LAYERNORM", "gate_copy")}
    assert changed(["blocks.0.qkv"], []) == {("LINEAR", "wide_result"), ("ATTENTION", "wide_source")}
    assert changed(["blocks.0.attention"], []) == reads | {("ATTENTION", "wide_result")}
    assert changed(["blocks.1.norm2"], []) == {("EXPERTS", "wide_source")}  # the gate's copy is there already
    assert changed(["blocks.1.hidden"], []) == {("EXPERTS", "wide_result")}
    assert changed(["heads.depth.norm"], []) == set()  # another task's head
    head = {("LAYERNORM", "gate_copy"), ("HEAD", "wide_source")}
    assert changed([f"heads.{TASKS[0]}.norm"], []) == head
    assert changed([], ["patch_embed"]) == {("PATCH_EMBED", "narrow_weights")}
    assert changed([], ["blocks.1.experts"]) == {("EXPERTS", "narrow_weights")}


def test_narrow_weights_halve_what_memory_delivers() -> None:
    hardware = mixed_hardware("zcu102")
    sizes = [compile_model(mixed_model([], names), TASKS[:1], hardware).stream.size for names in ([], LAYERS)]
    assert 0.45 < sizes[1] / sizes[0] < 0.75  # position table, norms, gates and channel records stay


def test_wide_activations_cost_cycles_and_narrow_weights_none() -> None:
    model, hardware = mixed_model([], []), mixed_hardware("zcu102")
    plain = frame_cycles(model, TASKS[:1], hardware)
    assert frame_cycles(model, TASKS[:1], hardware, wide=ACTIVATIONS) > plain
    assert frame_cycles(model, TASKS[:1], hardware, narrow=LAYERS) <= plain


def test_hardware_that_cannot_mix_refuses_the_model_in_words() -> None:
    plain = load_hardware_config("micro")
    with pytest.raises(ProgramError, match="1 inner activations of 16 bits, which hardware 'micro' does not"):
        compile_model(mixed_model(["blocks.0.hidden"], []), TASKS[:1], plain)
    with pytest.raises(ProgramError, match=r'1 layers with weights of 4 bits.*"narrow_weights": true'):
        compile_model(mixed_model([], ["blocks.0.fc1"]), TASKS[:1], replace(plain, wide_tokens=True))


def test_w16a16_has_no_use_for_widths_and_takes_the_model_as_it_is() -> None:
    hardware = load_hardware_config("micro_w16a16")
    tensors, own = random_tensors(CONFIG), with_widths(ACTIVATIONS, LAYERS)
    programs = [
        compile_model(quantise(CONFIG, tensors, each, hardware.numbers), TASKS, hardware)
        for each in (own, with_widths([], []))
    ]
    assert np.array_equal(programs[0].stream, programs[1].stream)
    with pytest.raises(ConfigError, match="narrow_weights: for precision w8a8, found w16a16"):
        replace(hardware, narrow_weights=True)
    with pytest.raises(ConfigError, match="wide_inner needs wide_tokens"):
        replace(load_hardware_config("micro"), wide_inner=True)


def test_w16a16_needs_no_room_for_widths(tmp_path: Path) -> None:
    folder, hardware = write_checkpoint(tmp_path / "model"), load_hardware_config("micro_w16a16")
    path = folder / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"wide": ACTIVATIONS}))
    tight = replace(hardware, row_elements=hardware.room(CONFIG.tokens, CONFIG.width))
    with pytest.raises(DoesNotFitError, match="QUERY, KEY and VALUE of 16 bits"):
        require_fit(CONFIG, tuple(TASKS[:1]), tight, ACTIVATIONS)
    assert compile_checkpoint(folder, TASKS[:1], tight).manifest.tasks == (TASKS[0],)


def test_a_width_that_does_not_fit_is_refused_with_its_numbers() -> None:
    hardware = mixed_hardware(streaming=False)
    tight = replace(hardware, row_elements=hardware.room(CONFIG.tokens, CONFIG.width) + hardware.token_par * 16)
    require_fit(CONFIG, tuple(TASKS[:1]), tight)
    with pytest.raises(DoesNotFitError, match="QUERY, KEY and VALUE of 16 bits"):
        require_fit(CONFIG, tuple(TASKS[:1]), tight, ["blocks.0.qkv"])
    hidden = "HIDDEN (all tokens at one expert × expert hidden width)"
    needs = [
        next(needed for what, needed, *_ in limits(CONFIG, ("semseg",), hardware, wide) if what == hidden)
        for wide in ([], ["blocks.1.hidden"])
    ]
    assert needs[1] == 2 * needs[0]


def test_calibrations_name_only_what_there_is_and_only_once(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    path = folder / "calibration.json"
    own = json.loads(path.read_text())
    for key, names, message in (
        ("wide", ["blocks.9.hidden"], "model 'micro' has no 'blocks.9.hidden'"),
        ("narrow", ["blocks.0.hidden"], "narrow: model 'micro' has no 'blocks.0.hidden'"),
        ("wide", ["blocks.0.hidden", "blocks.0.hidden"], "wide names something twice"),
    ):
        path.write_text(json.dumps(own | {key: names}))
        with pytest.raises(ConfigError, match=message):
            compile_checkpoint(folder, None, mixed_hardware())
    path.write_text(json.dumps(own | {"wide": ["blocks.0.hidden"], "narrow": ["blocks.1.experts"]}))
    program = compile_checkpoint(folder, TASKS[:1], mixed_hardware())
    assert any(i.wide_result for i in program.instructions if i.opcode == Opcode.LINEAR)
    assert all(i.narrow_weights for i in program.instructions if i.opcode == Opcode.EXPERTS)


@pytest.mark.parametrize("engine", ["csim", "rtl"])
@pytest.mark.parametrize("shape_name", ["wide_tokens_pairs", slow("narrow"), slow("narrow_tiles")])
def test_narrow_weights_equal_golden_in_every_stored_value(shape_name: str, engine: str) -> None:
    """Two tiles of them in a line of the stream, and two lines for one tile."""
    model, hardware = mixed_model([], subsets(1)[1]), shape(shape_name)
    program = compile_model(model, TASKS, hardware, trace=True)
    require_golden_values(program, engine)


TOKENS = [name for name in ACTIVATIONS if not is_inner(name)]


@pytest.mark.parametrize("engine", ["csim", "rtl"])
@pytest.mark.parametrize("shape_name", ["wide_tokens_pairs", slow("wide_tokens")])
@pytest.mark.parametrize("part", ["norm1", "attention", "norm2", "heads", ""])
def test_wide_tokens_equal_golden_in_every_stored_value(shape_name: str, part: str, engine: str) -> None:
    """Each kind alone, and all of them together."""
    hardware = shape(shape_name)
    narrow = LAYERS if hardware.narrow_weights else []
    model = mixed_model([name for name in TOKENS if part in name], narrow)
    program = compile_model(model, TASKS, hardware, trace=True)
    require_golden_values(program, engine)


@pytest.mark.parametrize("engine", ["csim"])
@pytest.mark.parametrize("shape_name", ["wide_inner_pairs", slow("wide_inner")])
@pytest.mark.parametrize("part", ["qkv", "hidden", ""])
def test_wide_inner_activations_equal_golden_in_every_stored_value(shape_name: str, part: str, engine: str) -> None:
    """Queries, keys and values, or hidden layers, alone; and everything that can be mixed."""
    hardware = shape(shape_name)
    narrow = LAYERS if hardware.narrow_weights else []
    model = mixed_model([name for name in ACTIVATIONS if part in name], narrow)
    program = compile_model(model, TASKS, hardware, trace=True)
    require_golden_values(program, engine)


@pytest.mark.parametrize("engine", ["csim"])
def test_a_wide_head_of_several_output_tiles_equals_golden_in_every_stored_value(engine: str) -> None:
    """64 features of one head, four tiles of outputs, each of two digits."""
    hardware, config = shape("wide_inner_pairs"), replace(CONFIG, heads=1, width=64)
    assert config.head_width == 4 * hardware.out_par
    model = mixed_model([name for name in ACTIVATIONS if "qkv" in name], [], config)
    require_golden_values(compile_model(model, TASKS, hardware, trace=True), engine)


@pytest.mark.parametrize(("engine", "option"), [("rtl", "wide_inner")])
def test_an_engine_without_an_option_says_so_before_anything_is_built(engine: str, option: str) -> None:
    hardware = replace(load_hardware_config("micro"), wide_tokens=True, **{option: True})
    with pytest.raises(
        DeviceError, match=f"engine '{engine}' does not take hardware 'micro', 'golden' does: .*{option}"
    ):
        open_device(engine, hardware)
