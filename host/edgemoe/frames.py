"""Frames in, results out: how pictures and head outputs lie in memory, see docs/memory.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Manifest, OutputRecord, Program, RoutingRecord
from edgemoe.errors import ArgumentError
from edgemoe.results import Routing
from edgemoe.spec.isa import Opcode
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import model_pixels, require_array
from edgemoe.spec.precision import PIXEL_OFFSET

Bytes = NDArray[np.uint8]

_SCORE_ONE = float(1 << 16)  # expert scores are Q.16


def input_image(frame: NDArray[np.uint8], model: ModelConfig) -> Bytes:
    """The input region of one frame: uint8 H×W×3 RGB → patches in row-major order at their pitch.

    Rows of mid-grey for the prefix tokens after the first come before them. A model of one channel takes the luma.
    Raises ArgumentError unless the frame has the model's size and type.
    """
    require_array(frame)
    expected = (model.image_height, model.image_width, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise ArgumentError(
            f"frame is {frame.dtype.name} {frame.shape}; model '{model.name}' takes uint8 {expected}, RGB "
            f"(edgemoe.media.resize brings any picture to that size)"
        )
    pixels = model_pixels(frame, model)
    side, step, pitch = model.patch, model.patch_step, row_pitch(model.embedded_features, 1)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    grid = windows[::step, ::step].transpose(0, 1, 3, 4, 2)  # patch row, patch column, row, column, channel
    image = np.full((model.input_rows, pitch), PIXEL_OFFSET, dtype=np.uint8)
    image[model.grey_rows :, : model.patch_features] = grid.reshape(model.patches, -1)
    return image.reshape(-1)


def read_rows(region: Bytes, address: int, rows: int, features: int, dtype: str) -> NDArray[np.signedinteger]:
    """Rows at their pitch from an output region: [rows, features] of `dtype`, e.g. `<i2`."""
    each = np.dtype(dtype).itemsize
    pitch = row_pitch(features, each)
    stored = region[address : address + rows * pitch].view(dtype).reshape(rows, pitch // each)
    return stored[:, :features]


def head_output(region: Bytes, record: OutputRecord, model: ModelConfig) -> NDArray[np.float32]:
    """Real values of one head, float32: maps C×(Hp·s)×(Wp·s), classification C logits, features tokens×D."""
    integers = read_rows(region, record.address, record.rows, record.features, "<i2")
    task = model.tasks[model.task_index(record.task)]
    if task.pool == "class-mean":
        parts = integers.reshape(len(integers), 2, -1).astype(np.float64) * record.scale
        return np.asarray(parts[0, 0] + parts[model.prefix_tokens :, 1].mean(axis=0), dtype=np.float32)
    if task.pool == "distilled":
        halves = integers[:2].reshape(2, 2, -1)  # token, head: each head is read on its own token
        mean = (halves[0, 0] + halves[1, 1].astype(np.float64)) * (record.scale / 2)
        return np.asarray(mean, dtype=np.float32)
    if not task.is_map:
        rows = integers.astype(np.float64) * record.scale
        return np.asarray(rows if task.kind == "features" else rows.mean(axis=0), dtype=np.float32)
    cells = model.head_cells
    grid = integers.reshape(model.grid_height, model.grid_width, -1, cells, cells)
    placed = grid.transpose(2, 0, 3, 1, 4).reshape(grid.shape[2], model.grid_height * cells, model.grid_width * cells)
    return (placed * record.scale).astype(np.float32)


def routing_of(region: Bytes, record: RoutingRecord) -> Routing:
    """(experts uint16, scores float32) of one task in one block, tokens × k in order of choice."""
    pairs = read_rows(region, record.address, record.rows, record.top_k, "<u4")
    return (pairs & 0xFFFF).astype(np.uint16), ((pairs >> 16) / _SCORE_ONE).astype(np.float32)


def head_outputs(region: Bytes, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Head outputs by task."""
    return {record.task: head_output(region, record, manifest.model) for record in manifest.outputs}


def routings(region: Bytes, manifest: Manifest) -> dict[str, dict[int, Routing]]:
    """Routing by task and block."""
    found: dict[str, dict[int, Routing]] = {}
    for record in manifest.routing:
        found.setdefault(record.task, {})[record.block] = routing_of(region, record)
    return found


def expert_loads(found: Mapping[str, Mapping[int, Routing]], program: Program) -> list[list[int]]:
    """Tokens of each expert for every EXPERTS of a program in turn, from what `routings` found.

    Each takes what the GATEs since the one before it have queued, one of every task: the rows of all tokens, or of the
    next block of them where rows are in memory.
    """
    model, loads = program.manifest.model, []
    blocks, done, queued = iter(model.moe_blocks), 0, 0
    block = -1
    for i in program.instructions:
        if i.opcode == Opcode.GATE:
            queued = i.rows
        if i.opcode != Opcode.EXPERTS:
            continue
        block = next(blocks) if done == 0 else block
        chosen = np.concatenate([of_task[block][0][done : done + queued].ravel() for of_task in found.values()])
        loads.append(np.bincount(chosen, minlength=model.experts).tolist())
        done = (done + queued) % model.tokens
    return loads
