"""Rotation of the residual stream: the same network in another basis, for every form of model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.model import M3ViT, TensorRecorder
from edgemoe_golden.quantising.rotation import rotate, rotation

MICRO = load_model_config("micro")
DENSE = replace(MICRO, moe_blocks=())
FEATURES = TaskConfig("features", "features", MICRO.width)
FORMS = {
    "gates": MICRO,
    "gates with a bias": replace(MICRO, gate_bias=True),
    "gates on the block's input": replace(MICRO, gate_input_ahead=True),
    "dense": DENSE,
    "no prefix token": replace(DENSE, prefix_tokens=0),
    "five, features": replace(DENSE, prefix_tokens=5, tasks=(FEATURES,)),
}


def model_of(config: ModelConfig) -> M3ViT:
    """γ, β and biases of every size matter."""
    torch.manual_seed(8)
    model = M3ViT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def recorded(model: M3ViT, frames: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every activation in float64, of one task after the other."""
    found: dict[str, torch.Tensor] = {}
    for task in model.config.tasks:
        recorder = TensorRecorder()
        with torch.inference_mode():
            model.double()(frames, task.name, recorder)
        found |= {f"{task.name} {name}": value for name, value in recorder.values.items()}
    return found


@pytest.mark.parametrize("width", [24, 192, 384])
def test_the_basis_is_orthogonal_and_keeps_the_mean(width: int) -> None:
    turn = rotation(width)
    assert torch.allclose(turn @ turn.T, torch.eye(width, dtype=torch.double), atol=1e-12)
    assert torch.allclose(turn @ torch.ones(width, dtype=torch.double), torch.ones(width, dtype=torch.double))
    assert turn.abs().max() < 8 * width**-0.5, "every direction is a mixture"
    assert torch.equal(turn, rotation(width))


@pytest.mark.parametrize("form", FORMS)
def test_the_float_model_stays_what_it_was_in_another_basis(form: str, frames: torch.Tensor) -> None:
    """Gates choose the same, heads give the same, the stream is turned."""
    model = model_of(FORMS[form])
    expected, state = recorded(model, frames), dict(model.float().state_dict())
    rotate(model.config, state)
    model.load_state_dict(state)
    found, turn = recorded(model, frames), rotation(model.config.width)
    same = ("residual", "output", "gate.logits", "gate.experts", "query", "value", "attention", "hidden")
    for name, value in expected.items():
        if name.endswith(same) and not name.endswith("norm1.residual"):
            wanted = value @ turn if name.endswith("residual") else value
            if name.endswith("gate.logits"):  # of a softmax: what all experts have in common is lost
                wanted, found[name] = (each - each.mean(1, keepdim=True) for each in (wanted, found[name]))
            assert (found[name] - wanted).abs().max() <= 1e-5 * wanted.abs().max(), name


def test_a_gate_that_no_basis_can_serve_is_one_sentence() -> None:
    """γ 0 everywhere leaves β alone, which a gate without a bias has no other place for."""
    model = model_of(MICRO)
    state = dict(model.state_dict())
    name = f"backbone.blocks.{MICRO.moe_blocks[0]}.norm2"
    state[f"{name}.weight"] = torch.zeros(MICRO.width)
    with pytest.raises(ArgumentError, match=r"norm2: β reaches gates where γ is 0"):
        rotate(MICRO, state)
