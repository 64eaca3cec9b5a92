"""attention_sequence: fetches and passes of ATTENTION, field by field, against loops written down in array_passes."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.machine import QUERY_TILES, SLICED_WORDS, PassKind
from sim.common.array_passes import SECOND, attention, fetch_of
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, reset
from sim.common.machine import CONFIG, OUT_PAR, PASS, TOKEN_PAR
from sim.common.runs import Run

RUNS = [Run("micro"), Run("zcu102")]
BLOCK = QUERY_TILES * TOKEN_PAR
CASES = [  # first row, rows, vectors, heads, first key and keys where they are others
    (0, 1, 1, 1),
    (SECOND, CONFIG.max_rows - SECOND, 12, 3),
    (SECOND, BLOCK - SECOND % BLOCK, 2, 1),
    (3, BLOCK, 12, 12),
    (BLOCK - 1, BLOCK + 1, 10, 1),
    (TOKEN_PAR, BLOCK - TOKEN_PAR - 1, 8, 2),
    (3, BLOCK, 2, 1, 5, CONFIG.max_tokens),
    (TOKEN_PAR, 1, 4, 2, 0, 1),
    (3, 2 * BLOCK, 2, 2, OUT_PAR + 1, CONFIG.max_tokens),  # slices of keys, and none
    (3, BLOCK, 1, 1, 1, SLICED_WORDS * OUT_PAR),
    (3, BLOCK, 1, 1, 0, SLICED_WORDS * OUT_PAR),
]


def meaning(word: int) -> list[int]:
    """Fields of a pass; scores go to no scratchpad, so that their destination has no meaning."""
    fields = PASS.unpack(word)
    if fields["kind"] == PassKind.SCORES:
        fields |= {name: 0 for name in fields if name.startswith("destination")}
    return list(fields.values())


@cocotb.test()
@cocotb.parametrize(stalls=["none", "backpressure"])
@checked
async def sequences(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All cases, and drawn ones, without a reset between them; queues have no room at times."""
    await reset(dut, start=0, queue_room=0)
    drawn = []
    for _ in range(6):
        heads, width = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        first, rows = int(rng.integers(0, SECOND)), int(rng.integers(1, CONFIG.max_tokens))
        drawn.append((first, rows, heads * width, heads))
    for first, rows, vectors, heads, *others in [*CASES, *drawn]:
        await drive(dut)
        dut.first_key.value, dut.keys.value = others or (first, rows)
        dut.source_row.value, dut.rows.value, dut.vectors.value, dut.heads.value = first, rows, vectors, heads
        dut.start.value = 1
        await drive(dut)
        dut.start.value = 0
        expected = attention(first, rows, vectors, heads, *others).passes
        found, fetched = [], []
        limit = 2 * len(expected) + vectors // heads + 5
        for _ in range(limit if stalls == "none" else 10 * limit):
            dut.queue_room.value = int(rng.random() >= backpressure_rate(stalls))
            await ReadOnly()
            if not int(dut.busy.value):
                break
            if int(dut.push.value):
                assert int(dut.queue_room.value), "pushed without room"
                found.append(int(getattr(dut, "pass").value))
                fetched.append(int(dut.fetch.value))
            await drive(dut)
        else:
            raise AssertionError(f"still busy after {limit} cycles in which there was room")
        what = f"{rows} rows from {first}, {vectors} vectors, {heads} heads, keys {others}"
        check.equal([meaning(word) for word in found], [meaning(work.word) for work in expected], f"passes of {what}")
        commands = [fetch_of(work, vectors, heads) for work in expected]
        check.equal(np.array(fetched, dtype=object), np.array(commands, dtype=object), f"fetches of {what}")
