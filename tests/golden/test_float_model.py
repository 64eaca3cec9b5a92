"""The float model computes what DESIGN and the M³ViT paper say, checked against the plainest formulas."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.checkpoint import tensor_shapes
from edgemoe.spec.model import ModelConfig, load_model_config, model_names
from edgemoe_golden.model import M3ViT, Recorder, TensorRecorder, head_maps
from edgemoe_golden.model.layers import MixtureOfExperts, top_k

SILENT = Recorder()


@pytest.mark.parametrize("name", model_names())
def test_state_dict_is_the_checkpoint_contract(name: str) -> None:
    config = load_model_config(name)
    with torch.device("meta"):
        model = M3ViT(config)
    found = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert list(found.items()) == list(tensor_shapes(config).items())


def naive_mixture(mixture: MixtureOfExperts, token: Tensor, task: int) -> Tensor:
    """One token at a time, straight from the definition."""
    scores = torch.softmax(token @ mixture.gate[task].w_gate, 0).tolist()
    best = sorted(range(len(scores)), key=lambda expert: (-scores[expert], expert))[: mixture.top_k]
    experts = mixture.experts
    output = torch.zeros_like(token)
    for expert in best:
        inner = experts.htoh4.weight[expert] @ token + experts.htoh4.bias[expert]
        hidden = 0.5 * inner * (1 + torch.erf(inner / math.sqrt(2)))
        output += scores[expert] * (experts.h4toh.weight[expert] @ hidden + experts.h4toh.bias[expert])
    return output


@pytest.mark.parametrize("task", [0, 1])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_mixture_equals_a_loop_over_tokens(model: M3ViT, task: int, training: bool) -> None:
    mixture = model.backbone.blocks[1].mlp.train(training)
    tokens = torch.randn(2, 7, model.config.width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = torch.stack([naive_mixture(mixture, token, task) for token in tokens.flatten(0, 1)])
        torch.testing.assert_close(mixture(tokens, task, SILENT, "m").flatten(0, 1), expected)


def test_equal_scores_go_to_the_lowest_experts() -> None:
    values, experts = top_k(torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.1, 0.4, 0.1, 0.4]]), 3)
    assert experts.tolist() == [[0, 1, 2], [1, 3, 0]]
    assert values.tolist() == torch.tensor([[0.2, 0.2, 0.2], [0.4, 0.4, 0.1]]).tolist()


def test_scores_are_not_renormalised_and_scale_the_bias(model: M3ViT) -> None:
    mixture = model.backbone.blocks[1].mlp
    with torch.no_grad():
        mixture.gate[0].w_gate.zero_()
        for parameter in mixture.experts.parameters():
            parameter.zero_()
        mixture.experts.h4toh.bias.fill_(1.0)
        output = mixture(torch.ones(1, 3, model.config.width), 0, SILENT, "m")
    assert output.unique().tolist() == [mixture.top_k / model.config.experts]


def test_several_tasks_together_equal_each_alone(model: M3ViT, frames: Tensor) -> None:
    with torch.no_grad():
        together = model.forward_tasks(frames, ["depth", "semseg"])
        assert list(together) == ["depth", "semseg"]
        for task, output in together.items():
            assert torch.equal(output, model(frames, task))


def test_attention_with_key_bias_gives_the_same(model: M3ViT) -> None:
    attention = model.backbone.blocks[0].attn
    tokens = torch.randn(2, 7, model.config.width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        parts = attention.qkv(tokens).view(2, 7, 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(tokens.shape)
        assert attention.qkv.bias[model.config.width : 2 * model.config.width].abs().min() > 0
        torch.testing.assert_close(attention(tokens, SILENT, "a"), attention.proj(mixed), rtol=1e-5, atol=1e-5)


def test_head_maps_put_channel_row_and_column_in_place(config: ModelConfig) -> None:
    side = config.head_cells
    output = torch.zeros(1, config.patches, 3 * side * side)
    channel, row, column, patch = 2, 1, 0, config.grid_width + 2
    output[0, patch, (channel * side + row) * side + column] = 1
    maps = head_maps(output, config)
    assert maps.shape == (1, 3, config.grid_height * side, config.grid_width * side)
    assert maps.nonzero().tolist() == [[0, channel, side + row, 2 * side + column]]


def test_recorded_activations_are_those_of_the_pass(model: M3ViT, frames: Tensor) -> None:
    recorder = TensorRecorder()
    with torch.no_grad():
        output = model(frames, "semseg", recorder)
    values, config = recorder.values, model.config
    assert torch.equal(values["heads.semseg.output"], output)
    assert values["embed.residual"].shape == (2, config.tokens, config.width)
    assert values["blocks.0.scores"].shape == (2, config.heads, config.tokens, config.tokens)
    chosen = values["blocks.1.gate.experts"]
    assert chosen.shape == (2 * config.tokens, config.top_k)
    rows = sum(len(v) for name, v in values.items() if name.startswith("blocks.1.experts."))
    assert rows == chosen.numel()


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (32, 48, 3), (1, 3, 32, 48)])
def test_frames_of_another_shape_are_refused(model: M3ViT, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes uint8 frames \[B, 32, 48, 3\], found"):
        model(torch.zeros(shape, dtype=torch.uint8), "semseg")
