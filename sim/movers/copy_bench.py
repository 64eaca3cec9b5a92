"""copy: rows of the residual stream to other rows, whatever their banks are."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.spec.machine import READ_LATENCY
from sim.common.bench import Checker, Dut, checked, drive, hardware, reset
from sim.common.rows import SHAPES, Banks, each_cycle, until_idle
from sim.common.runs import Run

# zcu102 has eight banks.
RUNS = [Run("micro"), Run("zcu102")]
OVERHEAD = 8


@cocotb.test()
@checked
async def any_distance(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Every turn between the banks, up and down, one run after the other; all other rows stay as they are."""
    sizes = hardware()
    banks, bits = sizes.token_par, sizes.numbers.residual_bits
    pad = Banks(banks, 64, bits)
    await reset(dut, start=0)

    def sample() -> int:
        if int(dut.write_enable.value):
            pad.write(int(dut.write_bank.value), int(dut.write_depth.value), int(dut.write_value.value))
        return int(dut.read_depth.value)

    def respond(depth: int) -> None:
        word = 0
        for bank in reversed(range(banks)):
            word = word << 16 * bits | pad.packed(bank, depth)
        dut.residual_values.value = word

    cocotb.start_soon(each_cycle(dut, READ_LATENCY, sample, respond))
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
