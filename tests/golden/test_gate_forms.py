"""Forms of gates beyond softmax of W·x: a bias per expert, windows of experts, scores of the chosen ones alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import ProgramError
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.memory import gate_bytes, pack_gate, unpack_gate, unpack_gate_bias
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.precision import GATE_BIAS_LIMIT, MAX_WIDTH, W8A8, WIDE_LIMIT, Precision
from edgemoe_golden.model.variant import MASKED
from edgemoe_golden.ops.gate import gate, gate_logits, gate_scores, top_k_experts
from sim.common.shapes import shape
from tests.examples.equality import require_golden_values
from tests.examples.program import plain_calibration, random_tensors

CONFIG = load_model_config("micro")
TASKS = [task.name for task in CONFIG.tasks]
SHAPES = ("wide_tokens_pairs", "gate_forms", "gate_forms_fine")
FORMS = {"biased": (True, False), "renormalised": (False, True), "both": (True, True)}


def config_of(biased: bool, renormalised: bool) -> ModelConfig:
    return replace(CONFIG, gate_bias=biased, renormalised_scores=renormalised)


def model_of(config: ModelConfig, precision: Precision) -> QuantisedModel:
    """Random weights; biases as large as logits are, one expert of the second task beyond its window."""
    tensors = random_tensors(config)
    rng = np.random.default_rng(11)
    for name in tensors:
        if ".mlp.gate." in name and name.endswith(".bias"):
            tensors[name] = rng.normal(0, 1, tensors[name].shape).astype(np.float32)
            if ".gate.1." in name:
                tensors[name][0] = MASKED
    return quantise(config, tensors, plain_calibration(config), precision)


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
    for form, (biased, renormalised) in FORMS.items():
        mlp = model_of(config_of(biased, renormalised), W8A8).blocks[block].mlp
        own = mlp.gates[1]  # type: ignore[union-attr]
        found[form] = gate(rows, own.weight, CONFIG.top_k, own.multiplier, own.shift, own.bias, renormalised)
    assert not np.array_equal(found["biased"][0], found["renormalised"][0])
    assert 0 not in found["both"][0]
    sums = {form: scores.sum(axis=1) for form, (_, scores) in found.items()}
    assert np.abs(sums["both"] - (1 << 16)).max() <= CONFIG.top_k
    assert (sums["biased"] < (1 << 16) - 100).any()
    assert gate_logits(rows, own.weight).shape == (50, CONFIG.experts)


@pytest.mark.parametrize(("form", "what"), [("biased", "gates with a bias"), ("renormalised", "scores that sum to 1")])
def test_a_build_without_them_says_so(form: str, what: str) -> None:
    with pytest.raises(ProgramError, match=f'{what}.*"gate_forms": true'):
        compile_model(model_of(config_of(*FORMS[form]), W8A8), TASKS, load_hardware_config("micro"))
