"""The array and the units around it as clocks, group of output tiles by group (docs/hardware/rtl.md).

Three clocks run beside each other: `taken`, when the stream reader has taken a group's right tiles; `array`, when the
array has made its sums; `drained`, when the post lanes have taken them. Constants that the Verilog has, too, come from
`edgemoe.spec.machine`; those here are latencies of the modules named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from edgemoe.compiler.beside import Normalised
from edgemoe.compiler.prefetch import Prefetch
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import STREAM_LINE, Instruction
from edgemoe.spec.machine import TILE_QUEUE, Sizes
from edgemoe.spec.memory import linear_bytes

_HEADER = 7  # stream_reader: from the command for a header to its answer
_SUPPLY = 5  # from the take of a tile to its first step
_AGAIN = 6  # stream_reader: from the last tile of a pass to the first of the same weights


def whole(size: int, unit: int) -> int:
    """Units that hold `size`."""
    return -(-size // unit)


class ArrayClock:
    """One instruction, whose first command may leave at cycle `start`.

    norm: rows that LAYERNORM still writes, where this instruction reads them, or those that it has begun to.
    mac: steps of the array. post: cycles of the post lanes, or of the unit that moves rows. waited: for weights.
    """

    def __init__(
        self, hardware: HardwareConfig, memory: Prefetch, start: float, norm: Normalised | None = None
    ) -> None:
        self.hardware = hardware
        self.memory = memory
        self.norm = norm
        self.begin = start
        self.taken = self.array = self.drained = self.begin
        self.waited = 0.0
        self.mac = self.post = 0
        sizes = Sizes(hardware)
        self.post_rows = sizes.post_rows
        self.sums = sizes.job_delay + 1  # from a group's last step to its drain
        self.reads = sizes.read_cycles + 1  # from a pass' last step until its left operands have been read
        self.slots = sizes.slots
        self.sizes = sizes
        self.made: list[tuple[int, float]] = []  # rows of an output tile, and when their sums are made
        self.ring: deque[tuple[int, float]] = deque()  # sums of groups that are not drained, and when they are

    def _header(self) -> None:
        arrived = self.memory.take(STREAM_LINE, self.taken)
        self.waited += arrived - self.taken
        self.taken = arrived + _HEADER

    def _group(self, tiles: int, token_tiles: int, drain: float, supply: int, size: int = 0) -> None:
        """Output tiles that are summed together: `tiles` right tiles of `token_tiles` steps each.

        drain: cycles of the post lanes. supply: cycles in which the tiles are taken. size: their bytes of the stream.
        The group waits for room in the ring of sums.
        """
        self._room(token_tiles)
        self._steps(tiles, token_tiles, supply, size)
        self._drain(drain, token_tiles)

    def _room(self, sums: int) -> None:
        while self.ring and sum(each for each, _ in self.ring) + sums > self.slots:
            self.array = max(self.array, self.ring.popleft()[1])

    def _steps(self, tiles: int, token_tiles: int, supply: int, size: int = 0) -> None:
        steps = tiles * token_tiles
        wanted = max(self.taken + supply, self.array + steps - TILE_QUEUE * token_tiles)
        self.taken = self.memory.take(size, wanted)
        done = max(self.array + steps, wanted + _SUPPLY + token_tiles)
        self.array = max(done, self.taken + _SUPPLY + token_tiles)
        self.waited += self.array - done
        self.mac += steps

    def _drain(self, drain: float, sums: int) -> None:
        self.post += round(drain)
        self.drained = max(self.drained, self.array + self.sums) + drain
        self.ring.append((sums, self.drained))

    def _linear(
        self, rows: int, inputs: int, outputs: int, drain: float, wide: int, narrow: int, again: bool = False
    ) -> None:
        """Weights from the stream, per output tile its channel records and its tiles.

        again: the weight buffer has them. wide: each tile meets the two digits of the activations, one after the other.
        """
        shape = self.hardware
        size = 0 if again else linear_bytes(shape.out_par, inputs, shape, narrow)
        tiles, token_tiles = whole(inputs, shape.in_par), whole(rows, shape.token_par) * (2 if wide else 1)
        for _ in range(whole(outputs, shape.out_par)):
            self._group(tiles, token_tiles, drain, tiles + 1, size)
            self.made.append((rows, self.array))

    def _passes(self, i: Instruction, steps_of_tile: int) -> Iterator[int]:
        """Rows of each pass of a layer, when it may begin: two passes where LAYERNORM has not written all rows yet."""
        rows = i.rows
        if self.norm is not None:
            self.taken, rows = self.norm.split(i, self.hardware.token_par, steps_of_tile, self.taken)
        self.array = max(self.array, self.taken + _SUPPLY)
        yield rows
        if self.norm is not None and rows < i.rows:
            self.taken += _AGAIN
            self.array = max(self.array, self.norm.known(i.source_row + i.rows))
            yield i.rows - rows
