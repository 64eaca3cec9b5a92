"""From head outputs to what a task says: maps, class logits, features."""

from __future__ import annotations

from torch import Tensor

from edgemoe.spec.model import ModelConfig


def head_maps(output: Tensor, config: ModelConfig) -> Tensor:
    """Turn head output [B, patches, C·s²] into cell maps [B, C, Hp·s, Wp·s].

    The C·s² values of a patch stand in order [channel][cell row][cell column]; patches row by row.
    """
    cells, rows, columns = config.head_cells, config.grid_height, config.grid_width
    batch = output.shape[0]
    grid = output.view(batch, rows, columns, -1, cells, cells)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(batch, -1, rows * cells, columns * cells)


def task_output(output: Tensor, config: ModelConfig, task: str) -> Tensor:
    """Head output [B, rows, outputs] as the host sees it: [B, *config.output_shape(task)]."""
    found = config.tasks[config.task_index(task)]
    if found.is_map:
        return head_maps(output, config)
    if found.kind == "features":
        return output
    if found.pool == "distilled":
        return (output[:, 0, : found.channels] + output[:, 1, found.channels :]) / 2
    if found.pool == "class-mean":
        return output[:, 0, : found.channels] + output[:, config.prefix_tokens :, found.channels :].mean(1)
    return output.mean(1)
