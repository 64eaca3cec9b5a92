"""How near integers come to the float network: the residual stream after every block, and who the gates choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.picture import model_pixels
from edgemoe_golden.budget.integer_network import BlockResult, IntArray, IntegerBlock, embedded
from edgemoe_golden.model import M3ViT
from edgemoe_golden.model.recorder import TensorRecorder

FloatArray = NDArray[np.float64]
Frame = NDArray[np.uint8]
"""A picture at the model's size, RGB [H, W, 3]."""


@dataclass(frozen=True)
class Reference:
    """What the float network does with one picture for one task.

    residuals: [tokens, D] after each block. chosen: [tokens, k] of each gate, None in a dense block.
    """

    frame: Frame
    task: int
    residuals: tuple[FloatArray, ...]
    chosen: tuple[IntArray | None, ...]


def references(model: M3ViT, frames: Sequence[Frame]) -> list[Reference]:
    """Every picture (uint8 [H, W, 3] at the model's size) for every task that its gates tell apart."""
    config = model.config
    tasks = config.tasks if config.moe_blocks else config.tasks[:1]
    return [_reference(model, frame, task.name) for frame in frames for task in tasks]


def _reference(model: M3ViT, frame: Frame, task: str) -> Reference:
    recorder, config = TensorRecorder(), model.config
    with torch.inference_mode():
        model(torch.from_numpy(model_pixels(frame, config).copy())[None], task, recorder)
    seen = {name: value.numpy() for name, value in recorder.values.items()}
    names = [f"blocks.{index}" for index in range(config.depth)]
    residuals = tuple(seen[f"{name}.mlp.residual"][0].astype(np.float64) for name in names)
    chosen = tuple(
        seen[f"{name}.gate.experts"].astype(np.int64) if f"{name}.gate.experts" in seen else None for name in names
    )
    return Reference(frame, config.task_index(task), residuals, chosen)


@dataclass(frozen=True)
class Fidelity:
    """noise: [references, blocks] energy of the error over that of the float residual. same: [references, MoE blocks]
    share of tokens whose experts are the float network's.
    """

    noise: FloatArray
    same: FloatArray

    @property
    def sqnr_db(self) -> float:
        """Of the residual stream after the last block, mean over pictures and tasks."""
        return float(np.mean(-10 * np.log10(self.noise[:, -1])))

    @property
    def worst_db(self) -> float:
        """Of the picture and task that lose most."""
        return float(-10 * np.log10(self.noise[:, -1].max()))

    @property
    def same_experts(self) -> float:
        """Share of tokens of all gates whose experts are the same, 1 without gates."""
        return float(self.same.mean()) if self.same.size else 1.0

    @property
    def first_gate(self) -> float:
        """That of the first gate."""
        return float(self.same[:, 0].mean()) if self.same.size else 1.0


def fidelity(model: QuantisedModel, found: Sequence[Reference]) -> Fidelity:
    """Run the integers freely, their own gates choosing."""
    blocks = [IntegerBlock(block, model.config, model.precision) for block in model.blocks]
    noise, same = [], []
    for reference in found:
        residual, own, shares = embedded(model, reference.frame), [], []
        for block, expected, chosen in zip(blocks, reference.residuals, reference.chosen, strict=True):
            result: BlockResult = block.run(residual, reference.task)
            residual = result.residual
            own.append(noise_ratio(residual, expected, model.residual_scale))
            if chosen is not None and result.chosen is not None:
                shares.append(float((np.sort(chosen, axis=1) == np.sort(result.chosen, axis=1)).all(axis=1).mean()))
        noise.append(own)
        same.append(shares)
    return Fidelity(np.array(noise), np.array(same))


def noise_ratio(residual: IntArray, expected: FloatArray, scale: float) -> float:
    """Energy of the error over that of the float tensor, at least 1e-30."""
    error = float(((residual * scale - expected) ** 2).sum())
    return max(error / float((expected**2).sum()), 1e-30)
