"""The tensors of a dense vision transformer, rewritten for the accelerator; dense.py says what is exact about it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe.spec.checkpoint import CheckpointError, tensor_shapes
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import shown
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.importing.dense_config import FEATURES, DenseShape
from edgemoe_golden.importing.gates import require
from edgemoe_golden.importing.positions import Grid, resampled
from edgemoe_golden.importing.states import State
from edgemoe_golden.importing.upstream import Imported
from edgemoe_golden.model.variant import Variant


class DenseNetwork:
    """Takes every tensor of a shape's state once."""

    def __init__(self, shape: DenseShape) -> None:
        self.shape, self.state, self.library = shape, shape.state, shape.library
        self.width, self.depth, self.patch = shape.width, shape.depth, shape.patch
        self.used: set[str] = set()

    def imported(self) -> Imported:
        """Everything rewritten; raises CheckpointError for what is missing, misshapen or not finite."""
        before, after, size = self.shape.grids()
        config = self.shape.config(size)
        tensors = self._backbone(config, before, after) | self._heads_of(config)
        return Imported(config, {name: tensors[name] for name in tensor_shapes(config)}, Variant(), {})

    def require_nothing_else(self) -> None:
        """Raise CheckpointError for the first tensor without a place."""
        for name, value in self.state.items():
            if name not in self.used:
                raise CheckpointError(
                    f"tensor {shown(name)} of shape {tuple(value.shape)} has no place in a plain vision transformer"
                )

    def _take(self, name: str, *shape: int) -> Tensor:
        self.used.add(name)
        return require(self.state, name, shape)

    def _backbone(self, config: ModelConfig, before: Grid, after: Grid) -> State:
        width, hidden = self.width, self.shape.hidden
        table = self._take("pos_embed", 1, int(self.state["pos_embed"].shape[1]), width)
        placed = table.shape[1] - before[0] * before[1]
        antialias = self.library == "timm" or "reg_token" in self.state
        patches = resampled(table[:, placed:], before, after, antialias)
        missing = torch.zeros(1, self.shape.prefix_tokens - placed, width)
        tensors: State = {"backbone.pos_embed": torch.cat([table[:, :placed], missing, patches], 1)}
        parts = [self._take(name, 1, int(self.state[name].shape[1]), width) for name in self.shape.prefix]
        if parts:
            prefix = torch.cat(parts, 1)
            tensors |= {"backbone.cls_token": prefix[:, :1], "backbone.register_tokens": prefix[:, 1:]}
        proj = "patch_embed.proj"
        tensors[f"backbone.{proj}.weight"] = self._take(
            f"{proj}.weight", width, self.shape.channels, self.patch, self.patch
        )
        tensors[f"backbone.{proj}.bias"] = self._take(f"{proj}.bias", width)
        more = config.mlp_hidden - hidden
        shapes = {"attn.qkv": (3 * width, width), "mlp.fc1": (hidden, width)}
        scaled = {"attn.proj": ("ls1", (width, width)), "mlp.fc2": ("ls2", (width, hidden))}
        for index in range(self.depth):
            own = f"blocks.{index}"
            for norm in ("norm1", "norm2"):
                for part in ("weight", "bias"):
                    tensors[f"backbone.{own}.{norm}.{part}"] = self._take(f"{own}.{norm}.{part}", width)
            for layer, (outputs, inputs) in shapes.items():
                tensors[f"backbone.{own}.{layer}.weight"] = self._take(f"{own}.{layer}.weight", outputs, inputs)
                tensors[f"backbone.{own}.{layer}.bias"] = self._take(f"{own}.{layer}.bias", outputs)
            for layer, (scale, (outputs, inputs)) in scaled.items():
                gamma = self._gamma(f"{own}.{scale}.gamma")
                weight = self._take(f"{own}.{layer}.weight", outputs, inputs)
                tensors[f"backbone.{own}.{layer}.weight"] = weight * gamma[:, None]
                tensors[f"backbone.{own}.{layer}.bias"] = self._take(f"{own}.{layer}.bias", outputs) * gamma
            for part, unused in (("fc1.weight", (0, 0, 0, more)), ("fc1.bias", (0, more)), ("fc2.weight", (0, more))):
                name = f"backbone.{own}.mlp.{part}"
                tensors[name] = functional.pad(tensors[name], unused)
        return tensors

    def _gamma(self, name: str) -> Tensor:
        return self._take(name, self.width) if name in self.state else torch.ones(self.width)

    def _heads_of(self, config: ModelConfig) -> State:
        """The final norm, once per head, and each head's linear layer."""
        width = self.width
        norm = {part: self._take(f"norm.{part}", width) for part in ("weight", "bias")}
        tensors: State = {}
        for task in config.tasks:
            head = f"heads.{task.name}"
            tensors |= {f"{head}.norm.{part}": value for part, value in norm.items()}
            weight, bias = (torch.eye(width), torch.zeros(width)) if task.kind == FEATURES else self._classifier(task)
            tensors |= {f"{head}.linear.weight": weight, f"{head}.linear.bias": bias}
        self.used |= {name for name in self.state if name.startswith(("head.", "head_dist."))}
        return tensors

    def _classifier(self, task: TaskConfig) -> tuple[Tensor, Tensor]:
        classes, width = task.channels, self.width
        if task.pool == "class-mean":
            weight = self._take("head.weight", classes, 2 * width)
            bias = self._take("head.bias", classes)
            return torch.cat([weight[:, :width], weight[:, width:]]), torch.cat([bias, torch.zeros(classes)])
        names = ("head", "head_dist") if task.pool == "distilled" else ("head",)
        weights = [self._take(f"{name}.weight", classes, width) for name in names]
        biases = [self._take(f"{name}.bias", classes) for name in names]
        return torch.cat(weights), torch.cat(biases)
