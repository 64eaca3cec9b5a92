"""The compiler's exact rewrites give the same numbers as the float model, in float64 and to its last digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from edgemoe.compiler.rewrites import folded_patch_embed, folded_position, without_key_bias
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.model import M3ViT, Recorder

SILENT = Recorder()
STATISTICS = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "Edge-MoE": ((0.0, 0.0, 0.0), (256 / 255,) * 3),
}


@pytest.mark.parametrize("statistics", STATISTICS)
def test_folding_normalisation_and_class_token_changes_nothing(
    statistics: str, config: ModelConfig, frames: Tensor
) -> None:
    mean, std = STATISTICS[statistics]
    config = replace(config, pixel_mean=mean, pixel_std=std)
    torch.manual_seed(2)
    model = M3ViT(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        model.pixel_mean.copy_(torch.tensor(mean).view(3, 1, 1))
        pixels = (frames.permute(0, 3, 1, 2).double() / 255 - model.pixel_mean) / model.pixel_std
        expected = model.backbone.embed(pixels, SILENT).numpy()
    embed = model.backbone.patch_embed.proj
    statistics_used = replace(
        config, pixel_mean=tuple(model.pixel_mean.ravel().tolist()), pixel_std=tuple(model.pixel_std.ravel().tolist())
    )
    weight, bias = folded_patch_embed(statistics_used, embed.weight.detach().numpy(), embed.bias.detach().numpy())
    rows, columns, side = config.grid_height, config.grid_width, config.patch
    codes = frames.numpy().astype(np.float64) - 128
    patches = codes.reshape(2, rows, side, columns, side, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, config.patches, -1)
    tokens = np.concatenate([np.zeros((2, 1, config.width)), patches @ weight.T + bias], axis=1)
    position = model.backbone.pos_embed.detach().numpy()
    tokens += folded_position(position, model.backbone.cls_token[0].detach().numpy())
    assert np.abs(tokens - expected).max() < 1e-12 * np.abs(expected).max()


def test_dropping_the_key_bias_changes_nothing(config: ModelConfig) -> None:
    rng = np.random.default_rng(4)
    width, heads = config.width, config.heads
    tokens, weight = rng.standard_normal((7, width)), rng.standard_normal((3 * width, width))
    bias = rng.standard_normal(3 * width) * 50  # as large as upstream's largest

    def attention(used: np.ndarray) -> np.ndarray:
        query, key, value = (
            torch.from_numpy(part).view(7, heads, -1).transpose(0, 1)
            for part in np.split(tokens @ weight.T + used, 3, axis=1)
        )
        return (torch.softmax(query @ key.transpose(1, 2) / (width // heads) ** 0.5, -1) @ value).numpy()

    kept = without_key_bias(bias, width)
    assert np.array_equal(kept != bias, np.repeat([False, True, False], width))
    difference = np.abs(attention(kept) - attention(bias)).max()
    assert difference < 1e-9 * np.abs(attention(bias)).max()
