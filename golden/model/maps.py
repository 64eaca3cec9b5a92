"""From head outputs to maps."""

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
