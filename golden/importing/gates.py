"""All forms of M³ViT's gates, rewritten as one matrix and at most one bias per task, see model/variant.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe.errors import ArgumentError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.importing.states import State
from edgemoe_golden.model.variant import MASKED

ORDERS = ("auto", "softmax-first", "top-k-first")
_REPRESENT = "backbone.gate_task_represent"
_EPSILON = 1e-6


@dataclass(frozen=True)
class GateOptions:
    """What a checkpoint does not say about its gates.

    order: `softmax-first` (noisy_vmoe), `top-k-first` (noisy), or `auto`: the latter where w_noise is present.
    experts_per_task: width of each task's window of experts (`--regu_experts_fromtask`), None for no windows.
    input_ahead: gates read the block's input (`--gate_input_ahead`), not LayerNorm 2.
    """

    order: str = "auto"
    experts_per_task: int | None = None
    input_ahead: bool = False

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ArgumentError(f"unknown gate order '{self.order}'; there are {', '.join(ORDERS)}")

    def renormalised(self, state: State) -> bool:
        """Whether the scores of the chosen experts sum to 1."""
        if self.order == "auto":
            return any(name.endswith("w_noise") for name in state)
        return self.order == "top-k-first"


def window_starts(config: ModelConfig, width: int) -> list[int]:
    """First expert of every task's window, as M³ViT computes it: sums of sums, so from the third task on with gaps.

    Raises CheckpointError when a window does not hold k experts or ends beyond the last.
    """
    starts = [width * task * (task + 1) // 2 for task in range(len(config.tasks))]
    if not config.top_k <= width <= config.experts:
        raise CheckpointError(f"{width} experts per task; expected {config.top_k} (k) … {config.experts}")
    for task, start in zip(config.tasks, starts, strict=True):
        if start + width > config.experts:
            raise CheckpointError(
                f"{width} experts per task put the window of task '{task.name}' at {start} … {start + width - 1}, "
                f"but there are {config.experts} experts"
            )
    return starts


def task_features(state: State, tasks: int) -> Tensor | None:
    """f_t for every task, [tasks, S], of a checkpoint with task-conditioned gates, else None.

    f_t = LayerNorm(fc2(GELU(fc1(one-hot of t)))). Raises CheckpointError naming a tensor that is missing or misshapen.
    """
    names = {name for name in state if name.startswith(f"{_REPRESENT}.")}
    if not names:
        return None
    size = len(state.get(f"{_REPRESENT}.norm.bias", torch.empty(0)))
    shapes = {"fc1.weight": (size, tasks), "fc1.bias": (size,), "fc2.weight": (size, size), "fc2.bias": (size,)}
    shapes |= {"norm.weight": (size,), "norm.bias": (size,)}
    part = {suffix: require(state, f"{_REPRESENT}.{suffix}", shape) for suffix, shape in shapes.items()}
    hidden = functional.gelu(functional.linear(torch.eye(tasks), part["fc1.weight"], part["fc1.bias"]))
    hidden = functional.linear(hidden, part["fc2.weight"], part["fc2.bias"])
    return functional.layer_norm(hidden, (size,), part["norm.weight"], part["norm.bias"], _EPSILON)


def rewritten_gates(state: State, config: ModelConfig, options: GateOptions) -> tuple[State, bool]:
    """Gate tensors `…mlp.gate.{task}.w_gate` and `.bias` of all MoE blocks, and whether biases are needed.

    One shared gate is copied to every task. Raises CheckpointError.
    """
    features = task_features(state, len(config.tasks))
    windows = None if options.experts_per_task is None else window_starts(config, options.experts_per_task)
    gates: State = {}
    for block in config.moe_blocks:
        name = f"backbone.blocks.{block}.mlp.gate"
        for task in range(len(config.tasks)):
            single = f"{name}.{task}.w_gate" not in state and f"{name}.w_gate" in state
            key = f"{name}.w_gate" if single or features is not None else f"{name}.{task}.w_gate"
            extra = 0 if features is None else features.shape[1]
            weight = require(state, key, (config.width + extra, config.experts))
            bias = torch.zeros(config.experts)
            if features is not None:
                bias = bias + features[task] @ weight[config.width :]
            if windows is not None and options.experts_per_task is not None:
                outside = torch.ones(config.experts, dtype=torch.bool)
                outside[windows[task] : windows[task] + options.experts_per_task] = False
                bias = bias.masked_fill(outside, MASKED)
            gates[f"{name}.{task}.w_gate"] = weight[: config.width].clone()
            gates[f"{name}.{task}.bias"] = bias
    biased = features is not None or windows is not None
    return {key: value for key, value in gates.items() if biased or key.endswith("w_gate")}, biased


def require(state: State, name: str, shape: tuple[int, ...]) -> Tensor:
    """One float32 tensor of the state; raises CheckpointError when missing, misshapen, of integers or not finite."""
    if name not in state:
        raise CheckpointError(f"tensor '{name}' is missing; expected shape {shape}")
    if tuple(state[name].shape) != shape:
        raise CheckpointError(f"tensor '{name}' has shape {tuple(state[name].shape)}; expected {shape}")
    if not state[name].is_floating_point():
        raise CheckpointError(f"tensor '{name}' holds {state[name].dtype}; expected floating-point weights")
    if not torch.isfinite(state[name]).all():
        raise CheckpointError(f"tensor '{name}' holds NaN or infinite values")
    return state[name].float()
