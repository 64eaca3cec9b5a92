"""Activation functions as tables of δ: GELU by erf and tanh, quick GELU, ReLU; equal on golden and the RTL."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import ProgramError
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Activation, Epilogue, Opcode
from edgemoe.spec.model import load_model_config
from edgemoe.spec.precision import PRECISIONS, Precision
from edgemoe.spec.tables import delta_table, delta_tables
from edgemoe_golden.ops.gelu import gelu
from sim.common.shapes import shape
from tests.examples.equality import require_golden_values
from tests.examples.program import plain_calibration, random_tensors

CONFIG = load_model_config("micro")
TASKS = [task.name for task in CONFIG.tasks]
EXACT: dict[Activation, Callable[[float], float]] = {
    Activation.GELU: lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    Activation.GELU_TANH: lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    Activation.QUICK_GELU: lambda x: x / (1 + math.exp(-1.702 * x)),
    Activation.RELU: lambda x: max(x, 0.0),
}
# Nearest entry: half a step of 1/64 times the largest slope of δ, 1/2, and half an LSB. Interpolated: (1/64)²/8 times
# the largest second derivative of δ, quick GELU's 0.86, and two roundings of 2^-17.
LARGEST_ERROR = {"w8a8": 0.0044, "w16a16": 4.2e-5}


def model_with(activation: str, precision: Precision) -> QuantisedModel:
    config = replace(CONFIG, activation=activation)
    return quantise(config, random_tensors(config), plain_calibration(config), precision)


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("activation", Activation, ids=lambda each: each.name)
def test_every_function_is_within_its_bound_of_float64(activation: Activation, precision: Precision) -> None:
    """Over the whole format: every seventh value, and all at the far end of the table."""
    one = 1 << precision.gelu_fraction
    limit, end = 1 << (precision.gelu_bits - 1), precision.activation_entries * one // 64
    values = np.concatenate(
        [np.arange(-limit, limit, 7), np.arange(-end - 40, -end + 40), np.arange(end - 40, end + 40)]
    )
    exact = np.array([EXACT[activation](value / one) for value in values.tolist()])
    assert np.abs(gelu(values, precision, activation) / one - exact).max() <= LARGEST_ERROR[precision.name]


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=lambda each: each.name)
def test_tables_end_where_delta_has_vanished_and_gelu_s_shorter_one_is_the_same_function(precision: Precision) -> None:
    size = precision.activation_entries + int(precision.fine)
    tables = delta_tables(precision).reshape(len(Activation), size)
    assert not tables[:, -2:].any()
    assert (
        tables[Activation.GELU, : len(delta_table(precision, Activation.GELU))].tolist()
        == delta_table(precision, Activation.GELU).tolist()
    )
    assert not tables[Activation.RELU].any()
    a = np.arange(precision.gelu_entries, precision.activation_entries) / 64
    beyond = [x * 0.5 * math.erfc(x / math.sqrt(2)) * 2**precision.gelu_fraction for x in a.tolist()]
    assert max(beyond) < 0.5


@pytest.mark.parametrize("engine", ["csim", "rtl"])
@pytest.mark.parametrize(
    "shape_name",
    [
        "wide_tokens_pairs",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("activations", "activations_fine")),
    ],
)
@pytest.mark.parametrize("activation", Activation, ids=lambda each: each.name)
def test_every_function_equals_golden_in_every_stored_value(
    shape_name: str, activation: Activation, engine: str
) -> None:
    hardware = shape(shape_name)
    program = compile_model(model_with(activation.name.lower(), hardware.numbers), TASKS, hardware, trace=True)
    hidden = [
        i.activation
        for i in program.instructions
        if i.opcode == Opcode.EXPERTS or (i.opcode == Opcode.LINEAR and i.epilogue == Epilogue.GELU)
    ]
    assert set(hidden) == {activation}
    require_golden_values(program, engine)


def with_tables(on: bool) -> HardwareConfig:
    return replace(load_hardware_config("micro"), activations=on)


@pytest.mark.parametrize("activation", ["quick_gelu", "relu"])
def test_a_build_without_tables_says_which_activation_functions_it_has(activation: str) -> None:
    model = model_with(activation, with_tables(False).numbers)
    with pytest.raises(ProgramError, match=f"activation function '{activation}'.*\"activations\": true"):
        compile_model(model, TASKS, with_tables(False))
    compile_model(model, TASKS, with_tables(True))


def test_tanh_gelu_uses_gelu_s_table_where_a_build_has_no_other() -> None:
    model = model_with("gelu_tanh", with_tables(False).numbers)
    used = {
        on: {i.activation for i in compile_model(model, TASKS, with_tables(on)).instructions} for on in (False, True)
    }
    assert used == {False: {Activation.GELU}, True: {Activation.GELU, Activation.GELU_TANH}}
