"""Records that pass between the RTL engine's modules as one word: names, widths and order of their fields.

A width is a number of bits or the name of one of `Sizes`. Generated as rtl/include/<record>.vh; benches pack and
unpack words with `layout`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgemoe.spec.machine import Sizes


@dataclass(frozen=True)
class RecordField:
    """One field; name as in the headers, in lower case."""

    name: str
    width: int | str
    text: str = ""

    def bits(self, sizes: Sizes) -> int:
        """Its width in one build."""
        return self.width if isinstance(self.width, int) else sizes_of(self.width, sizes)


def sizes_of(name: str, sizes: Sizes) -> int:
    """A size by its name; in_par and its like are the configuration's."""
    value: int = getattr(sizes if hasattr(Sizes, name) else sizes.hardware, name)
    return value


@dataclass(frozen=True)
class Place:
    """Where a field lies in one build: its lowest bit and its width."""

    low: int
    width: int


@dataclass(frozen=True)
class Record:
    """Fields from the lowest bit up. after: another record whose fields come first."""

    name: str
    text: str
    fields: tuple[RecordField, ...]
    after: Record | None = None

    def layout(self, sizes: Sizes) -> dict[str, Place]:
        """Own fields by name."""
        return dict(self._places(sizes))

    def bits(self, sizes: Sizes) -> int:
        """Bits of the whole record."""
        return self._first(sizes) + sum(field.bits(sizes) for field in self.fields)

    def _first(self, sizes: Sizes) -> int:
        return 0 if self.after is None else self.after.bits(sizes)

    def _places(self, sizes: Sizes) -> Iterator[tuple[str, Place]]:
        low = self._first(sizes)
        for field in self.fields:
            yield field.name, Place(low, field.bits(sizes))
            low += field.bits(sizes)


PASS = Record(
    "pass",
    "a pass, one product on the array with one epilogue",
    (
        RecordField("kind", 3, "PASS_QKV …"),
        RecordField("left", 3, "LEFT_NORM …"),
        RecordField("first_row", 16, "of the left operand"),
        RecordField("end_row", 16, "one past the last"),
        RecordField("left_vectors", "vectors_bits", "vectors of a row"),
        RecordField("left_base", "vectors_bits", "first vector read of a row"),
        RecordField("input_tiles", 12),
        RecordField("output_tiles", 12),
        RecordField("members", 4, "output tiles of a group, 1 or for P·V up to CONTEXT_MEMBERS"),
        RecordField("destination_row", 16, "where first_row goes"),
        RecordField("destination_vectors", "vectors_bits"),
        RecordField("destination_base", "vectors_bits"),
        RecordField("block", 1, "which half of the score rows"),
        RecordField("after_drain", 1, "begins when everything before it has been written"),
        RecordField("expert", 8),
        RecordField("wide", 1, "left operands of two digits, whose sums are joined on their way out"),
        RecordField("sliced", 1, "attention: a slice of the keys, whose P·V has slots of its own; else all of them"),
        RecordField("first_key", 16, "row of its first key"),
        RecordField("first_word", 12, "word of scores of that key"),
        RecordField("goes_on", 1, "not the first slice of its block"),
        RecordField("unfinished", 1, "nor the last one"),
    ),
)

JOB = Record(
    "job",
    "a drain job, the sums of one group on their way out: the pass, then these",
    (
        RecordField("slot", "slot_bits", "first row of sums"),
        RecordField("tiles", 8, "token tiles"),
        RecordField("output_tile", 12, "first output tile"),
        RecordField("members", 4, "output tiles of this group, fewer in the last one"),
        RecordField("last", 1, "last group of its pass"),
    ),
    after=PASS,
)

DRAIN = Record(
    "drain",
    "a drain step: one row of sums of each post row",
    (
        RecordField("rows", "post_rows", "which are rows of the pass"),
        RecordField("kind", 3, "PASS_QKV …"),
        RecordField("lane", 4, "lane of the first post row"),
        RecordField("slot", "slot_bits"),
        RecordField("index", 16, "row relative to the pass"),
        RecordField("row", 16, "row it goes to"),
        RecordField("vectors", "vectors_bits", "vectors of a row there"),
        RecordField("vector", "vectors_bits", "vector of that row"),
        RecordField("part", 1, "part of that vector"),
        RecordField("third", 2, "QKV: query, key or value"),
        RecordField("expert", 8),
        RecordField("tile", 12, "output tile of the pass"),
        RecordField("query", "query_bits", "row of scores"),
        RecordField("job_ends", 1),
        RecordField("pass_ends", 1),
        RecordField("first", 1, "first member of its row"),
        RecordField("last", 1, "last member of its row"),
    ),
)

STEP = Record(
    "step",
    "a step of the array",
    (
        RecordField("valid", 1),
        RecordField("first", 1, "the sums begin here"),
        RecordField("low_digit", 1, "gate: the low digit of the left operand"),
        RecordField("exponential", 1, "the left operand is exponentials of scores"),
        RecordField("first_keys", 1, "Σe begins here"),
        RecordField("last_keys", 1, "Σe is complete after this"),
        RecordField("summed", 1, "exponentials are added to Σe"),
        RecordField("part", 1, "which part of the vector, or of the score word"),
        RecordField("left", 3, "LEFT_NORM …"),
        RecordField("slot", "slot_bits"),
        RecordField("depth", "depth_bits"),
        RecordField("score", "score_address_bits"),
        RecordField("mask", "in_par", "keys of the task"),
    ),
)

FETCH = Record(
    "fetch",
    "a command to stream_reader",
    (
        RecordField("kind", 3, "FETCH_HEADER …"),
        RecordField("number", 32, "segment number of a header"),
        RecordField("count", 32, "payload lines of a header, lines to pass on or to skip"),
        RecordField("output_tiles", 12),
        RecordField("input_tiles", 12, "right tiles per output tile"),
        RecordField("channels", 1, "channel records precede the tiles of an output tile"),
        RecordField("narrow", 1, "weights of 4 bits"),
        RecordField("members", 4, "values: output tiles of a group"),
        RecordField("head_base", "vectors_bits", "keys and values: first vector of the head"),
        RecordField("first_key", 16, "keys and values: first row"),
    ),
)

# One header each; a record that stands after another lies in its file.
HEADERS = ((PASS, JOB), (DRAIN,), (STEP,), (FETCH,))
