"""A layer that begins beside the LAYERNORM whose rows it reads: rtl/control/beside_layernorm.v, for the cycle model."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.machine import Sizes

_KNOWN = 5  # cycles from a write to what the sequencer knows of it


@dataclass(frozen=True)
class Normalised:
    """Rows first … end − 1 of NORM, as LAYERNORM writes them.

    begin: row that its first group begins with, at most `first`. group: rows side by side; period: cycles of a group.
    written: cycle in which the last group is.
    """

    first: int
    end: int
    begin: int
    group: int
    period: int
    written: float

    def known(self, row: int) -> float:
        """Cycle from which the sequencer knows that all rows before `row` are written."""
        groups = -(-(self.end - self.begin) // self.group)
        behind = groups + (self.begin - row) // self.group  # groups behind that row's
        return self.written - behind * self.period + _KNOWN

    def lets(self, i: Instruction, lines: int, sizes: Sizes) -> bool:
        """Whether an instruction may begin beside it: a layer whose weights take so many lines, or STORE of ROUTING."""
        if i.opcode == Opcode.STORE:
            return i.source == Buffer.ROUTING
        reads = i.opcode in (Opcode.GATE, Opcode.HEAD) or (
            i.opcode == Opcode.LINEAR and i.source != Buffer.HIDDEN and i.epilogue != Epilogue.RESIDUAL
        )
        inside = self.first <= i.source_row and i.source_row + i.rows <= self.end
        return reads and inside and lines <= sizes.kept_lines

    def split(self, i: Instruction, token_par: int, steps_of_tile: int, ready: float) -> tuple[float, int]:
        """Cycle in which a layer begins that is ready at `ready`, and the rows of its first pass.

        steps_of_tile: of the array, for a tile of token_par rows.
        """
        first, end = i.source_row // token_par, i.source_row + i.rows
        for tile in range(first + 1, -(-end // token_par)):
            row = tile * token_par
            left = -(-(end - row) // self.group) * self.period
            after = self.known(row + token_par)
            if (tile - first) * steps_of_tile >= left and after > ready:
                return max(ready, self.known(row)), row - i.source_row
        return max(ready, self.known(end)), i.rows
