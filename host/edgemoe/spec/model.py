"""Model configurations: the shape of one M³ViT-family network, read strictly from JSON.

Semantics: 12 (or any number of) pre-norm blocks, each attention then MLP or mixture of experts, no final norm in the
backbone, one head (LayerNorm + Linear) per task. Source: M³ViT, `models/vision_transformer_moe.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edgemoe.spec.names import shown
from edgemoe.spec.precision import MAX_FEATURES
from edgemoe.spec.strict import ConfigError, check_name, check_range, check_text, from_dict, read_json, to_dict

CONFIG_FOLDER = Path(__file__).resolve().parent.parent / "configs" / "models"

TASK_KINDS = ("segmentation", "regression")
MAX_TASKS = 64

# Far beyond any network of this family, so that a file's numbers cannot ask for more memory than there is.
_LIMITS: dict[str, tuple[float, float]] = {
    "image_height": (1, 1 << 16),
    "image_width": (1, 1 << 16),
    "patch": (1, 64),
    "width": (1, MAX_FEATURES),
    "depth": (1, 1024),
    "heads": (1, 255),
    "mlp_ratio": (1, 64),
    "experts": (0, 1024),
    "top_k": (0, 1024),
    "expert_ratio": (0, 64),
    "head_cells": (1, 64),
    "layernorm_epsilon": (1e-12, 1.0),
}
_MAX_TOKENS = 65535  # an instruction counts rows with 16 bits
_PIXEL_RANGE = 1e-3, 1e3


@dataclass(frozen=True)
class TaskConfig:
    """One task: its name, how its output is read, and its number of output channels C.

    `segmentation`: channels are class logits, `labels` their names. `regression`: channels are values in `unit`.
    """

    name: str
    kind: str
    channels: int
    labels: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "task name")
        if "." in self.name:
            raise ConfigError(f"task name '{self.name}' must have no '.', which separates the parts of tensor names")
        check_text(self.unit, f"task '{self.name}': unit")
        for label in self.labels:
            check_text(label, f"task '{self.name}': a label")
        if self.kind not in TASK_KINDS:
            raise ConfigError(
                f"task '{self.name}': kind {shown(self.kind)} is unknown; kinds are {', '.join(TASK_KINDS)}"
            )
        if not 1 <= self.channels <= MAX_FEATURES:
            raise ConfigError(
                f"task '{self.name}': channels must be at least 1 and at most {MAX_FEATURES}, found {self.channels}"
            )
        if self.labels and len(self.labels) != self.channels:
            raise ConfigError(f"task '{self.name}': {len(self.labels)} labels for {self.channels} channels")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of one network. All sizes are data: nothing in any engine assumes the values of one model.

    name: used in file names and reports.
    image_height, image_width: pixels, multiples of `patch`.
    patch: side of a square patch in pixels (16).
    width: embedding dimension D, a multiple of `heads`.
    depth: number of blocks.
    heads: attention heads.
    mlp_ratio: hidden width of dense blocks / D.
    moe_blocks: indices of the blocks whose MLP is a mixture of experts.
    experts, top_k, expert_ratio: E experts of hidden width expert_ratio·D, k of them used per token.
    tasks: in task-id order; each has its own gate in every MoE block and its own head.
    head_cells: s, output cells per patch side; a head gives C·s² values per patch.
    pixel_mean, pixel_std: per channel, for pixels scaled to [0, 1]; (0, 1) means no normalisation.
    layernorm_epsilon: added to the variance.
    """

    name: str
    image_height: int
    image_width: int
    patch: int
    width: int
    depth: int
    heads: int
    mlp_ratio: int
    moe_blocks: tuple[int, ...]
    experts: int
    top_k: int
    expert_ratio: int
    tasks: tuple[TaskConfig, ...]
    head_cells: int = 4
    pixel_mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    pixel_std: tuple[float, ...] = (1.0, 1.0, 1.0)
    layernorm_epsilon: float = 1e-6

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_range(self, _LIMITS)
        for name in ("image_height", "image_width"):
            if getattr(self, name) % self.patch:
                raise ConfigError(f"{name} {getattr(self, name)} is not a multiple of the patch side {self.patch}")
        if self.tokens > _MAX_TOKENS:
            raise ConfigError(f"{self.patches:,} patches and the class token are more than {_MAX_TOKENS} tokens")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}")
        if any(block not in range(self.depth) for block in self.moe_blocks):
            raise ConfigError(f"moe_blocks {list(self.moe_blocks)} must lie in 0 … {self.depth - 1}")
        if list(self.moe_blocks) != sorted(set(self.moe_blocks)):
            raise ConfigError(f"moe_blocks {list(self.moe_blocks)} must ascend without repeats")
        if self.moe_blocks and not 1 <= self.top_k <= self.experts:
            raise ConfigError(f"top_k must lie in 1 … experts ({self.experts}), found {self.top_k}")
        if self.moe_blocks and self.expert_ratio < 1:
            raise ConfigError(f"expert_ratio must be at least 1, found {self.expert_ratio}")
        if not 1 <= len(self.tasks) <= MAX_TASKS or len({task.name for task in self.tasks}) != len(self.tasks):
            raise ConfigError(f"tasks must be named, distinct, at least one and at most {MAX_TASKS}")
        self._check_pixels()

    def _check_pixels(self) -> None:
        least, most = _PIXEL_RANGE
        if len(self.pixel_mean) != 3 or len(self.pixel_std) != 3 or min(self.pixel_std) <= 0:
            raise ConfigError("pixel_mean and pixel_std need three values each, deviations above 0")
        if not all(-most <= mean <= most for mean in self.pixel_mean):
            raise ConfigError(f"pixel_mean must lie in {-most:g} … {most:g}, found {list(self.pixel_mean)}")
        if not all(least <= deviation <= most for deviation in self.pixel_std):
            raise ConfigError(f"pixel_std must lie in {least:g} … {most:g}, found {list(self.pixel_std)}")

    @property
    def grid_height(self) -> int:
        """Patches per column."""
        return self.image_height // self.patch

    @property
    def grid_width(self) -> int:
        """Patches per row."""
        return self.image_width // self.patch

    @property
    def patches(self) -> int:
        """Patches per picture."""
        return self.grid_height * self.grid_width

    @property
    def tokens(self) -> int:
        """Patches + the class token, which is row 0."""
        return self.patches + 1

    @property
    def patch_features(self) -> int:
        """Values per patch: 3·patch²."""
        return 3 * self.patch**2

    @property
    def head_width(self) -> int:
        """Features per attention head."""
        return self.width // self.heads

    @property
    def mlp_hidden(self) -> int:
        """Hidden width of a dense block."""
        return self.mlp_ratio * self.width

    @property
    def expert_hidden(self) -> int:
        """Hidden width of one expert."""
        return self.expert_ratio * self.width

    def head_outputs(self, task: str) -> int:
        """Outputs of a head per patch, C·s², in order [channel][cell row][cell column]."""
        return self.tasks[self.task_index(task)].channels * self.head_cells**2

    def task_index(self, name: str) -> int:
        """Position of a task in task-id order; raises ConfigError for an unknown name."""
        for index, task in enumerate(self.tasks):
            if task.name == name:
                return index
        known = ", ".join(task.name for task in self.tasks)
        raise ConfigError(f"model '{self.name}' has no task '{name}'; its tasks are {known}")

    def hash(self) -> int:
        """32-bit identity of this shape, carried by programs and calibration files."""
        text = json.dumps(to_dict(self), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def load_model_config(name_or_path: str | Path) -> ModelConfig:
    """Load a named configuration (`tiny`) or a JSON file; raises ConfigError."""
    path = Path(name_or_path)
    if path.suffix != ".json":
        path = CONFIG_FOLDER / f"{name_or_path}.json"
        if str(name_or_path) not in model_names():
            raise ConfigError(f"no model configuration '{name_or_path}'; there are {', '.join(model_names())}")
    return from_dict(ModelConfig, read_json(path), str(path.name))


def model_names() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.json"))
