"""The compute unit as its benches see it: sizes, words of fields (rtl/*.vh), passes of the array and their products."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.rtl.build import INCLUDE_FOLDER
from edgemoe.spec.hardware import VECTOR
from sim.common.bench import hardware

CONFIG = hardware()
NUMBERS = CONFIG.numbers
TOKEN_PAR, IN_PAR, OUT_PAR = CONFIG.token_par, CONFIG.in_par, CONFIG.out_par
POST_ROWS = CONFIG.post_lanes // OUT_PAR
OUT_PARTS = VECTOR // OUT_PAR
LOGIT_BITS = 48 if NUMBERS.fine else 42
TILE_QUEUE = CHANNEL_QUEUE = 16
QUERY_TILES = CONTEXT_MEMBERS = 8
KEY_WORD_BITS = (CONFIG.max_tokens // OUT_PAR + 1).bit_length()
_ROW_TILES = -(-CONFIG.max_rows // TOKEN_PAR) + 1
LOGIT_ROWS = 1 if NUMBERS.fine else 3  # sums of a logit: of two high digits, of a high and a low one, of two low ones
SLOTS = 1 << (max(2 * _ROW_TILES, 2 * QUERY_TILES * CONTEXT_MEMBERS, LOGIT_ROWS * _ROW_TILES) - 1).bit_length()
IntArray = NDArray[np.int64]


class Fields:
    """A word of fields as a header of rtl/ lays it out: name → lowest bit and width."""

    def __init__(self, header: str, prefix: str, before: int = 0) -> None:
        known = {"POST_ROWS": POST_ROWS, "SLOT_BITS": SLOTS.bit_length() - 1, "PASS_BITS": before}
        line = re.compile(rf"localparam ({prefix}_\w+) = ([^;]+);(?:\s*// (\w+))?")
        self._fields: dict[str, tuple[int, int]] = {}
        self.bits = 0
        for name, value, width in line.findall((INCLUDE_FOLDER / header).read_text(encoding="utf-8")):
            known[name] = int(eval(value, {}, known))
            if name == f"{prefix}_BITS":
                self.bits = known[name]
            else:
                size = known[width] if width in known else int(width)
                self._fields[name.removeprefix(f"{prefix}_").lower()] = (known[name], size)

    def pack(self, **values: int) -> int:
        """A word; fields that are not given are 0."""
        word = 0
        for name, value in values.items():
            low, width = self._fields[name]
            assert 0 <= value < 1 << width, f"{name} = {value} has more than {width} bits"
            word |= value << low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """All fields of a word."""
        return {name: (word >> low) & ((1 << width) - 1) for name, (low, width) in self._fields.items()}

    def values(self, word: int) -> list[int]:
        """All fields of a word, without their names."""
        return list(self.unpack(word).values())


PASS = Fields("pass.vh", "PASS")
JOB = Fields("pass.vh", "JOB", PASS.bits)
FETCH = Fields("fetch.vh", "FETCH")
DRAIN = Fields("drain.vh", "DRAIN")


class Kind(IntEnum):
    """What a pass does with its sums."""

    QKV = 0
    GELU = 1
    RESIDUAL = 2
    WEIGHTED = 3
    HEAD = 4
    LOGITS = 5
    SCORES = 6
    CONTEXT = 7


class Left(IntEnum):
    """Where left operands come from."""

    NORM = 0
    HIDDEN = 1
    GATE_INPUT = 2
    QUERY = 3
    GATHERED = 4
    EXPONENTIALS = 5


class Fetch(IntEnum):
    """What stream_reader does."""

    HEADER = 0
    WEIGHTS = 1
    KEYS = 2
    VALUES = 3
    LINES = 4
    SKIP = 5


@dataclass(frozen=True)
class Pass:
    """One product on the array. Rows first_row … first_row + rows − 1; tiles as the array has them."""

    kind: Kind
    left: Left
    first_row: int
    rows: int
    left_vectors: int
    input_tiles: int
    output_tiles: int
    left_base: int = 0
    members: int = 1
    destination_row: int = 0
    destination_vectors: int = 0
    destination_base: int = 0
    block: int = 0
    after_drain: int = 0
    expert: int = 0

    @property
    def word(self) -> int:
        """As rtl/include/pass.vh has it."""
        values = {name: int(value) for name, value in vars(self).items() if name != "rows"}
        return PASS.pack(**values, end_row=self.first_row + self.rows)

    @property
    def token_tiles(self) -> int:
        """Tiles of TOKEN_PAR rows that the rows touch."""
        return (self.first_row + self.rows - 1) // TOKEN_PAR - self.first_row // TOKEN_PAR + 1

    @property
    def groups(self) -> list[range]:
        """Output tiles that share a sweep over the input tiles."""
        tiles, members = self.output_tiles, self.members
        return [range(first, min(first + members, tiles)) for first in range(0, tiles, members)]

    @property
    def sums(self) -> int:
        """Slots of a group in the ring of sums, for each token tile."""
        return LOGIT_ROWS if self.kind == Kind.LOGITS else self.members

    def lanes_of(self, token_tile: int) -> list[tuple[int, int]]:
        """(lane, row relative to the pass) of a token tile."""
        first = (self.first_row // TOKEN_PAR + token_tile) * TOKEN_PAR - self.first_row
        return [(lane, first + lane) for lane in range(TOKEN_PAR) if 0 <= first + lane < self.rows]


def split_digits(values: IntArray) -> tuple[IntArray, IntArray]:
    """(high, low): signed digits of 8 bits, values = 256·high + low."""
    high = (values + 128) >> 8
    return high, values - 256 * high
