"""attention: tiles of keys and values against the scratchpads' rows, with the array's queue full at times."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.machine import CONTEXT_MEMBERS, READ_LATENCY
from sim.common.array_passes import SECOND
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, pack, reset, unpack
from sim.common.machine import CONFIG, IN_PAR, NUMBERS, OUT_PAR, TOKEN_PAR, IntArray
from sim.common.pipeline import noise
from sim.common.rows import Banks, each_cycle
from sim.common.runs import Run

RUNS = [Run("micro"), Run("wide")]
BITS = NUMBERS.activation_bits
COMING, WEIGHTS_DELAY = 3, 2  # cycles from tile_coming to a tile, from weights_coming to weights
DEPTH = 12 * (CONFIG.max_rows // TOKEN_PAR + 1)


@dataclass(frozen=True)
class Case:
    """One head of one block; width and base in vectors."""

    first_key: int
    keys: int
    vectors: int
    base: int
    width: int


CASES = [
    Case(0, 1, 1, 0, 1),
    Case(SECOND, CONFIG.max_rows - SECOND, 2, 1, 1),
    Case(3, OUT_PAR - 1, 12, 0, 12),
    Case(OUT_PAR - 1, OUT_PAR + 1, 10, 5, 5),
    Case(IN_PAR + 1, 13, 3, 1, 2),
    Case(SECOND - 1, TOKEN_PAR, 12, 9, 3),
]


def key_tiles(case: Case, rows: IntArray, first: int) -> list[IntArray]:
    """Tiles [OUT_PAR keys][IN_PAR features], by tile of keys, then of features; rows [rows, features] of the head."""
    starts = range(case.first_key // OUT_PAR * OUT_PAR - first, case.first_key + case.keys - first, OUT_PAR)
    columns = range(0, case.width * VECTOR, IN_PAR)
    return [rows[start : start + OUT_PAR, column : column + IN_PAR] for start in starts for column in columns]


def value_tiles(case: Case, rows: IntArray, first: int, members: int) -> list[IntArray]:
    """Tiles [OUT_PAR features][IN_PAR keys], by group of tiles of features, then tile of keys, then member."""
    starts = range(case.first_key // IN_PAR * IN_PAR - first, case.first_key + case.keys - first, IN_PAR)
    tiles = case.width * VECTOR // OUT_PAR
    groups = [range(group, min(group + members, tiles)) for group in range(0, tiles, members)]
    return [
        rows[start : start + IN_PAR, member * OUT_PAR : (member + 1) * OUT_PAR].T
        for group in groups
        for start in starts
        for member in group
    ]


async def run(dut: Dut, check: Checker, rng: np.random.Generator, case: Case, pads: list[Banks], stalls: str) -> None:
    """Keys or values of one head, whichever the draw says first, then the other."""
    for of_values in rng.permutation(2).tolist():
        pad = pads[of_values]
        size = IN_PAR if of_values else OUT_PAR
        first = case.first_key // size * size
        last = -(-(case.first_key + case.keys) // size) * size
        rows = pad.rows(first, last - first, case.vectors)[:, case.base * VECTOR : (case.base + case.width) * VECTOR]
        tiles = case.width * VECTOR // OUT_PAR
        members = min(tiles, CONTEXT_MEMBERS)
        expected = value_tiles(case, rows, first, members) if of_values else key_tiles(case, rows, first)
        count = (last - first) // size
        await drive(dut)
        fields = {
            "of_values": of_values,
            "first_key": case.first_key,
            "vectors": case.vectors,
            "head_base": case.base,
            "output_tiles": tiles if of_values else count,
            "input_tiles": count if of_values else case.width * VECTOR // IN_PAR,
            "members": members,
            "start": 1,
        }
        for name, value in fields.items():
            getattr(dut, name).value = value
        await drive(dut)
        dut.start.value = 0
        found: list[int] = []
        reserved = 0
        coming = deque([False] * COMING)
        limit = len(expected) * max(1, size // TOKEN_PAR) + 8
        for _ in range(limit if stalls == "none" else 10 * limit):
            dut.tile_room.value = int(rng.random() >= backpressure_rate(stalls))
            await ReadOnly()
            if int(dut.tile_reserve.value):
                assert int(dut.tile_room.value), "a tile is reserved without room"
                reserved += 1
            coming.append(bool(int(dut.tile_coming.value)))
            pushed = bool(int(dut.tile_push.value))
            assert coming.popleft() == pushed, f"tile_coming is not {COMING} cycles before a tile"
            if int(dut.tile_push.value):
                found.append(int(dut.tile.value))
                assert len(found) <= reserved, "a tile without a place"
            if not int(dut.busy.value) and not any(coming):
                break
            await drive(dut)
        else:
            raise AssertionError(f"{case}: still busy after {limit} cycles with room")
        what = f"{'values' if of_values else 'keys'} of {case}"
        check.equal([len(found), reserved], [len(expected)] * 2, f"tiles of {what}")
        got = [unpack(word, OUT_PAR * IN_PAR, BITS) for word in found]
        check.equal(np.array(got), np.array([tile.reshape(-1) for tile in expected]), what)


async def weights(dut: Dut, check: Checker, rng: np.random.Generator, count: int, stalls: str) -> None:
    """Tiles of weights between those of heads."""
    expected: list[int] = []
    found: list[int] = []
    coming, pushed = deque([False] * WEIGHTS_DELAY), deque([False] * COMING)
    while len(found) < count:
        await drive(dut)
        comes = len(expected) + sum(coming) < count and rng.random() >= backpressure_rate(stalls)
        dut.weights_coming.value = int(comes)
        coming.append(comes)
        pushed.append(comes)
        tile = noise(rng, len(dut.weights))
        dut.weights.value = tile
        expected += [tile] * coming.popleft()
        await ReadOnly()
        assert int(dut.tile_coming.value) == comes, "tile_coming does not follow weights_coming"
        if int(dut.tile_push.value):
            found.append(int(dut.tile.value))
        check.equal(int(dut.tile_push.value), int(pushed.popleft()), "tile_push of weights")
    await drive(dut)
    check.equal(np.array(found, dtype=object), np.array(expected, dtype=object), "tiles of weights")


@cocotb.test()
@cocotb.parametrize(stalls=["none", "backpressure"])
@checked
async def heads(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All cases twice, without a reset between them."""
    await reset(dut, start=0, tile_room=0, weights_coming=0)
    pads = [Banks(TOKEN_PAR, DEPTH, BITS) for _ in range(2)]
    for pad in pads:
        pad.fill(rng)

    def respond(depth: int) -> None:
        for signal, pad in zip((dut.key_values, dut.value_values), pads, strict=True):
            signal.value = pack(pad.values[:, depth].reshape(-1) if depth < DEPTH else [], BITS)

    cocotb.start_soon(each_cycle(dut, READ_LATENCY, lambda: int(dut.read_depth.value), respond))
    for case in [*CASES, *CASES[::-1]]:
        await weights(dut, check, rng, int(rng.integers(1, 9)), stalls)
        await run(dut, check, rng, case, pads, stalls)
