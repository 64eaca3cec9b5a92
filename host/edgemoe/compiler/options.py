"""What a model needs beside room: options of the build, for activation functions, forms of gates, and widths."""

from __future__ import annotations

from edgemoe.compiler.program import ProgramError
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.calibration import is_inner
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.isa import ACTIVATIONS, GATE_FORMS, NARROW_WEIGHTS, WIDE_INNER, WIDE_TOKENS

WITHOUT_TABLES = ("gelu", "gelu_tanh")
"""Activation functions that GELU's table of δ serves: tanh GELU differs from it by less than 0.0005."""


def require_options(model: QuantisedModel, hardware: HardwareConfig) -> None:
    """Raise ProgramError for an activation function, gates or widths that this build does not take."""
    config, calibrate = model.config, ", or calibrate the model without a budget"
    inner = [name for name in model.wide if is_inner(name)]
    tokens = [name for name in model.wide if not is_inner(name)]
    needs = (
        (ACTIVATIONS, config.activation not in WITHOUT_TABLES, f"activation function '{config.activation}'", ""),
        (GATE_FORMS, config.gate_bias, "gates with a bias", ""),
        (GATE_FORMS, config.renormalised_scores, "scores that sum to 1", ""),
        (GATE_FORMS, config.gate_input_ahead, "gates that read the input of their block", ""),
        (WIDE_TOKENS, bool(tokens), f"{len(tokens)} activations of 16 bits", calibrate),
        (WIDE_INNER, bool(inner), f"{len(inner)} inner activations of 16 bits", calibrate),
        (NARROW_WEIGHTS, bool(model.narrow), f"{len(model.narrow)} layers with weights of 4 bits", calibrate),
    )
    for option, needed, what, instead in needs:
        if needed and option not in hardware.options:
            raise ProgramError(
                f"model '{config.name}' has {what}, which hardware '{hardware.name}' does not take; choose a build "
                f'with "{option}": true{_shipped(option, hardware.precision)}{instead}'
            )


def _shipped(option: str, precision: str) -> str:
    """Shipped builds that have it, as an aside."""
    builds = [load_hardware_config(name) for name in hardware_names()]
    names = [each.name for each in builds if option in each.options and each.precision == precision]
    return f" ({', '.join(names)})" if names else ""
