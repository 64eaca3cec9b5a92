"""The float model: pre-norm blocks, some with a mixture of experts and one gate per task; LayerNorm + Linear heads.

The state dict has exactly the names and shapes of `edgemoe.spec.checkpoint.tensor_shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.strict import ConfigError
from edgemoe_golden.model.layers import Attention, MixtureOfExperts, Mlp
from edgemoe_golden.model.recorder import Recorder

SILENT = Recorder()

INITIAL_DEVIATION = 0.02


class PatchEmbed(nn.Module):
    """Convolution with a kernel of one patch: [B, C, H, W] to [B, patches, D], patches row by row."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.picture_channels, config.width, config.patch, config.patch_step)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed normalised pixels."""
        output: Tensor = self.proj(pixels).flatten(2).transpose(1, 2)
        return output


class Block(nn.Module):
    """x + attention(norm1(x)), then x + mlp(norm2(x)) where mlp is dense or a mixture of experts."""

    def __init__(self, config: ModelConfig, index: int) -> None:
        super().__init__()
        self.name = f"blocks.{index}"
        self.norm1 = nn.LayerNorm(config.width, config.layernorm_epsilon)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, config.layernorm_epsilon)
        sparse = index in config.moe_blocks
        self.mlp = MixtureOfExperts(config) if sparse else Mlp(config.width, config.mlp_hidden, config.activation)

    def forward(self, tokens: Tensor, task: int, recorder: Recorder) -> Tensor:
        """Map the residual stream [B, N, D] to [B, N, D]."""
        before, normed = tokens, self.norm1(tokens)
        recorder.record(f"{self.name}.norm1", normed)
        tokens = tokens + self.attn(normed, recorder, self.name)
        recorder.record(f"{self.name}.attention.residual", tokens)
        normed = self.norm2(tokens)
        recorder.record(f"{self.name}.norm2", normed)
        tokens = tokens + self.mlp(normed, task, recorder, self.name, before)
        recorder.record(f"{self.name}.mlp.residual", tokens)
        return tokens


class Backbone(nn.Module):
    """Patch embedding, prefix tokens, position embedding, blocks; no final norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.prefix_tokens:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        if config.prefix_tokens > 1:
            self.register_tokens = nn.Parameter(torch.zeros(1, config.prefix_tokens - 1, config.width))
        self.prefix_tokens = config.prefix_tokens
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.depth))

    def embed(self, pixels: Tensor, recorder: Recorder) -> Tensor:
        """Residual stream [B, N, D] before the first block: prefix tokens, the class token first, then patches."""
        patches = self.patch_embed(pixels)
        parts = [self.cls_token] if self.prefix_tokens else []
        parts += [self.register_tokens] if self.prefix_tokens > 1 else []
        prefix = [part.expand(len(patches), -1, -1) for part in parts]
        tokens = torch.cat([*prefix, patches], 1) + self.pos_embed
        recorder.record("embed.residual", tokens)
        return tokens


class Head(nn.Module):
    """LayerNorm and Linear of one task, on the tokens that its kind reads (`ModelConfig.head_rows`)."""

    def __init__(self, config: ModelConfig, task: str) -> None:
        super().__init__()
        self.name = f"heads.{task}"
        self.first, self.rows = config.head_rows(task)
        self.norm = nn.LayerNorm(config.width, config.layernorm_epsilon)
        self.linear = nn.Linear(config.width, config.head_outputs(task))

    def forward(self, tokens: Tensor, recorder: Recorder) -> Tensor:
        """Map the residual stream [B, N, D] to [B, rows, outputs]."""
        normed = self.norm(tokens[:, self.first : self.first + self.rows])
        recorder.record(f"{self.name}.norm", normed)
        output: Tensor = self.linear(normed)
        recorder.record(f"{self.name}.output", output)
        return output


class M3ViT(nn.Module):
    """The float model of one `ModelConfig`, randomly initialised.

    Raises ConfigError for a task whose name torch does not take.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        for task in config.tasks:
            if hasattr(nn.ModuleDict(), task.name):
                raise ConfigError(f"task '{task.name}' has a name that torch keeps for itself; choose another")
        self.config = config
        self.backbone = Backbone(config)
        self.heads = nn.ModuleDict({task.name: Head(config, task.name) for task in config.tasks})
        self.register_buffer("pixel_mean", torch.tensor(config.pixel_mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(config.pixel_std).view(-1, 1, 1), persistent=False)
        for name, parameter in self.named_parameters():
            _initialise(name, parameter)

    def forward(self, images: Tensor, task: str, recorder: Recorder = SILENT) -> Tensor:
        """Head output [B, rows, outputs] of one task for uint8 frames [B, H, W, channels], RGB or grey.

        Raises ArgumentError for frames of another type or size, ConfigError for an unknown task.
        """
        tokens = self.backbone.embed(self._normalise(images), recorder)
        return self._finish(tokens, 0, task, recorder)

    def forward_tasks(self, images: Tensor, tasks: Sequence[str], recorder: Recorder = SILENT) -> dict[str, Tensor]:
        """Head outputs of several tasks, computing the blocks before the first MoE block once.

        The recorder gets the activations of that prefix once, then those of every task under the same names.
        """
        shared = min(self.config.moe_blocks, default=self.config.depth)
        tokens = self.backbone.embed(self._normalise(images), recorder)
        for block in self.backbone.blocks[:shared]:
            tokens = block(tokens, 0, recorder)
        return {task: self._finish(tokens, shared, task, recorder) for task in tasks}

    def _finish(self, tokens: Tensor, start: int, task: str, recorder: Recorder) -> Tensor:
        index = self.config.task_index(task)
        for block in self.backbone.blocks[start:]:
            tokens = block(tokens, index, recorder)
        output: Tensor = self.heads[task](tokens, recorder)
        return output

    def _normalise(self, images: Tensor) -> Tensor:
        expected = (self.config.image_height, self.config.image_width, self.config.picture_channels)
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != expected:
            found = f"{images.dtype} {tuple(images.shape)}"
            wanted = f"uint8 frames [B, {', '.join(map(str, expected))}]"
            raise ArgumentError(f"model '{self.config.name}' takes {wanted}, found {found}; resize first")
        pixels = images.permute(0, 3, 1, 2).float() / 255
        return (pixels - self.pixel_mean) / self.pixel_std


def _initialise(name: str, parameter: nn.Parameter) -> None:
    """Matrices from a truncated normal of deviation 0.02, norm weights 1, biases 0."""
    if name.endswith(".bias"):
        nn.init.zeros_(parameter)
    elif parameter.ndim == 1:
        nn.init.ones_(parameter)
    else:
        nn.init.trunc_normal_(parameter, std=INITIAL_DEVIATION)
