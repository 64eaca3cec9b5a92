"""Models of the sizes that people bring, and the shape on which each is counted, for `make bench-sizes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.compiler.program import Program
from edgemoe.compiler.residency import Need, blocks_of, is_resident
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Opcode
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.task import TaskConfig

ROOM = {"streaming": True, "max_tokens": 1376, "max_width": 768, "max_top_k": 4, "row_elements": 101_376}
"""What a shape gets that does not take a model: rows in memory, and room for the keys of one head of 1,370 tokens."""


def dense(name: str, width: int, heads: int, patch: int, side: int, task: TaskConfig | None = None) -> ModelConfig:
    """Twelve blocks. task: None for features of all tokens."""
    task = task or TaskConfig("features", "features", width)
    return ModelConfig(name, side, side, patch, width, 12, heads, 4, (), 0, 0, 0, (task,), head_cells=1)


_SMALL = load_model_config("small")
MODELS: Mapping[str, tuple[ModelConfig, int]] = {  # and how many of its tasks run together
    "tiny": (load_model_config("tiny"), 1),
    "DeiT-small": (dense("deit_small", 384, 6, 16, 224), 1),
    "DINOv2-small, 257 tokens": (dense("dinov2_small", 384, 6, 14, 224), 1),
    "DINOv2-small, 1,370 tokens": (dense("dinov2_large_picture", 384, 6, 14, 518), 1),
    "ViT-Base": (dense("vit_base", 768, 12, 16, 224), 1),
    "small, 2 blocks": (replace(_SMALL, depth=2, moe_blocks=(1,)), 1),
    "small, 1 task": (_SMALL, 1),
    "small, 2 tasks": (_SMALL, 2),
    "small_pascal, 5 tasks": (load_model_config("small_pascal"), 5),
}


@dataclass(frozen=True)
class Case:
    """A model on a shape. as_shipped: the shape holds it, or takes it by blocks, as its file says."""

    name: str
    hardware: HardwareConfig
    as_shipped: bool

    @property
    def config(self) -> ModelConfig:
        """The model's sizes."""
        return MODELS[self.name][0]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that run together."""
        config, count = MODELS[self.name]
        return tuple(task.name for task in config.tasks[:count])

    @property
    def need(self) -> Need:
        """What it asks of the shape."""
        return Need(self.config, len(self.tasks), self.hardware)

    @property
    def rows_bytes(self) -> int:
        """Bytes that LOAD and STORE move, by the formula of docs/concepts/streaming.md; 0 where all rows stay."""
        return 0 if is_resident(self.need) else rows_formula(self.config, len(self.tasks), self.hardware)

    @property
    def turns(self) -> int:
        """How often a layer's weights are read."""
        return 1 if is_resident(self.need) else -(-self.config.tokens // blocks_of(self.need).tokens)


def case(name: str, shipped: HardwareConfig) -> Case:
    """A model on a shipped shape, or on the same array with `ROOM` where that does not take it.

    Raises DoesNotFitError when it does not fit that one either.
    """
    tried = Case(name, shipped, as_shipped=True)
    try:
        require_fit(tried.config, tried.tasks, shipped)
    except DoesNotFitError:
        larger = {part: value for part, value in ROOM.items() if getattr(shipped, part) < value}
        tried = Case(name, replace(shipped, name=f"{shipped.name}_rows", **larger), as_shipped=False)  # type: ignore[arg-type]
        require_fit(tried.config, tried.tasks, tried.hardware)
    return tried


def rows_formula(config: ModelConfig, tasks: int, hardware: HardwareConfig) -> int:
    """Bytes of rows that come from memory and go there in a frame. All tasks are apart from the first experts on."""
    size, shared = config.tokens * config.width, config.moe_blocks[0] if config.moe_blocks else config.depth
    activation = hardware.numbers.activation_bytes
    operands, context, residual = 3 * activation, activation, 2 * activation  # bytes for each feature of a row
    total = size * residual + size * (residual + operands)
    for index in range(config.depth):
        before, after = (tasks if index > shared else 1), (tasks if index >= shared else 1)
        total += before * size * (operands + context)  # attention: operands in, outputs out
        total += before * size * (residual + context) + after * size * residual
        total += after * size * operands if index + 1 < config.depth else 0
    heads = sum(config.head_rows(task.name)[1] for task in config.tasks[:tasks])
    return total + heads * config.width * residual


def weights_formula(program: Program, turns: int) -> int:
    """By docs/concepts/streaming.md: what stands between two attentions once for each block of rows, the rest once."""
    size = int(program.stream.size)
    repeats = [i for i in program.instructions if i.opcode == Opcode.REPEAT]
    begins = [0, *(int(i.address) for i in repeats)]
    once = sum(end - begin for i, begin, end in zip(repeats, begins, begins[1:], strict=False) if i.rows == 1)
    return once + turns * (size - once) if repeats else size
