"""Where things stand on a panel: columns of one task each, the answer above and its experts below."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgemoe.spec.model import ModelConfig

MARGIN = 40
GUTTER = 32
HEADER = 112
CAPTION = 40
LEGEND = 96
ROW_GAP = 24
FOOT = 16

_AREA = 205_000
_MIN_COLUMN = 400
_MAX_COLUMNS = 4


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels; they depend on the model and on which tasks are shown, never on the frame.

    cell: side of a patch. height, width: of a picture. column: of a tile, at least as wide as its picture.
    columns: tiles side by side. bands: how often they start anew. rows: of a band, 2 with experts, else 1.
    """

    cell: int
    height: int
    width: int
    column: int
    columns: int
    bands: int
    rows: int

    @classmethod
    def of(cls, model: ModelConfig, tasks: int, routed: bool) -> Layout:
        """Lay out the input and `tasks` answers, with a row of experts below when `routed`."""
        cell = max(4, round(math.sqrt(_AREA / model.patches)))
        height, width = cell * model.grid_height, cell * model.grid_width
        tiles = tasks + 1
        # Wrapped rows are 3 or 4 wide, whichever leaves fewer holes at the end.
        columns = tiles if tiles <= _MAX_COLUMNS else min((4, 3), key=lambda count: -tiles % count)
        bands = math.ceil(tiles / columns)
        return cls(cell, height, width, max(width, _MIN_COLUMN), columns, bands, 2 if routed else 1)

    @property
    def row_height(self) -> int:
        """Caption, picture, legend and the gap to the next row."""
        return CAPTION + self.height + LEGEND + ROW_GAP

    @property
    def page(self) -> tuple[int, int]:
        """(height, width) of the panel, even as video codecs need."""
        height = HEADER + self.bands * self.rows * self.row_height + FOOT
        width = 2 * MARGIN + self.columns * self.column + (self.columns - 1) * GUTTER
        return height + height % 2, width + width % 2

    def corner(self, index: int, row: int) -> tuple[int, int]:
        """Top left (x, y) of tile `index` (0 is the input, then the tasks) in row 0 (answer) or 1 (experts)."""
        band, column = divmod(index, self.columns)
        x = MARGIN + column * (self.column + GUTTER)
        return x, HEADER + (band * self.rows + row) * self.row_height
