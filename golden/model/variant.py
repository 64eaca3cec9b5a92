"""What checkpoints of others have beyond `ModelConfig`: heads that run on the host, and where they came from.

M³ViT's gates come in more forms than one plain matrix per task. Two fields of `ModelConfig` are enough for three:

    task-conditioned gate   logits = [h, f_t]·W = h·W[:D] + f_t·W[D:], and f_t is a constant: a bias per task
    expert window           softmax over a task's own experts alone: a bias of `MASKED` on all others
    top-k, then softmax     equals softmax, then top-k, then dividing by the sum of the k scores

A fourth form reads another tensor, the block's input instead of LayerNorm 2, and has a field of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgemoe.spec.precision import MAX_FEATURES
from edgemoe.spec.strict import ConfigError, check_name, from_dict, read_json

VARIANT_FILE = "variant.json"
DECODERS_FILE = "decoders.safetensors"
MASKED = -1e4
"""Bias of an expert outside a task's window: its softmax value is exactly 0 in float32."""

VARIANT_VERSION = 3


@dataclass(frozen=True)
class Variant:
    """decoders: task → channels of its convolutional head, which runs on the host.
    source, format: where an imported checkpoint came from.
    """

    version: int = VARIANT_VERSION
    decoders: dict[str, int] = field(default_factory=dict)
    source: str = ""
    format: str = ""

    def __post_init__(self) -> None:
        if self.version != VARIANT_VERSION:
            raise ConfigError(f"version {self.version}, this package reads {VARIANT_VERSION}; import it again")
        for task, channels in self.decoders.items():
            check_name(task, "decoders: a task")
            if not 1 <= channels <= MAX_FEATURES:
                raise ConfigError(f"decoders: '{task}' must have 1 … {MAX_FEATURES} channels, found {channels}")


def load_variant(folder: Path) -> Variant:
    """The variant of a checkpoint folder: the plain one when it has no variant file; raises ConfigError."""
    path = folder / VARIANT_FILE
    return from_dict(Variant, read_json(path), path.name) if path.is_file() else Variant()
