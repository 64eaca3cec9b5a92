"""What a dense state dict says of its network, and what has to be said beside it: the `ModelConfig` of an import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import MAX_PREFIX_TOKENS, ModelConfig
from edgemoe.spec.names import shown
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.importing.positions import Grid, square_grid
from edgemoe_golden.importing.source_config import SourceConfig
from edgemoe_golden.importing.states import State

CLASSIFICATION, FEATURES = "classification", "features"
HEAD_WIDTH = 64
TIMM_EPSILON = 1e-6
DINO_PATCH = 14
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


class DenseShape:
    """One state dict under timm's names, its sizes, and what has been said of it in `notes`."""

    def __init__(self, state: State, source: SourceConfig, options: DenseOptions, library: str) -> None:
        self.state, self.source, self.options, self.library = state, source, options, library
        self.notes: list[str] = []
        blocks = {int(match[1]) for name in state if (match := _BLOCK.match(name))}
        if not blocks or "patch_embed.proj.weight" not in state:
            first = next(iter(state), "none")
            raise CheckpointError(
                "no vision transformer of timm or transformers: expected patch embedding, position embeddings and "
                f"blocks, the first of {len(state)} tensors is {shown(first)}"
            )
        if "pos_embed" not in state:
            raise CheckpointError(
                "it has no position embeddings, so that positions come in elsewhere: rotary, as in DINOv3, or "
                "relative, as in BEiT; plain pre-norm vision transformers run here"
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
        for name in ("pos_embed", *self.prefix):
            if state[name].ndim != 3:
                raise CheckpointError(f"tensor '{name}' has shape {tuple(state[name].shape)}; expected [1, tokens, D]")
        self.prefix_tokens = sum(int(state[name].shape[1]) for name in self.prefix)
        if self.prefix_tokens > MAX_PREFIX_TOKENS:
            raise CheckpointError(
                f"{self.prefix_tokens} tokens before the patches; at most {MAX_PREFIX_TOKENS} run here"
            )

    def config(self, size: tuple[int, int]) -> ModelConfig:
        """The model for pictures of that (height, width); raises CheckpointError for what is not known."""
        return ModelConfig(
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
            tasks=self._tasks(),
            head_cells=1,
            **self._pixels(),
            layernorm_epsilon=TIMM_EPSILON if self.source.epsilon is None else self.source.epsilon,
            prefix_tokens=self.prefix_tokens,
            picture_channels=self.channels,
            activation=self._activation(),
        )

    def statement(self) -> str:
        """One sentence: kind, library, sizes."""
        state, kind = self.state, "ViT"
        registers = int(state["reg_token"].shape[1]) if "reg_token" in state else 0
        if "blocks.0.ls1.gamma" in state:
            dino = self.source.kind.startswith("dinov2") or (self.patch == DINO_PATCH and "cls_token" in state)
            kind = "DINOv2" if dino else "ViT with LayerScale"
            kind += f"{' and' if 'with' in kind else ' with'} {registers} registers" if registers else ""
        elif "dist_token" in state:
            kind = "spectrogram transformer" if self.channels == 1 else "DeiT, distilled"
        elif not self.prefix:
            kind = "ViT without class token"
        name = f" ({self.source.kind})" if self.source.kind else ""
        return (
            f"{kind} of {self.library}{name}: {self.depth} blocks of width {self.width}, "
            f"patches of {self.patch}×{self.patch}×{self.channels}, {self.prefix_tokens} prefix token(s)"
        )

    def grids(self) -> tuple[Grid, Grid, tuple[int, int]]:
        """Grid of the position embeddings, grid wanted, (height, width) of the pictures."""
        rows = int(self.state["pos_embed"].shape[1])
        native = self.source.size
        own = [
            rows - count for count in (self.prefix_tokens, len(self.prefix), 1, 0) if 0 <= count <= self.prefix_tokens
        ]
        if native is not None and self._grid(native)[0] * self._grid(native)[1] in own:
            before = self._grid(native)
        else:
            found = [grid for count in own if count > 0 and (grid := square_grid(count)) is not None]
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

    @property
    def hidden(self) -> int:
        """Features between both layers of an MLP, as the file has them."""
        name = "blocks.0.mlp.fc1.weight"
        weight = self.state.get(name)
        if weight is None or weight.ndim != 2 or not weight.shape[0]:
            raise CheckpointError(f"tensor '{name}' is missing or no matrix; expected [hidden features, {self.width}]")
        return int(weight.shape[0])

    def _ratio(self) -> int:
        """MLP ratio; a hidden width between two multiples of the width is padded with zeros, as activation(0) = 0."""
        ratio = -(-self.hidden // self.width)
        if ratio * self.width != self.hidden:
            self.notes.append(f"hidden width of the MLP padded with zeros from {self.hidden} to {ratio * self.width}")
        return ratio

    def _activation(self) -> str:
        return self.options.activation or self.source.activation or "gelu"

    def _pixels(self) -> dict[str, Any]:
        mean = self.options.mean or self.source.mean
        deviation = self.options.deviation or self.source.deviation
        if not mean or not deviation:
            raise CheckpointError(
                "nothing beside the file says how its pixels are normalised; pass --pixels imagenet (mean 0.485, "
                "0.456, 0.406), half (mean and deviation 0.5) or none, or --mean and --deviation"
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
