"""head: output tiles of the post lanes as words of memory."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    drive,
    extremes,
    hardware,
    idle_rate,
    pack,
    reset,
)
from sim.common.rows import collect_words, until_idle
from sim.common.runs import Run

# zcu102 puts out two rows a cycle.
RUNS = [Run("micro"), Run("zcu102")]
BITS = 16
WORD = 16
LATE_CYCLES = 32  # how long the lanes may go on after almost_full
SHAPES = [(1, 1), (3, 8), (5, 24), (4, 13), (9, 17), (7, 48), (40, 40)]  # rows, outputs
SLOW = 0.9  # backpressure of the writer that fills the queue


def noise(rng: np.random.Generator, dut: Dut) -> None:
    """No rows, and fields that mean nothing."""
    dut.row_valid.value = 0
    dut.values.value = int.from_bytes(rng.bytes(len(dut.values) // 8), "little")


@cocotb.test()
@cocotb.parametrize(stalls=[*STALLS, "slow"])
@checked
async def rows_of_outputs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Whole and partial tiles, rows that no lane has, lanes that stop as late as they may."""
    sizes = hardware()
    lanes = sizes.post_lanes // sizes.out_par
    words: dict[int, int] = {}
    await reset(dut, row_valid=0, word_ready=0)
    cocotb.start_soon(collect_words(dut, rng, SLOW if stalls == "slow" else backpressure_rate(stalls), words))
    full_for = 0
    for rows, outputs in SHAPES:
        words.clear()
        values = extremes(rng, BITS, rows * outputs).reshape(rows, outputs)
        pitch = -(-2 * outputs // WORD) * WORD
        base = 0x1_FFFF_FF00
        for first in range(0, outputs, sizes.out_par):
            tile = rng.integers(-(1 << 15), 1 << 15, (rows, sizes.out_par))
            here = min(sizes.out_par, outputs - first)
            tile[:, :here] = values[:, first : first + here]
            waiting = list(range(rows))
            while waiting:
                await drive(dut)
                full_for = full_for + 1 if int(dut.almost_full.value) else 0
                if full_for > LATE_CYCLES or rng.random() < idle_rate(stalls):
                    noise(rng, dut)
                    continue
                mask = int(rng.integers(1, 1 << min(lanes, len(waiting)))) if rng.random() < 0.3 else (1 << lanes) - 1
                taken = [waiting.pop(0) if mask >> lane & 1 and waiting else None for lane in range(lanes)]
                dut.row_valid.value = sum(1 << lane for lane, row in enumerate(taken) if row is not None)
                at = [base + row * pitch + 2 * first if row is not None else 0 for row in taken]
                dut.row_address.value = pack(at, 64)
                dut.row_words.value, dut.last_outputs.value = -(-here // 8), here
                given = [pack(tile[row], BITS) if row is not None else 0 for row in taken]
                dut.values.value = pack(given, sizes.out_par * BITS)
            await drive(dut)
            noise(rng, dut)
        await until_idle(dut, 20 * len(range(0, pitch, WORD)) * rows + 20)
        padded = np.zeros((rows, pitch // 2), dtype="<i2")
        padded[:, :outputs] = values
        expected = padded.view(np.uint8).reshape(-1)
        got = b"".join(words[address].to_bytes(WORD, "little") for address in sorted(words))
        check.equal(np.frombuffer(got, np.uint8), expected, f"{rows} rows × {outputs} outputs")
        check.equal(sorted(words), list(range(base, base + rows * pitch, WORD)), "addresses")
