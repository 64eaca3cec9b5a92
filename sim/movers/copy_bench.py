"""copy: rows of the residual stream to other rows, whatever their banks are."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.machine import READ_LATENCY
from sim.common.bench import Checker, Dut, checked, drive, hardware, reset
from sim.common.rows import SHAPES, Banks, until_idle
from sim.common.runs import Run

# zcu102 has eight banks.
RUNS = [Run("micro"), Run("zcu102")]
OVERHEAD = 8
READ_DELAY = READ_LATENCY + 1  # the scratchpads keep what was read in a register


@cocotb.test()
@checked
async def any_distance(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Every turn between the banks, up and down, one run after the other; all other rows stay as they are."""
    sizes = hardware()
    banks, bits = sizes.token_par, sizes.numbers.residual_bits
    pad = Banks(banks, 64, bits)
    await reset(dut, start=0)

    async def move() -> None:
        asked: deque[tuple[int, int]] = deque([(0, 0)] * READ_DELAY)
        while True:
            await drive(dut)
            await ReadOnly()
            read = pad.packed(*asked.popleft())
            asked.append((int(dut.read_bank.value), int(dut.read_depth.value)))
            if int(dut.write_enable.value):
                pad.write(int(dut.write_bank.value), int(dut.write_depth.value), read)

    cocotb.start_soon(move())
    for rows, vectors, first in SHAPES:
        for turn in range(banks + 1):
            pad.fill(rng)
            source, destination = (first, first + rows + turn) if rng.random() < 0.5 else (first + rows + turn, first)
            expected = Banks(banks, 64, bits)
            expected.values = pad.values.copy()
            expected.put_rows(destination, pad.rows(source, rows, vectors))
            await drive(dut)
            for name, value in (("rows", rows), ("vectors", vectors), ("source_row", source)):
                getattr(dut, name).value = value
            dut.destination_row.value, dut.start.value = destination, 1
            await drive(dut)
            dut.start.value = 0
            await until_idle(dut, rows * vectors + OVERHEAD)
            check.equal(pad.values, expected.values, f"{rows} rows × {vectors} vectors, {source} to {destination}")
