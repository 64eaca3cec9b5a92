"""Model configurations: the shape of one vision transformer, dense or with experts, read strictly from JSON.

Semantics: 12 (or any number of) pre-norm blocks, each attention then MLP or mixture of experts, no final norm in the
backbone, one head (LayerNorm + Linear) per task. Sources: M³ViT, `models/vision_transformer_moe.py`; for the dense
networks ViT (2010.11929), DeiT (2012.12877), DINOv2 with registers (2309.16588), SigLIP (2303.15343).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import Activation
from edgemoe.spec.names import listed, shown
from edgemoe.spec.precision import MAX_FEATURES
from edgemoe.spec.strict import ConfigError, check_name, check_range, from_dict, read_json, to_dict
from edgemoe.spec.task import TaskConfig

CONFIG_FOLDER = Path(__file__).resolve().parent.parent / "configs" / "models"

ACTIVATIONS = tuple(activation.name.lower() for activation in Activation)
MAX_PREFIX_TOKENS = 8
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
    head_cells: s, output cells per patch side; a head of maps gives C·s² values per patch.
    pixel_mean, pixel_std: per channel, for pixels scaled to [0, 1]; (0, 1) means no normalisation.
    layernorm_epsilon: added to the variance.
    prefix_tokens: tokens before the patches, 0 … 8: the class token, a distillation token, registers.
    picture_channels: 3 for RGB, 1 for grey pictures and spectrograms.
    patch_stride: pixels from patch to patch where patches overlap (spectrograms); 0: they stand side by side.
    gate_bias: gates add a bias per expert: task-conditioned gates and windows of experts become one (MASKED_LOGIT).
    renormalised_scores: the scores of a token's k experts sum to 1, as with top-k before softmax.
    gate_input_ahead: gates read the residual stream before the block's attention, not normalised.
    activation: of MLPs and experts: `gelu` (erf), `gelu_tanh`, `quick_gelu`, `relu`.
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
    prefix_tokens: int = 1
    picture_channels: int = 3
    patch_stride: int = 0
    activation: str = "gelu"
    gate_bias: bool = False
    renormalised_scores: bool = False
    gate_input_ahead: bool = False

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_range(self, _LIMITS)
        if not 0 <= self.patch_stride < self.patch:
            raise ConfigError(f"patch_stride must lie in 0 … {self.patch - 1}, found {self.patch_stride}")
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation {shown(self.activation)} is unknown; there are {', '.join(ACTIVATIONS)}")
        if not 0 <= self.prefix_tokens <= MAX_PREFIX_TOKENS:
            raise ConfigError(f"prefix_tokens must lie in 0 … {MAX_PREFIX_TOKENS}, found {self.prefix_tokens}")
        for name in ("image_height", "image_width"):
            if getattr(self, name) < self.patch:
                raise ConfigError(f"{name} {getattr(self, name)} is less than the patch side {self.patch}")
            if not self.patch_stride and getattr(self, name) % self.patch:
                raise ConfigError(f"{name} {getattr(self, name)} is not a multiple of the patch side {self.patch}")
        if self.tokens > _MAX_TOKENS:
            raise ConfigError(
                f"{self.patches:,} patches and {self.prefix_tokens} prefix tokens are more than {_MAX_TOKENS} tokens"
            )
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}")
        if any(block not in range(self.depth) for block in self.moe_blocks):
            raise ConfigError(f"moe_blocks {listed(self.moe_blocks)} must lie in 0 … {self.depth - 1}")
        if list(self.moe_blocks) != sorted(set(self.moe_blocks)):
            raise ConfigError(f"moe_blocks {listed(self.moe_blocks)} must ascend without repeats")
        if self.moe_blocks and not 1 <= self.top_k <= self.experts:
            raise ConfigError(f"top_k must lie in 1 … experts ({self.experts}), found {self.top_k}")
        if self.moe_blocks and self.expert_ratio < 1:
            raise ConfigError(f"expert_ratio must be at least 1, found {self.expert_ratio}")
        if not 1 <= len(self.tasks) <= MAX_TASKS or len({task.name for task in self.tasks}) != len(self.tasks):
            raise ConfigError(f"tasks must be named, distinct, at least one and at most {MAX_TASKS}")
        self._check_pixels()
        self._check_dense()

    def _check_pixels(self) -> None:
        least, most = _PIXEL_RANGE
        channels = self.picture_channels
        if channels not in (1, 3):
            raise ConfigError(f"picture_channels must be 1 (grey) or 3 (RGB), found {channels}")
        if len(self.pixel_mean) != channels or len(self.pixel_std) != channels or min(self.pixel_std) <= 0:
            many = "three values" if channels == 3 else "one value"
            raise ConfigError(f"pixel_mean and pixel_std need {many} each, deviations above 0")
        if not all(-most <= mean <= most for mean in self.pixel_mean):
            raise ConfigError(f"pixel_mean must lie in {-most:g} … {most:g}, found {listed(self.pixel_mean)}")
        if not all(least <= deviation <= most for deviation in self.pixel_std):
            raise ConfigError(f"pixel_std must lie in {least:g} … {most:g}, found {listed(self.pixel_std)}")

    def _check_dense(self) -> None:
        """Tokens before the patches, overlapping patches, and the tasks that need them."""
        if self.moe_blocks and not self.prefix_tokens:
            raise ConfigError("a model with experts needs at least one prefix token")
        if self.patch_stride and any(task.is_map for task in self.tasks):
            raise ConfigError("a model whose patches overlap has no maps; its tasks are classification and features")
        needed = {"class": 1, "distilled": 2, "class-mean": 1}
        for task in self.tasks:
            if self.prefix_tokens < needed.get(task.pool, 0):
                raise ConfigError(
                    f"task '{task.name}': pool '{task.pool}' needs {needed[task.pool]} prefix token(s), "
                    f"the model has {self.prefix_tokens}"
                )
            if task.kind == "features" and task.channels != self.width:
                raise ConfigError(
                    f"task '{task.name}': features have {self.width} channels, the model's width; found {task.channels}"
                )

    @property
    def patch_step(self) -> int:
        """Pixels from patch to patch."""
        return self.patch_stride or self.patch

    @property
    def grid_height(self) -> int:
        """Patches per column."""
        return (self.image_height - self.patch) // self.patch_step + 1

    @property
    def grid_width(self) -> int:
        """Patches per row."""
        return (self.image_width - self.patch) // self.patch_step + 1

    @property
    def patches(self) -> int:
        """Patches per picture."""
        return self.grid_height * self.grid_width

    @property
    def tokens(self) -> int:
        """Prefix tokens, then patches row by row."""
        return self.patches + self.prefix_tokens

    @property
    def patch_features(self) -> int:
        """Values per patch: channels·patch²."""
        return self.picture_channels * self.patch**2

    @property
    def embedded_features(self) -> int:
        """Values per patch as the array takes them: whole vectors, the rest with zero weights (588 → 592)."""
        return -(-self.patch_features // VECTOR) * VECTOR

    @property
    def first_row(self) -> int:
        """Row of the first token in RESIDUAL: 1 in a model without prefix tokens, where row 0 stays unused.

        PATCH_EMBED writes a row without a patch before all others (docs/isa.md).
        """
        return 0 if self.prefix_tokens else 1

    @property
    def grey_rows(self) -> int:
        """Rows of PATCH_EMBED's picture that are mid-grey: one for each prefix token after the first."""
        return max(self.prefix_tokens - 1, 0)

    @property
    def input_rows(self) -> int:
        """Rows of PATCH_EMBED's picture: those of mid-grey, then the patches."""
        return self.grey_rows + self.patches

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
        """Outputs of a head per row: C·s² of a map, in order [channel][cell row][cell column]; C, or 2·C of two heads.

        The two heads of pools `distilled` and `class-mean` lie side by side: that of the class token, then the other.
        """
        found = self.tasks[self.task_index(task)]
        if found.is_map:
            return found.channels * self.head_cells**2
        return 2 * found.channels if found.pool in ("distilled", "class-mean") else found.channels

    def output_shape(self, task: str) -> tuple[int, ...]:
        """Shape of a task's output as the host sees it: maps C×(Hp·s)×(Wp·s), classification C, features tokens×D."""
        found = self.tasks[self.task_index(task)]
        if found.is_map:
            return found.channels, self.grid_height * self.head_cells, self.grid_width * self.head_cells
        return (self.tokens, self.width) if found.kind == "features" else (found.channels,)

    def head_rows(self, task: str) -> tuple[int, int]:
        """(first, count) of the tokens that a head reads."""
        found = self.tasks[self.task_index(task)]
        if found.kind == "features" or found.pool == "class-mean":
            return 0, self.tokens
        if found.pool in ("class", "distilled"):
            return 0, 2 if found.pool == "distilled" else 1
        return self.prefix_tokens, self.patches

    def task_index(self, name: str) -> int:
        """Position of a task in task-id order; raises ConfigError for an unknown name."""
        for index, task in enumerate(self.tasks):
            if task.name == name:
                return index
        known = ", ".join(task.name for task in self.tasks)
        raise ConfigError(f"model '{self.name}' has no task '{name}'; its tasks are {known}")

    def hash(self) -> int:
        """32-bit identity of this shape, carried by programs and calibration files."""
        shape = to_dict(self)
        for field in fields(self):  # a usual value is left out, as models were identified before they had a choice
            if field.name in _ADDED and getattr(self, field.name) == field.default:
                del shape[field.name]
        for task in shape["tasks"]:
            if not task["pool"]:
                del task["pool"]
        text = json.dumps(shape, sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


# After models had been identified.
_ADDED = (
    "prefix_tokens", "picture_channels", "patch_stride", "activation", "gate_bias", "renormalised_scores",
    "gate_input_ahead",
)  # fmt: skip


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
