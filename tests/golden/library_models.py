"""Random models built by timm and transformers themselves, for tests of the import."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

_MISSING = ("nms", "qnms")


def load_timm() -> Any:
    """timm, or a skip in one sentence. Its torchvision comes without the operators of this build of torch."""
    try:
        if not hasattr(load_timm, "library"):
            library = torch.library.Library("torchvision", "DEF")
            for name in _MISSING:
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            load_timm.library = library  # type: ignore[attr-defined]
        import timm
    except ImportError as error:
        pytest.skip(f"timm is not installed here ({error.name})")
    return timm


def load_transformers() -> Any:
    """transformers, or a skip in one sentence."""
    return pytest.importorskip("transformers", reason="transformers is not installed here")


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter replaced, so that zero-initialised biases, tokens and scales matter too; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * 0.05 if parameter.ndim > 1 else noise * 0.1 + parameter.mean())
    return model.eval()


def pictures(height: int, width: int, channels: int = 3, count: int = 2) -> torch.Tensor:
    """Random frames, uint8 [count, height, width, channels]."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, height, width, channels), dtype=torch.uint8, generator=generator)


def normalised(frames: torch.Tensor) -> torch.Tensor:
    """What the libraries' processors make of them with mean and deviation 0.5."""
    return (frames.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
