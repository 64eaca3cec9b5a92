"""cocotb: inputs that break a precondition of a unit, which then stops the simulation.

EDGEMOE_MISUSE holds a JSON list, one object per cycle after reset: inputs by name. Those not named keep their value.
tests/rtl/test_preconditions.py looks on.
"""

from __future__ import annotations

import json
import os

import cocotb
from cocotb.clock import Clock

from sim.common.bench import CLOCK_NS, Dut, drive, reset

VARIABLE = "EDGEMOE_MISUSE"


@cocotb.test()
async def misuse(dut: Dut) -> None:
    """Passes where nothing stops it."""
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await (reset(dut) if hasattr(dut, "rst_n") else drive(dut))
    for inputs in json.loads(os.environ[VARIABLE]):
        for name, value in inputs.items():
            getattr(dut, name).value = value
        await drive(dut)
