"""M³ViT's state dict → an accelerator checkpoint, and convolutional heads for the host.

A convolutional head begins with a LayerNorm, then needs its D features at every patch. An accelerator head is a
LayerNorm and a linear layer; with the identity as linear layer and one cell per patch it gives exactly those features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import torch

from edgemoe.spec.checkpoint import CheckpointError, tensor_shapes
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import NAME_LENGTH
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.importing.gates import GateOptions, require, rewritten_gates
from edgemoe_golden.importing.states import State
from edgemoe_golden.model.decoder import decoder_shapes
from edgemoe_golden.model.variant import Variant

_UNUSED = re.compile(
    r"^tam_model"  # deep supervision, in training only
    r"|_aux$|\.w_noise$"  # noise of the gate, 0 in inference
    r"|\.mlp\.gate\.(\d+\.)?head\."  # prediction of classes from gates, in training only
    r"|^backbone\.dist_token$|\.num_batches_tracked$"
)

_FEATURES = "_features"  # appended to the name of a model whose heads are on the host
_BLOCK = re.compile(r"^backbone\.blocks\.(\d+)\.")


@dataclass(frozen=True)
class Imported:
    """What an import gives: tensors of `config` (a head per task), the variant, and tensors of `decoders.<task>.`."""

    config: ModelConfig
    tensors: State
    variant: Variant
    decoders: State


def feature_config(config: ModelConfig) -> ModelConfig:
    """The same backbone with heads that give the D normalised features of every patch."""
    tasks = tuple(TaskConfig(task.name, "regression", config.width, unit="normalised feature") for task in config.tasks)
    return replace(config, name=f"{config.name[: NAME_LENGTH - len(_FEATURES)]}{_FEATURES}", tasks=tasks, head_cells=1)


def from_upstream(state: State, config: ModelConfig, options: GateOptions) -> Imported:
    """Rewrite a state dict of M³ViT; `config` gives sizes, tasks in id order and their channels.

    Raises CheckpointError naming the first tensor that is missing, misshapen, not finite or of no known use.
    """
    _require_same_family(state, config)
    used: set[str] = set()
    linear_heads = any(name.startswith("heads.") for name in state)
    gates, biased = rewritten_gates(state, config, options)
    renormalised, ahead = options.renormalised(state), options.input_ahead
    config = replace(config, gate_bias=biased, renormalised_scores=renormalised, gate_input_ahead=ahead)
    own = config if linear_heads else feature_config(config)
    tensors: State = {}
    for name, shape in tensor_shapes(own).items():
        if ".mlp.gate." in name:
            tensors[name] = gates[name]
        elif linear_heads or not name.startswith("heads."):
            tensors[name] = require(state, name, shape)
            used.add(name)
    decoders: State = {}
    channels: dict[str, int] = {}
    if not linear_heads:
        for task in config.tasks:
            tensors |= _feature_head(task.name, config.width)
            found = _decoder(state, config, task, used)
            if found:
                norms = {name: found.pop(name) for name in list(found) if name.startswith("norm.")}
                tensors |= {f"heads.{task.name}.{name}": value for name, value in norms.items()}
                decoders |= {f"decoders.{task.name}.{name}": value for name, value in found.items()}
                channels[task.name] = task.channels
    _require_nothing_else(state, used, config)
    return Imported(own, tensors, Variant(decoders=channels), decoders)


def _feature_head(task: str, width: int) -> State:
    """A head that hands on its normalised input; γ and β are replaced where the checkpoint has a decoder."""
    return {
        f"heads.{task}.norm.weight": torch.ones(width),
        f"heads.{task}.norm.bias": torch.zeros(width),
        f"heads.{task}.linear.weight": torch.eye(width),
        f"heads.{task}.linear.bias": torch.zeros(width),
    }


def _decoder(state: State, config: ModelConfig, task: TaskConfig, used: set[str]) -> State:
    """Tensors of one convolutional head and its norm, empty when the checkpoint has no heads at all."""
    single = len(config.tasks) == 1 and any(name.startswith("decoder.") for name in state)
    prefix = "decoder." if single else f"decoders.{task.name}."
    if not any(name.startswith(("decoder.", "decoders.")) for name in state):
        return {}
    shapes: dict[str, tuple[int, ...]] = {"norm.weight": (config.width,), "norm.bias": (config.width,)}
    shapes |= decoder_shapes(config.width, task.channels)
    used |= {prefix + name for name in shapes}
    return {name: require(state, prefix + name, shape) for name, shape in shapes.items()}


def _require_same_family(state: State, config: ModelConfig) -> None:
    """Raise CheckpointError for what is plainly another network, before single tensors are looked at."""
    numbers = {int(match[1]) for name in state if (match := _BLOCK.match(name))}
    if not numbers:
        first = next(iter(state))
        raise CheckpointError(
            f"not an M³ViT checkpoint: none of its {len(state)} tensors begins with 'backbone.blocks.'; "
            f"the first is '{first}'"
        )
    if max(numbers) + 1 != config.depth:
        raise CheckpointError(f"has {max(numbers) + 1} blocks; model '{config.name}' has {config.depth}")
    require(state, "backbone.cls_token", (1, 1, config.width))
    require(state, "backbone.pos_embed", (1, config.tokens, config.width))
    for block in range(config.depth):
        dense = f"backbone.blocks.{block}.mlp.fc1.weight" in state
        sparse = any(name.startswith(f"backbone.blocks.{block}.mlp.experts.") for name in state)
        if (dense and not sparse and block in config.moe_blocks) or (sparse and block not in config.moe_blocks):
            kinds = "a mixture of experts", "a dense MLP"
            found, expected = kinds if sparse else kinds[::-1]
            raise CheckpointError(f"block {block} is {found}; in model '{config.name}' it is {expected}")


def _require_nothing_else(state: State, used: set[str], config: ModelConfig) -> None:
    gates = re.compile(r"^backbone\.blocks\.(\d+)\.mlp\.gate\.(?:(\d+)\.)?w_gate$")
    for name in state:
        if name in used or _UNUSED.search(name) or name.startswith("backbone.gate_task_represent."):
            continue
        gate = gates.match(name)
        if gate and int(gate[1]) in config.moe_blocks and int(gate[2] or 0) < len(config.tasks):
            continue
        shape, tasks = tuple(state[name].shape), ", ".join(task.name for task in config.tasks)
        raise CheckpointError(
            f"tensor '{name}' of shape {shape} has no place in model '{config.name}' with tasks {tasks}"
        )
