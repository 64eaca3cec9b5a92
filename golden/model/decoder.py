"""M³ViT's convolutional task heads (`VisionTransformerUpHead`), which run on the host, and their post-processing.

The head's own LayerNorm is not here: it is the last thing that the accelerator computes (`heads.<task>.norm`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgemoe.errors import ArgumentError

HIDDEN = 256
_STAGES = 4


class ConvolutionalHead(nn.Module):
    """Four 3×3 convolutions with batch norm and ReLU, a 1×1 convolution, and four doublings of the size."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        for stage in range(_STAGES):
            self.add_module(f"conv_{stage}", nn.Conv2d(HIDDEN if stage else width, HIDDEN, 3, padding=1))
            self.add_module(f"syncbn_fc_{stage}", nn.BatchNorm2d(HIDDEN))
        self.add_module(f"conv_{_STAGES}", nn.Conv2d(HIDDEN, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features [B, D, Hp, Wp] → [B, C, 16·Hp, 16·Wp]."""
        for stage in range(_STAGES):
            convolved = self.get_submodule(f"conv_{stage}")(features)
            features = functional.relu(self.get_submodule(f"syncbn_fc_{stage}")(convolved))
            if stage < _STAGES - 1:
                features = _doubled(features)
        return _doubled(self.get_submodule(f"conv_{_STAGES}")(features))


def decoder_shapes(width: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a head's tensors, but for the counters of batch norm, which inference does not use."""
    with torch.device("meta"):
        state = ConvolutionalHead(width, channels).state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def _classes(maps: Tensor) -> Tensor:
    return maps.argmax(1).to(torch.uint8)


def _share(maps: Tensor) -> Tensor:
    return (255 * maps[:, 0].sigmoid()).to(torch.uint8)


def _directions(maps: Tensor) -> Tensor:
    return ((functional.normalize(maps, dim=1) + 1) * 255 / 2).to(torch.uint8).permute(0, 2, 3, 1)


def _values(maps: Tensor) -> Tensor:
    return maps[:, 0]


_ANSWERS: dict[str, Callable[[Tensor], Tensor]] = {
    "semseg": _classes,
    "human_parts": _classes,
    "sal": _share,
    "edge": _share,
    "normals": _directions,
    "depth": _values,
}


def answers(task: str, maps: Tensor) -> NDArray[np.uint8] | NDArray[np.float32]:
    """What M³ViT saves for a task, from maps [B, C, H, W].

    semseg, human_parts: class of every pixel. sal, edge: 255 · sigmoid, cut to whole numbers. normals: unit vectors
    as (n + 1) · 255 / 2, [B, H, W, 3]. depth: the values. Raises ArgumentError for any other task.
    """
    if task not in _ANSWERS:
        raise ArgumentError(f"no post-processing for task '{task}'; M³ViT's tasks are {', '.join(_ANSWERS)}")
    result: NDArray[np.uint8] | NDArray[np.float32] = _ANSWERS[task](maps.detach().float()).numpy()
    return result
