"""An imported checkpoint as one float model: backbone and heads as on the accelerator, decoders as on the host."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from edgemoe.spec.checkpoint import CheckpointError, read_tensors
from edgemoe_golden.importing.gates import require
from edgemoe_golden.model import M3ViT, head_maps, load_checkpoint_model
from edgemoe_golden.model.decoder import ConvolutionalHead, decoder_shapes
from edgemoe_golden.model.variant import DECODERS_FILE, load_variant


class ImportedModel(nn.Module):
    """Frames → full-size maps, through a task's decoder where it has one."""

    def __init__(self, model: M3ViT, decoders: nn.ModuleDict) -> None:
        super().__init__()
        self.model = model
        self.decoders = decoders

    def forward(self, images: Tensor, task: str) -> Tensor:
        """Maps [B, C, H, W] of uint8 frames [B, H, W, 3]; on the cell grid for a task without decoder."""
        return self.decode(head_maps(self.model(images, task), self.model.config), task)

    def decode(self, features: Tensor, task: str) -> Tensor:
        """What the host does with the accelerator's output [B, D, Hp, Wp]."""
        maps: Tensor = self.decoders[task](features) if task in self.decoders else features
        return maps


def load_imported_model(folder: Path) -> ImportedModel:
    """Load a folder written by `import_checkpoint`; raises CheckpointError or ConfigError."""
    model, variant = load_checkpoint_model(folder), load_variant(folder)
    decoders = nn.ModuleDict()
    path = folder / DECODERS_FILE
    if variant.decoders:
        width = model.config.width
        for task in variant.decoders:
            model.config.task_index(task)
        shapes_of = {task: decoder_shapes(width, channels) for task, channels in variant.decoders.items()}
        every = (shape for shapes in shapes_of.values() for shape in shapes.values())
        stored = read_tensors(path, model.config.name, every)
        state = {name: torch.from_numpy(value) for name, value in stored.items()}
        try:
            for task, shapes in shapes_of.items():
                decoder = ConvolutionalHead(width, variant.decoders[task])
                part = {name: require(state, f"decoders.{task}.{name}", shape) for name, shape in shapes.items()}
                decoder.load_state_dict(part, strict=False)
                decoders[task] = decoder
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
    with torch.no_grad():
        return ImportedModel(model, decoders).eval()
