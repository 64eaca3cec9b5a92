"""Reading M³ViT's checkpoint files into one state dict: single file or folder of ranks, with or without prefixes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgemoe.spec.checkpoint import CheckpointError, read_tensors
from edgemoe.spec.names import shown
from edgemoe_golden.importing.torch_files import load_torch

State = dict[str, Tensor]

_RANK_FILE = re.compile(r"^(\d+)\.pth$")
_EXPERT_KEY = re.compile(r"mlp\.experts\.(htoh4|h4toh)\.")
_WRAPPER = "module."
_BACKBONE = "backbone."
_CLASSIFIER = re.compile(r"^(head|norm|pre_logits|fc_norm)\b")
"""Parts of an ImageNet classifier that a bare backbone file brings along and M³ViT drops."""

MAX_VALUES = 1 << 29
"""Values of a safetensors file at most: 500 million parameters, more than any network that fits a board's rows."""


def is_rank_folder(source: Path) -> bool:
    """Whether `source` is a folder of `0.pth`, `1.pth`, …, as written with experts spread over processes."""
    return source.is_dir() and any(_RANK_FILE.match(path.name) for path in source.iterdir())


def read_state(source: Path) -> State:
    """Read a file or a folder of ranks; prefixes are taken off and experts of all ranks joined.

    Raises CheckpointError naming the file, and the tensor where one is at fault.
    """
    state = _join_ranks(source) if source.is_dir() else read_file(source)
    if "cls_token" in state and not any(name.startswith(_BACKBONE) for name in state):
        return {_BACKBONE + name: value for name, value in state.items() if not _CLASSIFIER.match(name)}
    return state


def _join_ranks(folder: Path) -> State:
    ranks = sorted(int(match[1]) for path in folder.iterdir() if (match := _RANK_FILE.match(path.name)))
    for expected, rank in enumerate(ranks):
        if rank != expected:
            raise CheckpointError(f"{folder / f'{expected}.pth'}: no such file; ranks 0 … {ranks[-1]} are needed")
    states = [read_file(folder / f"{rank}.pth") for rank in ranks]
    joined = states[0]
    experts = [name for name in joined if _EXPERT_KEY.search(name)]
    for rank, state in enumerate(states[1:], start=1):
        path = folder / f"{rank}.pth"
        for name in experts:
            if name not in state:
                raise CheckpointError(f"{path}: tensor '{name}' is missing; every rank holds its part of the experts")
            if state[name].shape[1:] != joined[name].shape[1:]:
                found, expected_shape = tuple(state[name].shape), ("experts", *joined[name].shape[1:])
                raise CheckpointError(f"{path}: tensor '{name}' has shape {found}; expected {expected_shape}")
    return joined | {name: torch.cat([state[name] for state in states]) for name in experts}


def read_file(path: Path) -> State:
    """The state dict of a torch or safetensors file, wrappers' prefixes taken off; raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        stored = read_tensors(path, "not named by a configuration", ((MAX_VALUES,),))
        return {_stripped(name): torch.from_numpy(value) for name, value in stored.items()}
    return {_stripped(name): value for name, value in _tensors(path, load_torch(path)).items()}


def _tensors(path: Path, content: Any) -> Mapping[str, Tensor]:
    """The state dict inside what a training script saved."""
    if isinstance(content, Mapping):
        for key in ("state_dict", "model"):
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path}: holds no state dict; expected tensors by name, or those under 'state_dict'")
    for name, value in content.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path}: has a tensor under the key {shown(name)}; expected names")
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: {shown(name)} is a {type(value).__name__}; expected tensors by name")
        _require_plain(f"{path}: tensor {shown(name)}", value)
    return content


def _require_plain(where: str, tensor: Tensor) -> None:
    """Raise CheckpointError unless every element has a value of its own in the file, in a type that can be computed."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        kind = "quantised" if tensor.is_quantized else "nested" if tensor.is_nested else "sparse"
        raise CheckpointError(f"{where} is {kind}; expected plain tensors: save it dequantised and dense")
    if tensor.is_meta:
        raise CheckpointError(f"{where} is on the meta device, so its values are not in the file; save it from a CPU")
    if tensor.is_floating_point() and tensor.element_size() == 1:
        raise CheckpointError(f"{where} holds {tensor.dtype}; accepted are float64, float32, float16 and bfloat16")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CheckpointError(f"{where} has shape {tuple(tensor.shape)}, but fewer stored values; save it contiguous")


def _stripped(name: str) -> str:
    while name.startswith(_WRAPPER):
        name = name.removeprefix(_WRAPPER)
    return name
