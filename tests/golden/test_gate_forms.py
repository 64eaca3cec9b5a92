"""Forms of gates beyond softmax of W·LN2(x): bias, window, scores of the chosen experts alone, input of the block."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.program import ProgramError
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.memory import gate_bytes, pack_gate, unpack_gate, unpack_gate_bias
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.precision import GATE_BIAS_LIMIT, MAX_WIDTH, W8A8, WIDE_LIMIT, Precision
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded
from edgemoe_golden.model.checkpoint import load_checkpoint_model
from edgemoe_golden.model.maps import task_output
from edgemoe_golden.model.variant import MASKED
from edgemoe_golden.ops.gate import gate, gate_logits, gate_scores, top_k_experts
from sim.common.random_checkpoint import random_checkpoint
from sim.common.shapes import shape
from tests.examples.equality import require_golden_values
from tests.examples.program import plain_calibration, random_tensors

CONFIG = load_model_config("micro")
TASKS = [task.name for task in CONFIG.tasks]
SHAPES = ("wide_tokens_pairs", "gate_forms", "gate_forms_fine")
FORMS = {
    "biased": (True, False, False),
    "renormalised": (False, True, False),
    "both": (True, True, False),
    "ahead": (False, False, True),
    "ahead, both": (True, True, True),
}


def config_of(biased: bool, renormalised: bool, ahead: bool = False) -> ModelConfig:
    return replace(CONFIG, gate_bias=biased, renormalised_scores=renormalised, gate_input_ahead=ahead)


def model_of(config: ModelConfig, precision: Precision, wide: tuple[str, ...] = ()) -> QuantisedModel:
    """Random weights; biases as large as logits are, one expert of the second task beyond its window."""
    tensors = random_tensors(config)
    rng = np.random.default_rng(11)
    for name in tensors:
        if ".mlp.gate." in name and name.endswith(".bias"):
            tensors[name] = rng.normal(0, 1, tensors[name].shape).astype(np.float32)
            if ".gate.1." in name:
                tensors[name][0] = MASKED
    return quantise(config, tensors, replace(plain_calibration(config), wide=wide), precision)


def test_a_logit_with_the_largest_bias_and_products_fits_the_hardware_s_42_bits() -> None:
    assert WIDE_LIMIT**2 * MAX_WIDTH + GATE_BIAS_LIMIT < 1 << 41


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("experts", [1, 3, 8, 9])
def test_weights_and_bias_come_back_from_the_stream(name: str, experts: int) -> None:
    hardware, rng = shape(name), np.random.default_rng(experts)
    weight = rng.integers(-WIDE_LIMIT, WIDE_LIMIT, (experts, 32), endpoint=True)
    bias = rng.integers(-GATE_BIAS_LIMIT, GATE_BIAS_LIMIT, experts)
    bias[0] = -GATE_BIAS_LIMIT
    payload = pack_gate(weight, hardware, bias)
    assert payload.size == gate_bytes(experts, 32, hardware, biased=True)
    assert np.array_equal(unpack_gate(payload, experts, 32, hardware, biased=True), weight)
    assert np.array_equal(unpack_gate_bias(payload, experts, hardware), bias)


def test_renormalised_scores_are_shares_of_the_chosen_experts() -> None:
    """Two logits an octave apart: 2/3 and 1/3, whatever the third one is; alone, all of it."""
    octave = 1 << 12
    logits = np.array([[0, octave, octave // 2]])
    chosen = top_k_experts(logits, 2)
    scores = gate_scores(np.array([[0, octave, -40 * octave]]), np.array([[1, 0]]), 1, 0, renormalise=True)
    assert chosen.tolist() == [[1, 2]]
    assert [abs(Fraction(score, 1 << 16) - share) < Fraction(1, 1 << 14) for score, share in zip(
        scores[0].tolist(), (Fraction(2, 3), Fraction(1, 3)), strict=True)] == [True, True]  # fmt: skip
    assert gate_scores(logits, np.array([[1]]), 1, 0, renormalise=True).tolist() == [[65535]]


@pytest.mark.parametrize("seed", range(3))
def test_an_expert_outside_the_window_is_never_chosen_and_counts_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weight = rng.integers(-WIDE_LIMIT, WIDE_LIMIT, (40, 64)), rng.integers(-WIDE_LIMIT, WIDE_LIMIT, (6, 64))
    inside = np.array([1, 3, 4])
    bias = np.full(6, -GATE_BIAS_LIMIT)
    bias[inside] = 0
    grid = 2, 40000, 34
    chosen, scores = gate(values, weight, *grid, bias)
    expected, alone = gate(values, weight[inside], *grid)
    assert np.array_equal(chosen, inside[expected])
    assert np.array_equal(scores, alone)


@pytest.mark.parametrize(
    "shape_name", [SHAPES[0], *(pytest.param(each, marks=pytest.mark.slow) for each in SHAPES[1:])]
)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_forms_equal_golden_in_every_stored_value(shape_name: str, form: str, engine: str) -> None:
    hardware = shape(shape_name)
    model = model_of(config_of(*FORMS[form]), hardware.numbers)
    program = compile_model(model, TASKS, hardware, trace=True)
    require_golden_values(program, engine)


def test_the_forms_change_who_is_chosen_and_what_scores_sum_to() -> None:
    """Else the test above would compare what every build does."""
    rng = np.random.default_rng(5)
    rows = rng.integers(-WIDE_LIMIT, WIDE_LIMIT, (50, CONFIG.width))
    block = CONFIG.moe_blocks[0]
    found = {}
    for form, (biased, renormalised, _) in list(FORMS.items())[:3]:
        mlp = model_of(config_of(biased, renormalised), W8A8).blocks[block].mlp
        own = mlp.gates[1]  # type: ignore[union-attr]
        found[form] = gate(rows, own.weight, CONFIG.top_k, own.multiplier, own.shift, own.bias, renormalised)
    assert not np.array_equal(found["biased"][0], found["renormalised"][0])
    assert 0 not in found["both"][0]
    sums = {form: scores.sum(axis=1) for form, (_, scores) in found.items()}
    assert np.abs(sums["both"] - (1 << 16)).max() <= CONFIG.top_k
    assert (sums["biased"] < (1 << 16) - 100).any()
    assert gate_logits(rows, own.weight).shape == (50, CONFIG.experts)


@pytest.mark.parametrize("task", range(len(TASKS)))
def test_gates_ahead_read_the_upper_bits_of_their_block_s_input(task: int) -> None:
    """Of all tasks together, and of one alone: routing is that of plain function calls."""
    model = model_of(config_of(False, False, ahead=True), W8A8)
    for tasks in (TASKS, TASKS[task : task + 1]):
        program = compile_model(model, tasks, shape("gate_forms"))
        frame = np.random.default_rng(4).integers(0, 256, (CONFIG.image_height, CONFIG.image_width, 3), dtype=np.uint8)
        with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
            result = session.run(frame)
        residual = embedded(model, frame)
        for index, block in enumerate(model.blocks):
            done = IntegerBlock(block, model.config, W8A8).run(residual, task)
            residual = done.residual
            if done.chosen is not None:
                assert np.array_equal(result.routing[TASKS[task]][index][0], done.chosen), f"{tasks}, block {index}"


@pytest.mark.parametrize(("hardware", "least"), [("gate_forms", 30.0), ("gate_forms_fine", 70.0)])
def test_gates_ahead_follow_the_float_model(hardware: str, least: float, tmp_path: Path) -> None:
    """Signal over error of every task's output, in dB; with LayerNorm 2 in its place, W16A16 has 42 at most."""
    config = config_of(False, False, ahead=True)
    program = compile_checkpoint(random_checkpoint(config, tmp_path), None, shape(hardware))
    frame = np.random.default_rng(4).integers(0, 256, (CONFIG.image_height, CONFIG.image_width, 3), dtype=np.uint8)
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        result = session.run(frame)
    model = load_checkpoint_model(tmp_path)
    for task in TASKS:
        with torch.inference_mode():
            exact = task_output(model(torch.from_numpy(frame)[None], task), model.config, task)[0].numpy()
        decibels = 10 * np.log10((exact**2).sum() / ((result.outputs[task] - exact) ** 2).sum())
        assert decibels >= least, f"{task}: {decibels:.1f} dB"


@pytest.mark.parametrize("engine", ["csim"])
def test_layernorm_1_of_16_bits_follows_its_gates(engine: str) -> None:
    """GATE_INPUT holds one thing at a time: the residual stream for the gates, then tokens for QKV."""
    hardware, index = shape("wide_tokens_pairs"), CONFIG.moe_blocks[0]
    wide = tuple(f"blocks.{index}.{part}" for part in ("norm1", "attention", "norm2"))
    program = compile_model(model_of(config_of(False, False, ahead=True), W8A8, wide), TASKS, hardware, trace=True)
    own = [label for label in program.manifest.labels if label.startswith(f"block {index} norm1")]
    assert own == [f"block {index} norm1", f"block {index} norm1 of 16 bits"]
    require_golden_values(program, engine)


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ("biased", "gates with a bias"),
        ("renormalised", "scores that sum to 1"),
        ("ahead", "gates that read the input of their block"),
    ],
)
def test_a_build_without_them_says_so(form: str, what: str) -> None:
    with pytest.raises(ProgramError, match=f'{what}.*"gate_forms": true'):
        compile_model(model_of(config_of(*FORMS[form]), W8A8), TASKS, load_hardware_config("micro"))
