"""Checkpoints: which tensors a model has, under which names, and how they are read.

A checkpoint folder holds `config.json` (ModelConfig), `weights.safetensors` (float16) and `calibration.json`.
Tensor names are those of M³ViT's own state dict, so that the float model loads either. `forward` of a linear layer is
`x @ weight.T + bias`; gate weights stand the other way round, `x @ w_gate`. `register_tokens` are the prefix tokens
after the first; position embeddings have a row for every token (zeros for registers, which have no place).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import read_limited
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.names import complaint, shown
from edgemoe.spec.strict import distinct

WEIGHTS_FILE = "weights.safetensors"
CONFIG_FILE = "config.json"
CALIBRATION_FILE = "calibration.json"
DECODER_FILE = "decoder.onnx"
"""What the host computes from the features, where a checkpoint brings such a graph."""
PREPROCESSOR_FILE = "preprocessor.onnx"
"""What the host does to the picture beforehand, likewise."""

_HEADER_BYTES = 1 << 20
_LARGEST_BYTES = 8  # of one element
_FLOATS = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8"}

Tensors = dict[str, NDArray[np.float32]]
Stored = list[tuple[str, dict[str, Any]]]


class CheckpointError(EdgeMoeError, ValueError):
    """A checkpoint that cannot be used; the message names the tensor, what was found and what was expected."""


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a model, in the order of the network."""
    width, experts = config.width, config.experts
    shapes: dict[str, tuple[int, ...]] = {}
    if config.prefix_tokens:
        shapes["backbone.cls_token"] = (1, 1, width)
    if config.prefix_tokens > 1:
        shapes["backbone.register_tokens"] = (1, config.prefix_tokens - 1, width)
    shapes |= {
        "backbone.pos_embed": (1, config.tokens, width),
        "backbone.patch_embed.proj.weight": (width, config.picture_channels, config.patch, config.patch),
        "backbone.patch_embed.proj.bias": (width,),
    }

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        shapes[f"{name}.bias"] = (outputs,)

    def norm(name: str) -> None:
        shapes[f"{name}.weight"] = (width,)
        shapes[f"{name}.bias"] = (width,)

    for index in range(config.depth):
        block = f"backbone.blocks.{index}"
        norm(f"{block}.norm1")
        linear(f"{block}.attn.qkv", 3 * width, width)
        linear(f"{block}.attn.proj", width, width)
        norm(f"{block}.norm2")
        if index in config.moe_blocks:
            hidden = config.expert_hidden
            for task in range(len(config.tasks)):
                shapes[f"{block}.mlp.gate.{task}.w_gate"] = (width, experts)
                if config.gate_bias:
                    shapes[f"{block}.mlp.gate.{task}.bias"] = (experts,)
            shapes[f"{block}.mlp.experts.htoh4.weight"] = (experts, hidden, width)
            shapes[f"{block}.mlp.experts.htoh4.bias"] = (experts, hidden)
            shapes[f"{block}.mlp.experts.h4toh.weight"] = (experts, width, hidden)
            shapes[f"{block}.mlp.experts.h4toh.bias"] = (experts, width)
        else:
            linear(f"{block}.mlp.fc1", config.mlp_hidden, width)
            linear(f"{block}.mlp.fc2", width, config.mlp_hidden)
    for task_config in config.tasks:
        head = f"heads.{task_config.name}"
        norm(f"{head}.norm")
        linear(f"{head}.linear", config.head_outputs(task_config.name), width)
    return shapes


def check_tensors(config: ModelConfig, tensors: Tensors) -> None:
    """Check names, shapes and finiteness; raises CheckpointError naming the first tensor that is wrong."""
    expected = tensor_shapes(config)
    for name, shape in expected.items():
        if name not in tensors:
            raise CheckpointError(f"tensor '{name}' is missing; expected shape {shape}")
        if tensors[name].shape != shape:
            raise CheckpointError(f"tensor '{name}' has shape {tensors[name].shape}; expected {shape}")
        if not np.isfinite(tensors[name]).all():
            raise CheckpointError(f"tensor '{name}' holds NaN or infinite values")
    unknown = sorted(set(tensors) - set(expected))
    if unknown:
        raise CheckpointError(f"tensor {shown(unknown[0])} does not belong to model '{config.name}'")


def read_tensors(path: Path, model: str, shapes: Iterable[tuple[int, ...]]) -> Tensors:
    """All tensors of a safetensors file as float32; bfloat16, float16, float32 and float64 are read.

    shapes: of the tensors that `model` has, because a file that is larger is not read. Raises CheckpointError naming
    the file, and a tensor of another type: integers and 8-bit floats need scales, and no file says where they are.
    """
    stored, _ = read_stored(path, model, shapes)
    return {name: _widened(f"{path}: tensor {shown(name)}", **facts) for name, facts in stored}


def read_stored(path: Path, model: str, shapes: Iterable[tuple[int, ...]]) -> tuple[Stored, str]:
    """Name, then dtype, shape and data of every tensor of a safetensors file, and the SHA-256 of the file.

    shapes: as in `read_tensors`. Raises CheckpointError naming the file.
    """
    from safetensors import SafetensorError, deserialize

    limit = _LARGEST_BYTES * sum(math.prod(shape) for shape in shapes) + _HEADER_BYTES
    if path.is_file() and path.stat().st_size > limit:
        size = path.stat().st_size
        raise CheckpointError(f"{path}: {size:,} bytes, model '{model}' has at most {limit:,}")
    try:
        content = read_limited(path, limit)
        stored: Stored = deserialize(content)  # type: ignore[no-untyped-call]
        header = int.from_bytes(content[:8], "little")
        json.loads(content[8 : 8 + header], object_pairs_hook=distinct)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({complaint(error)})") from error
    return stored, hashlib.sha256(content).hexdigest()


def _widened(where: str, dtype: str, shape: list[int], data: bytearray) -> NDArray[np.float32]:
    if dtype not in _FLOATS:
        accepted = ", ".join(_FLOATS)
        raise CheckpointError(f"{where} holds {dtype}; accepted are {accepted}: convert it, with its scale applied")
    values = np.frombuffer(data, dtype=_FLOATS[dtype])
    if dtype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # found as infinite by check_tensors
        return values.astype(np.float32).reshape(shape)


def load_checkpoint(folder: Path) -> tuple[ModelConfig, Tensors]:
    """Read and check one checkpoint folder; tensors come back as float32.

    Raises CheckpointError for a missing or unreadable file, ConfigError for a bad configuration.
    """
    config = load_model_config(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; a checkpoint folder needs {WEIGHTS_FILE}")
    return config, checked_tensors(path, config)


def checked_tensors(path: Path, config: ModelConfig) -> Tensors:
    """All tensors of a model, as float32, from a safetensors file; raises CheckpointError naming it."""
    tensors = read_tensors(path, config.name, tensor_shapes(config).values())
    try:
        check_tensors(config, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return tensors
