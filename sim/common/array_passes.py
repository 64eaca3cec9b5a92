"""Passes that benches of the array make: every kind, one row, rows that begin inside a token tile, partial groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.machine import CONTEXT_MEMBERS, QUERY_TILES, Fetch, Left, PassKind
from sim.common.machine import CONFIG, FETCH, IN_PAR, OUT_PAR, SIZES, SLOTS, TOKEN_PAR, Pass

SECOND = CONFIG.max_rows // 2  # where a second task's rows begin


@dataclass(frozen=True)
class Group:
    """Passes of one instruction; keys are those of ATTENTION. fills: no sums are drained until their ring is full."""

    passes: list[Pass]
    first_key: int = 0
    keys: int = 1
    fills: bool = False


def attention(first: int, rows: int, vectors: int, heads: int, key_row: int = 0, keys: int = 0) -> Group:
    """Scores of a block, then P·V of the one before, as ATTENTION has them. keys: 0 for those of the same rows."""
    width = vectors // heads
    first_key, count = (key_row, keys) if keys else (first, rows)
    scores = Pass(PassKind.SCORES, Left.QUERY, first, rows, vectors, width * VECTOR // IN_PAR, 0)
    tiles = width * VECTOR // OUT_PAR
    members = min(tiles, QUERY_TILES)
    context = Pass(PassKind.CONTEXT, Left.EXPONENTIALS, first, rows, 0, 0, tiles, members=members)
    slices = SIZES.slices_of(first_key, first_key + count, scores.input_tiles, tiles)
    size = QUERY_TILES * TOKEN_PAR
    blocks = range(first // TOKEN_PAR * TOKEN_PAR, first + rows, size)
    parts = [(max(start, first), min(start + size, first + rows), head) for head in range(heads) for start in blocks]
    passes: list[Pass] = []
    before: list[Pass] = [replace(context, rows=0)] * len(slices)
    for number, (start, end, head) in enumerate(parts):
        rows_of, block = end - start, number % 2
        of_block = replace(scores, first_row=start, rows=rows_of, block=block, left_base=head * width)
        placed = replace(context, destination_row=start, destination_vectors=vectors, destination_base=head * width)
        placed = replace(placed, first_row=start, rows=rows_of, block=block)
        for turn, of_scores in enumerate(by_slices(of_block, slices)):
            passes += [of_scores, before[turn]]
        before = by_slices(placed, slices)
    return Group([each for each in [*passes, *before] if each.rows], first_key, count)


def by_slices(work: Pass, slices: list[tuple[int, int]]) -> list[Pass]:
    """Scores or P·V of one block, slice of keys by slice of keys."""
    parts = []
    for first, end in slices:
        words, inputs = ((end - 1) // unit - first // unit + 1 for unit in (OUT_PAR, IN_PAR))
        part = replace(
            work,
            sliced=int(len(slices) > 1),
            first_key=first,
            first_word=first // OUT_PAR - slices[0][0] // OUT_PAR,
            goes_on=int(first > slices[0][0]),
            unfinished=int(end < slices[-1][1]),
        )
        of_scores = work.kind == PassKind.SCORES
        parts.append(replace(part, output_tiles=words) if of_scores else replace(part, input_tiles=inputs))
    return parts


def fetch_of(work: Pass, vectors: int, heads: int) -> int:
    """The command to stream_reader that goes with a pass."""
    context = work.kind == PassKind.CONTEXT
    return FETCH.pack(
        kind=Fetch.VALUES if context else Fetch.KEYS,
        output_tiles=work.output_tiles,
        input_tiles=work.input_tiles,
        members=min(vectors // heads * VECTOR // OUT_PAR, CONTEXT_MEMBERS),
        head_base=work.destination_base if context else work.left_base,
        first_key=work.first_key,
    )


LONG = Pass(PassKind.HEAD, Left.NORM, SECOND, CONFIG.max_rows - SECOND, 1, 1, 2)
WIDE = [
    [Pass(PassKind.QKV, Left.GATE_INPUT, 2, 2 * TOKEN_PAR, 1, VECTOR // IN_PAR, 3 * VECTOR // OUT_PAR, wide=1,
          destination_vectors=1)],
    [Pass(PassKind.RESIDUAL, Left.GATE_INPUT, SECOND, 13, 2, 2 * VECTOR // IN_PAR, 2 * VECTOR // OUT_PAR, wide=1,
          destination_vectors=2)],
    [
        Pass(PassKind.GELU, Left.GATHERED_WIDE, 0, TOKEN_PAR + 1, 2, 2 * VECTOR // IN_PAR, VECTOR // OUT_PAR, wide=1,
             destination_vectors=1, expert=1),
        Pass(PassKind.WEIGHTED, Left.HIDDEN, 0, TOKEN_PAR + 1, 1, VECTOR // IN_PAR, 2, after_drain=1, expert=1),
    ],
    [Pass(PassKind.HEAD, Left.GATE_INPUT, 0, CONFIG.max_rows, 1, VECTOR // IN_PAR, 3, wide=1)],
]  # fmt: skip
GROUPS = [
    Group([Pass(PassKind.QKV, Left.NORM, 0, 1, 1, VECTOR // IN_PAR, 1)]),
    Group([Pass(PassKind.RESIDUAL, Left.HIDDEN, SECOND, CONFIG.max_rows - SECOND, 2, 2 * VECTOR // IN_PAR, 3)]),
    Group([Pass(PassKind.LOGITS, Left.GATE_INPUT, 5, 13, 2, 2 * VECTOR // IN_PAR, 2)]),
    Group([
        Pass(PassKind.GELU, Left.GATHERED, 0, TOKEN_PAR + 1, 2, 2 * VECTOR // IN_PAR, 2 * VECTOR // OUT_PAR, expert=3),
        Pass(PassKind.WEIGHTED, Left.HIDDEN, 0, TOKEN_PAR + 1, 2, 2 * VECTOR // IN_PAR, 2, after_drain=1, expert=3),
        Pass(PassKind.GELU, Left.GATHERED, 0, 1, 1, VECTOR // IN_PAR, VECTOR // OUT_PAR, expert=200),
        Pass(PassKind.WEIGHTED, Left.HIDDEN, 0, 1, 1, VECTOR // IN_PAR, 1, after_drain=1, expert=200),
    ]),
    attention(SECOND, CONFIG.max_rows - SECOND, 2, 2),
    Group([Pass(PassKind.HEAD, Left.NORM, 3, TOKEN_PAR - 1, 2, VECTOR // IN_PAR, 5, left_base=1)]),
    # One step a row of sums, more rows than the ring has: a slow drain holds the array back.
    Group([replace(LONG, output_tiles=24)], fills=True),
    # The ring all but full, then a pass of one row, for which there is room, and one of many, for which there is not.
    Group([replace(LONG, output_tiles=SLOTS // LONG.token_tiles), replace(LONG, rows=1, output_tiles=1), LONG],
          fills=True),
    attention(IN_PAR + 3, 1, 2, 1),
    Group([Pass(PassKind.LOGITS, Left.GATE_INPUT, SECOND, 1, 1, 1, 1)]),
    attention(OUT_PAR - 1, OUT_PAR + 1, 1, 1),
    attention(3, TOKEN_PAR, 2, 1, OUT_PAR + 1, CONFIG.max_tokens),
    *(Group(passes) for passes in WIDE if CONFIG.wide_tokens),
]  # fmt: skip
