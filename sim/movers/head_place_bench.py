"""head_place: addresses and sizes of the outputs of a head, a step a cycle."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.memory import row_pitch
from edgemoe.spec.precision import OUTPUT_BITS
from sim.common.bench import Checker, Dut, checked, drive, idle_rate, reset
from sim.common.machine import OUT_PAR, POST_ROWS
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [Run("micro"), Run("zcu102")]
LATENCY = 4
WORD_OUTPUTS = 128 // OUTPUT_BITS
OUTPUT_BYTES = OUTPUT_BITS // 8
FEATURES = [1, 7, 8, 9, OUT_PAR - 1, OUT_PAR, OUT_PAR + 1, 49, 1001, 16384]


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def steps(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Heads of every width: rows and tiles in any order, a second row of a pair that begins one row before the pass."""
    await reset(dut, valid_in=0)
    found: list[list[int]] = []
    expected: list[list[int]] = []
    for features in FEATURES:
        base = int(rng.integers(1 << 40)) * 16
        pending: deque[list[list[int]] | None] = deque([None] * LATENCY)
        for cycle in range(60 + LATENCY):
            await drive(dut)
            dut.out_features.value, dut.base.value = features, base
            given = None
            valid = 0 if cycle >= 60 or rng.random() < idle_rate(stalls) else int(rng.integers(1, 1 << POST_ROWS))
            row = int(rng.integers(0, 2048)) if valid & 1 else int(rng.choice([-1, 5, 66]))
            tile = int(rng.integers(0, -(-features // OUT_PAR)))
            values = noise(rng, len(dut.values_in))
            dut.valid_in.value, dut.row.value = valid, row % (1 << 16)
            dut.tile.value, dut.values_in.value = tile, values
            if valid:
                left = min(features - tile * OUT_PAR, OUT_PAR)
                addresses = [
                    base + (row + r) * row_pitch(features, OUTPUT_BYTES) + tile * OUT_PAR * OUTPUT_BYTES
                    for r in range(POST_ROWS)
                    if valid >> r & 1
                ]
                given = [[valid, -(-left // WORD_OUTPUTS), left, values], addresses]
            pending.append(given)
            due = pending.popleft()
            await ReadOnly()
            mask = int(dut.valid_out.value)
            assert bool(mask) == (due is not None), f"valid_out is {mask:b}, latency is not {LATENCY}"
            if due:
                word = int(dut.address.value)
                places = [word >> 64 * r & (1 << 64) - 1 for r in range(POST_ROWS) if mask >> r & 1]
                sizes = [int(dut.row_words.value), int(dut.last_outputs.value), int(dut.values.value)]
                found.append([mask, *sizes, *places])
                expected.append([*due[0], *due[1]])
    for got, want in zip(found, expected, strict=True):
        check.equal(np.array(got, dtype=object), np.array(want, dtype=object), "rows, sizes, values and addresses")
