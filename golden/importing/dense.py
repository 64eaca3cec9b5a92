"""Dense vision transformers of timm and Hugging Face transformers → an accelerator checkpoint.

The kind is read off the tensors. Exact rewrites on the way: LayerScale multiplies the layer before it
(γ·(W·x + b) = (γW)·x + γb), separate query, key and value become one layer, the final norm becomes the heads' own,
positions of a prefix token that has none are zero. What the tensors do not say comes from the library's configuration
beside them, else it is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from edgemoe.spec.checkpoint import CheckpointError, tensor_shapes
from edgemoe.spec.model import MAX_PREFIX_TOKENS, ModelConfig, TaskConfig
from edgemoe_golden.importing.dense_names import canonical_names, is_transformers
from edgemoe_golden.importing.gates import require
from edgemoe_golden.importing.positions import Grid, resampled, square_grid
from edgemoe_golden.importing.source_config import SourceConfig
from edgemoe_golden.importing.states import State
from edgemoe_golden.importing.upstream import Imported
from edgemoe_golden.model.variant import Variant

CLASSIFICATION, FEATURES = "classification", "features"
HEAD_WIDTH = 64
TIMM_EPSILON = 1e-6

# Networks that are no plain pre-norm transformer, by a tensor that only they have.
_REFUSED = (
    (
        r"relative_position_bias_table|\.attn\.relative_position|rel_pos",
        "attention with relative positions, as Swin has",
    ),
    (r"^norm_pre\.|^(vision_model\.)?pre_layrnorm\.", "a norm before the first block, as CLIP has"),
    (r"\.attn\.(q|k)_norm\.", "norms of query and key"),
    (r"\.mlp\.(w12|w3|weights_in|weights_out|fc1_g)\.", "a gated MLP (SwiGLU)"),
    (r"^patch_embed\.(proj\.\d+|backbone|conv)\.|^patch_embeds?\.\d", "a convolution stem before the patches"),
    (r"^(stem|conv1|features\.0|layer1\.0)\b", "convolutions, a CNN"),
    (r"\.mlp\.(experts|gate)\.", "experts; name its configuration with --config"),
)
# What does not change the tokens, with what to say about it; None: nothing.
_LEFT_OUT = (
    (r"^embeddings\.mask_token$|^mask_token$", None),
    (r"^pooler\.", "the pooler, which only pre-training used"),
    (r"^attn_pool\.|^head\.(probe|attention|layernorm|mlp)", "attention pooling, which reads the task 'features'"),
    (r"^classifier\.(layernorm|dense)\.", "its classifier, which normalises pooled tokens once more"),
)
_BLOCK = re.compile(r"^blocks\.(\d+)\.")


@dataclass(frozen=True)
class DenseOptions:
    """What to import, and what a file does not say.

    tasks: of `classification` and `features`; empty: classification where there is a classifier, else features.
    size: (height, width) of the pictures; None: what the file was trained on. heads: attention heads; None: as the
    library's configuration says, else 64 features each. mean, deviation: of pixels scaled to [0, 1], per channel.
    labels: names of the classes. activation: of the MLP; empty: as the library's configuration says, else `gelu`.
    name: of the model.
    """

    tasks: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    heads: int | None = None
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    activation: str = ""
    name: str = ""


def is_dense(state: State) -> bool:
    """Whether a state dict looks like a vision transformer of timm or transformers rather than M³ViT's own file."""
    if is_transformers(state):
        return True
    own = any(name.startswith("backbone.") or ".mlp.experts." in name for name in state)
    return not own and "patch_embed.proj.weight" in state


def from_dense(state: State, source: SourceConfig, options: DenseOptions) -> tuple[Imported, tuple[str, ...]]:
    """The checkpoint, and sentences on what was found, chosen and left out.

    Raises CheckpointError for a network of another kind, naming what it has, and for what is missing or contradictory.
    """
    library = "transformers" if is_transformers(state) else "timm"
    refuse_other_kinds(state)
    tensors = canonical_names(state)
    left = _leave_out(tensors)
    network = _Network(tensors, source, options, library)
    imported = network.imported()
    network.require_nothing_else()
    return imported, (network.statement(), *network.notes, *(f"left out: {what}" for what in left))


def refuse_other_kinds(state: State) -> None:
    """Raise CheckpointError for a network that is no plain pre-norm vision transformer, saying what it has."""
    for pattern, what in _REFUSED:
        found = next((name for name in state if re.search(pattern, name)), None)
        if found is not None:
            raise CheckpointError(f"tensor '{found}' belongs to {what}; plain pre-norm vision transformers run here")


def _leave_out(state: State) -> list[str]:
    said = []
    for pattern, what in _LEFT_OUT:
        found = [name for name in state if re.search(pattern, name)]
        for name in found:
            del state[name]
        said += [what] if found and what else []
    return said


class _Network:
    """One state dict under timm's names, and what becomes of it."""

    def __init__(self, state: State, source: SourceConfig, options: DenseOptions, library: str) -> None:
        self.state, self.source, self.options, self.library = state, source, options, library
        self.used: set[str] = set()
        self.notes: list[str] = []
        blocks = {int(match[1]) for name in state if (match := _BLOCK.match(name))}
        if not blocks or "patch_embed.proj.weight" not in state or "pos_embed" not in state:
            first = next(iter(state), "none")
            raise CheckpointError(
                "no vision transformer of timm or transformers: expected patch embedding, position embeddings and "
                f"blocks, the first of {len(state)} tensors is '{first}'"
            )
        self.depth = max(blocks) + 1
        kernel = state["patch_embed.proj.weight"]
        if kernel.ndim != 4 or kernel.shape[2] != kernel.shape[3]:
            raise CheckpointError(
                f"tensor 'patch_embed.proj.weight' has shape {tuple(kernel.shape)}; expected [D, C, p, p]"
            )
        self.width, self.channels, self.patch = int(kernel.shape[0]), int(kernel.shape[1]), int(kernel.shape[2])
        self.stride = source.stride or self.patch
        self.prefix = [name for name in ("cls_token", "dist_token", "reg_token") if name in state]
        self.prefix_tokens = sum(int(state[name].shape[1]) for name in self.prefix if state[name].ndim == 3)
        if self.prefix_tokens > MAX_PREFIX_TOKENS:
            raise CheckpointError(
                f"{self.prefix_tokens} tokens before the patches; at most {MAX_PREFIX_TOKENS} run here"
            )

    def imported(self) -> Imported:
        """Everything rewritten."""
        before, after, size = self._grids()
        tasks = self._tasks()
        config = ModelConfig(
            name=self.options.name or "imported",
            image_height=size[0],
            image_width=size[1],
            patch=self.patch,
            patch_stride=0 if self.stride == self.patch else self.stride,
            width=self.width,
            depth=self.depth,
            heads=self._heads(),
            mlp_ratio=self._ratio(),
            moe_blocks=(),
            experts=0,
            top_k=0,
            expert_ratio=0,
            tasks=tasks,
            head_cells=1,
            **self._pixels(),
            layernorm_epsilon=TIMM_EPSILON if self.source.epsilon is None else self.source.epsilon,
            prefix_tokens=self.prefix_tokens,
            picture_channels=self.channels,
            activation=self._activation(),
        )
        tensors = self._backbone(config, before, after) | self._heads_of(config)
        return Imported(config, {name: tensors[name] for name in tensor_shapes(config)}, Variant(), {})

    def statement(self) -> str:
        """One sentence: kind, library, sizes."""
        state, kind = self.state, "ViT"
        registers = int(state["reg_token"].shape[1]) if "reg_token" in state else 0
        if "blocks.0.ls1.gamma" in state:
            kind = f"DINOv2 with {registers} registers" if registers else "DINOv2"
        elif "dist_token" in state:
            kind = "spectrogram transformer" if self.channels == 1 else "DeiT, distilled"
        elif not self.prefix:
            kind = "ViT without class token"
        name = f" ({self.source.kind})" if self.source.kind else ""
        return (
            f"{kind} of {self.library}{name}: {self.depth} blocks of width {self.width}, "
            f"patches of {self.patch}×{self.patch}×{self.channels}, {self.prefix_tokens} prefix token(s)"
        )

    def require_nothing_else(self) -> None:
        """Raise CheckpointError for the first tensor without a place."""
        for name, value in self.state.items():
            if name not in self.used:
                raise CheckpointError(
                    f"tensor '{name}' of shape {tuple(value.shape)} has no place in a plain vision transformer"
                )

    def _take(self, name: str, *shape: int) -> Tensor:
        self.used.add(name)
        return require(self.state, name, shape)

    def _grids(self) -> tuple[Grid, Grid, tuple[int, int]]:
        """Grid of the position embeddings, grid wanted, (height, width) of the pictures."""
        rows = int(self.state["pos_embed"].shape[1]) if self.state["pos_embed"].ndim == 3 else 0
        native = self.source.size
        own = [
            rows - count for count in (self.prefix_tokens, len(self.prefix), 1, 0) if 0 <= count <= self.prefix_tokens
        ]
        if native is not None and self._grid(native)[0] * self._grid(native)[1] in own:
            before = self._grid(native)
        else:
            found = [grid for count in own if (grid := square_grid(count)) is not None and count > 0]
            if not found:
                raise CheckpointError(
                    f"{rows} position embeddings are no square grid of patches; name the size with --size"
                )
            before, native = found[0], None
        default = native or ((before[0] - 1) * self.stride + self.patch, (before[1] - 1) * self.stride + self.patch)
        size = self.options.size or default
        if self.stride == self.patch and (size[0] % self.patch or size[1] % self.patch):
            raise CheckpointError(
                f"pictures of {size[0]}×{size[1]} pixels are no multiple of the patch side {self.patch}"
            )
        after = self._grid(size)
        if after != before:
            self.notes.append(
                f"position embeddings interpolated from {before[0]}×{before[1]} to {after[0]}×{after[1]} patches"
            )
        return before, after, size

    def _grid(self, size: tuple[int, int]) -> Grid:
        rows, columns = ((side - self.patch) // self.stride + 1 for side in size)
        return max(rows, 0), max(columns, 0)

    def _heads(self) -> int:
        heads = self.options.heads or self.source.heads
        if heads is None:
            if self.width % HEAD_WIDTH:
                raise CheckpointError(f"nothing says how many attention heads width {self.width} has; pass --heads")
            heads = self.width // HEAD_WIDTH
            self.notes.append(f"{heads} attention heads, {HEAD_WIDTH} features each as usual; --heads says otherwise")
        if self.width % heads:
            raise CheckpointError(f"width {self.width} is not a multiple of {heads} attention heads")
        return heads

    def _ratio(self) -> int:
        name = "blocks.0.mlp.fc1.weight"
        hidden = int(self.state[name].shape[0]) if name in self.state else 0
        if not hidden or hidden % self.width:
            raise CheckpointError(f"hidden width {hidden} of the MLP is no multiple of the width {self.width}")
        return hidden // self.width

    def _activation(self) -> str:
        return self.options.activation or self.source.activation or "gelu"

    def _pixels(self) -> dict[str, tuple[float, ...]]:
        mean = self.options.mean or self.source.mean
        deviation = self.options.deviation or self.source.deviation
        if not mean or not deviation:
            raise CheckpointError(
                "nothing beside the file says how its pixels are normalised; pass --pixels imagenet (mean 0.485, 0.456, "
                "0.406), half (mean and deviation 0.5) or none, or --mean and --deviation"
            )
        if len(mean) != self.channels or len(deviation) != self.channels:
            raise CheckpointError(f"{len(mean)} means and {len(deviation)} deviations for {self.channels} channel(s)")
        return {"pixel_mean": mean, "pixel_std": deviation}

    def _tasks(self) -> tuple[TaskConfig, ...]:
        wanted = self.options.tasks
        pool = self._pool()
        if not wanted:
            wanted = (CLASSIFICATION,) if pool else (FEATURES,)
        tasks = []
        for name in wanted:
            if name == FEATURES:
                tasks.append(TaskConfig(FEATURES, "features", self.width, unit="normalised feature"))
            elif name == CLASSIFICATION and pool:
                classes = int(self.state["head.weight"].shape[0])
                labels = self.options.labels or (self.source.labels if len(self.source.labels) == classes else ())
                if labels and len(labels) != classes:
                    raise CheckpointError(f"{len(labels)} labels for {classes} classes")
                tasks.append(TaskConfig(CLASSIFICATION, CLASSIFICATION, classes, labels, pool=pool))
            elif name == CLASSIFICATION:
                raise CheckpointError(
                    "task 'classification': the file has no classifier that runs here; ask for 'features'"
                )
            else:
                raise CheckpointError(f"task '{name}' is unknown; a dense model has {CLASSIFICATION} and {FEATURES}")
        return tuple(tasks)

    def _pool(self) -> str:
        """How the classifier pools tokens, empty where there is none that runs here."""
        weight = self.state.get("head.weight")
        if weight is None or weight.ndim != 2:
            return ""
        if any(name.startswith("fc_norm.") for name in self.state):
            raise CheckpointError("tensor 'fc_norm.weight' normalises pooled tokens; norms of tokens run here")
        if "head_dist.weight" in self.state:
            return "distilled"
        if "cls_token" not in self.state:
            return "mean"
        return "class-mean" if weight.shape[1] == 2 * self.width else "class"

    def _backbone(self, config: ModelConfig, before: Grid, after: Grid) -> State:
        width, hidden = self.width, config.mlp_hidden
        table = self._take("pos_embed", 1, int(self.state["pos_embed"].shape[1]), width)
        placed = table.shape[1] - before[0] * before[1]
        antialias = self.library == "timm" or "reg_token" in self.state
        patches = resampled(table[:, placed:], before, after, antialias)
        missing = torch.zeros(1, self.prefix_tokens - placed, width)
        tensors: State = {"backbone.pos_embed": torch.cat([table[:, :placed], missing, patches], 1)}
        parts = [self._take(name, 1, int(self.state[name].shape[1]), width) for name in self.prefix]
        if parts:
            prefix = torch.cat(parts, 1)
            tensors |= {"backbone.cls_token": prefix[:, :1], "backbone.register_tokens": prefix[:, 1:]}
        proj = "patch_embed.proj"
        tensors[f"backbone.{proj}.weight"] = self._take(f"{proj}.weight", width, self.channels, self.patch, self.patch)
        tensors[f"backbone.{proj}.bias"] = self._take(f"{proj}.bias", width)
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
                weight, bias = (
                    self._take(f"{own}.{layer}.weight", outputs, inputs),
                    self._take(f"{own}.{layer}.bias", outputs),
                )
                tensors[f"backbone.{own}.{layer}.weight"] = weight * gamma[:, None]
                tensors[f"backbone.{own}.{layer}.bias"] = bias * gamma
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
