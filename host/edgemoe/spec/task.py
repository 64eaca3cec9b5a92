"""Tasks of a model: what each one's output means."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.precision import MAX_FEATURES
from edgemoe.spec.strict import ConfigError, check_name, check_text

TASK_KINDS = ("segmentation", "regression", "classification", "features")
MAP_KINDS = ("segmentation", "regression")
POOLS = ("class", "mean", "distilled", "class-mean")


@dataclass(frozen=True)
class TaskConfig:
    """One task: its name, how its output is read, and its number of output channels C.

    `segmentation`: channels are class logits per cell, `labels` their names. `regression`: values per cell in `unit`.
    `classification`: channels are class logits of the picture, `labels` their names; `pool` says of which tokens:
    `class` the class token, `mean` the mean over all patches, `distilled` the mean of two heads, one on the class
    token and one on the distillation token (DeiT), `class-mean` the sum of two, on the class token and on the mean.
    `features`: C = D normalised features of every token, for heads of the user's own.
    """

    name: str
    kind: str
    channels: int
    labels: tuple[str, ...] = ()
    unit: str = ""
    pool: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "task name")
        if "." in self.name:
            raise ConfigError(f"task name '{self.name}' must have no '.', which separates the parts of tensor names")
        check_text(self.unit, f"task '{self.name}': unit")
        for label in self.labels:
            check_text(label, f"task '{self.name}': a label")
        if self.kind not in TASK_KINDS:
            raise ConfigError(f"task '{self.name}': kind '{self.kind}' is unknown; kinds are {', '.join(TASK_KINDS)}")
        if not 1 <= self.channels <= MAX_FEATURES:
            raise ConfigError(
                f"task '{self.name}': channels must be at least 1 and at most {MAX_FEATURES}, found {self.channels}"
            )
        if self.labels and len(self.labels) != self.channels:
            raise ConfigError(f"task '{self.name}': {len(self.labels)} labels for {self.channels} channels")
        pools = POOLS if self.kind == "classification" else ("",)
        if self.pool not in pools:
            wanted = f"one of {', '.join(pools)}" if self.kind == "classification" else "none"
            raise ConfigError(f"task '{self.name}' of kind '{self.kind}': pool '{self.pool}'; expected {wanted}")

    @property
    def is_map(self) -> bool:
        """Whether the output is a map over the picture's cells."""
        return self.kind in MAP_KINDS
