"""Frames in, results out: how pictures and head outputs lie in memory, see docs/memory.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Manifest, OutputRecord, RoutingRecord
from edgemoe.errors import ArgumentError
from edgemoe.results import Routing
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import require_array

Bytes = NDArray[np.uint8]

_SCORE_ONE = float(1 << 16)  # expert scores are Q.16


def input_image(frame: NDArray[np.uint8], model: ModelConfig) -> Bytes:
    """The input region of one frame: uint8 H×W×3 RGB → patches in row-major order at their pitch.

    Raises ArgumentError unless the frame has the model's size and type.
    """
    require_array(frame)
    expected = (model.image_height, model.image_width, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise ArgumentError(
            f"frame is {frame.dtype.name} {frame.shape}; model '{model.name}' takes uint8 {expected}, RGB "
            f"(edgemoe.media.resize brings any picture to that size)"
        )
    side, pitch = model.patch, row_pitch(model.patch_features, 1)
    grid = frame.reshape(model.grid_height, side, model.grid_width, side, 3).swapaxes(1, 2)
    image = np.zeros((model.patches, pitch), dtype=np.uint8)
    image[:, : model.patch_features] = grid.reshape(model.patches, -1)
    return image.reshape(-1)


def read_rows(region: Bytes, address: int, rows: int, features: int, dtype: str) -> NDArray[np.signedinteger]:
    """Rows at their pitch from an output region: [rows, features] of `dtype`, e.g. `<i2`."""
    each = np.dtype(dtype).itemsize
    pitch = row_pitch(features, each)
    stored = region[address : address + rows * pitch].view(dtype).reshape(rows, pitch // each)
    return stored[:, :features]


def head_map(region: Bytes, record: OutputRecord, model: ModelConfig) -> NDArray[np.float32]:
    """Real values of one head on the cell grid: float32 C×(Hp·s)×(Wp·s)."""
    integers = read_rows(region, record.address, record.rows, record.features, "<i2")
    cells = model.head_cells
    grid = integers.reshape(model.grid_height, model.grid_width, -1, cells, cells)
    placed = grid.transpose(2, 0, 3, 1, 4).reshape(grid.shape[2], model.grid_height * cells, model.grid_width * cells)
    return (placed * record.scale).astype(np.float32)


def routing_of(region: Bytes, record: RoutingRecord) -> Routing:
    """(experts uint16, scores float32) of one task in one block, tokens × k in order of choice."""
    pairs = read_rows(region, record.address, record.rows, record.top_k, "<u4")
    return (pairs & 0xFFFF).astype(np.uint16), ((pairs >> 16) / _SCORE_ONE).astype(np.float32)


def head_maps(region: Bytes, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Head outputs by task."""
    return {record.task: head_map(region, record, manifest.model) for record in manifest.outputs}


def routings(region: Bytes, manifest: Manifest) -> dict[str, dict[int, Routing]]:
    """Routing by task and block."""
    found: dict[str, dict[int, Routing]] = {}
    for record in manifest.routing:
        found.setdefault(record.task, {})[record.block] = routing_of(region, record)
    return found


def expert_loads(found: Mapping[str, Mapping[int, Routing]], model: ModelConfig) -> list[list[int]]:
    """Tokens of each expert over all tasks, MoE block by MoE block, from what `routings` found."""
    chosen = [np.concatenate([blocks[block][0].ravel() for blocks in found.values()]) for block in model.moe_blocks]
    return [np.bincount(experts, minlength=model.experts).tolist() for experts in chosen]
