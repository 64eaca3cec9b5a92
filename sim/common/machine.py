"""The compute unit as its benches see it: sizes and records of the specification, passes of the array, products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec import records
from edgemoe.spec.machine import QUERY_TILES, Left, PassKind, Sizes
from sim.common.bench import hardware

CONFIG = hardware()
NUMBERS = CONFIG.numbers
SIZES = Sizes(CONFIG)
TOKEN_PAR, IN_PAR, OUT_PAR = CONFIG.token_par, CONFIG.in_par, CONFIG.out_par
POST_ROWS, OUT_PARTS = SIZES.post_rows, SIZES.out_parts
LOGIT_BITS, LOGIT_ROWS, FACTOR_BITS = SIZES.logit_bits, SIZES.logit_rows, SIZES.factor_bits
KEY_WORD_BITS, SLOTS = SIZES.key_word_bits, SIZES.slots
IntArray = NDArray[np.int64]


class Word:
    """A record of this build as one integer."""

    def __init__(self, record: records.Record) -> None:
        self._fields = record.layout(SIZES)
        self.bits = record.bits(SIZES)

    def pack(self, **values: int) -> int:
        """A word; fields that are not given are 0."""
        word = 0
        for name, value in values.items():
            place = self._fields[name]
            assert 0 <= value < 1 << place.width, f"{name} = {value} has more than {place.width} bits"
            word |= value << place.low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """All fields of a word."""
        return {name: (word >> place.low) & ((1 << place.width) - 1) for name, place in self._fields.items()}

    def values(self, word: int) -> list[int]:
        """All fields of a word, without their names."""
        return list(self.unpack(word).values())


PASS, JOB, FETCH, DRAIN = (Word(each) for each in (records.PASS, records.JOB, records.FETCH, records.DRAIN))


@dataclass(frozen=True)
class Pass:
    """One product on the array. Rows first_row … first_row + rows − 1; tiles as the array has them."""

    kind: PassKind
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
    wide: int = 0
    sliced: int = 0
    first_key: int = 0
    first_word: int = 0
    goes_on: int = 0
    unfinished: int = 0

    @property
    def word(self) -> int:
        """The record."""
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
        return LOGIT_ROWS if self.kind == PassKind.LOGITS else 2 if self.wide else self.members

    @property
    def ring_slots(self) -> int:
        """Slots that a group takes in the ring of sums: of slices, P·V stands elsewhere."""
        if not self.sliced:
            return self.token_tiles * self.sums
        return QUERY_TILES if self.kind == PassKind.SCORES else 0

    def first_slot(self, ring: int) -> int:
        """Where a group's sums begin, with the ring used up to slot `ring`."""
        if not self.sliced:
            return ring
        if self.kind == PassKind.CONTEXT:
            return SLOTS // 2 + self.block * SLOTS // 4
        return ring % (SLOTS // 2) // QUERY_TILES * QUERY_TILES

    def ring_after(self, ring: int) -> int:
        """Up to where the ring is used with one more group."""
        if not self.sliced:
            return (ring + self.ring_slots) % SLOTS
        return (ring % (SLOTS // 2) // QUERY_TILES * QUERY_TILES + self.ring_slots) % (SLOTS // 2)

    @property
    def has_jobs(self) -> bool:
        """Whether its sums leave: those of P·V grow from slice to slice."""
        return not (self.kind == PassKind.CONTEXT and self.unfinished)

    def job_of(self, ring: int, group: range) -> dict[str, int]:
        """Fields of the drain job of a group, but its members."""
        first_tile = self.first_word if self.kind == PassKind.SCORES else 0
        last = group == self.groups[-1] and not self.unfinished
        return {"slot": self.first_slot(ring), "tiles": self.token_tiles, "output_tile": first_tile + group.start,
                "last": int(last)}  # fmt: skip

    def lanes_of(self, token_tile: int) -> list[tuple[int, int]]:
        """(lane, row relative to the pass) of a token tile."""
        first = (self.first_row // TOKEN_PAR + token_tile) * TOKEN_PAR - self.first_row
        return [(lane, first + lane) for lane in range(TOKEN_PAR) if 0 <= first + lane < self.rows]


def score_row(block: int, tile: int) -> int:
    """Row of scores of one lane: which of two blocks, tile of queries in it."""
    return block << SIZES.query_bits - 1 | tile


def split_digits(values: IntArray) -> tuple[IntArray, IntArray]:
    """(high, low): signed digits of 8 bits, values = 256·high + low."""
    high = (values + 128) >> 8
    return high, values - 256 * high
