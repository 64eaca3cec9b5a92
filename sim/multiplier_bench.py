"""multiplier: signed products of any widths against Python integers."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.bench import Checker, Dut, checked, drive, extremes, parameter, settle, signed

LATENCY = 2
COUNT = 400


@cocotb.test()
@checked
async def products(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Random and extreme operands, one a cycle."""
    wide_bits, narrow_bits = parameter("WIDE_BITS"), parameter("NARROW_BITS")
    wide, narrow = extremes(rng, wide_bits, COUNT), extremes(rng, narrow_bits, COUNT)
    got: list[int] = []

    async def monitor() -> None:
        for _ in range(COUNT + LATENCY):
            await settle(dut)
            got.append(signed(int(dut.product.value), wide_bits + narrow_bits))

    watching = cocotb.start_soon(monitor())
    for index in range(COUNT):
        await drive(dut)
        dut.wide.value, dut.narrow.value = int(wide[index]), int(narrow[index])
    await watching
    check.equal(
        np.array(got[LATENCY:], dtype=object),
        wide.astype(object) * narrow.astype(object),
        f"{wide_bits} × {narrow_bits}",
    )
