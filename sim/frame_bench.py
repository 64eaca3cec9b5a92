"""edgemoe_top: whole frames of the micro model, from registers to output region, against golden.

The driver is the host's own (edgemoe.session), on a device whose registers are AXI4-Lite transactions and whose memory
answers the AXI4 ports. Every byte of the output region, with all routing, has to be golden's; so every module of rtl/
takes part, and what unit benches cannot see, who waits for whom, is seen here with memory of any pace.
"""

from __future__ import annotations

import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge, resume

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import Program
from edgemoe.devices.base import Bytes
from edgemoe.devices.host_memory import HostMemoryDevice
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.model import load_model_config
from sim.common.axi_memory import WORD_BYTES, ReadMemory, WriteMemory
from sim.common.bench import Checker, Dut, backpressure_rate, checked, cycles, drive, hardware, settle
from sim.common.random_checkpoint import random_checkpoint
from sim.common.runs import Run
from sim.control.control_registers_bench import Host

RUNS = [
    Run("micro", top="edgemoe_top"),
    Run("ultra", top="edgemoe_top", slow=True),
    Run("micro_w16a16", top="edgemoe_top", slow=True),
]
CONFIG = hardware()
ALL_PORTS = 4
POLL_CYCLES = 200
LATENCY = {"none": 8, "both": 100}  # of memory, in cycles: the first beat of a board's is late


@cache
def micro_program() -> Program:
    """Both tasks of the micro model with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(load_model_config("micro"), Path(folder) / "micro", seed=3)
        return compile_checkpoint(checkpoint, ("semseg", "depth"), CONFIG)


class Port:
    """The top under the names that a unit with one AXI4 port has: clk, rst_n, m_axi_…"""

    def __init__(self, dut: Dut, name: str) -> None:
        self._dut, self._prefix = dut, f"m_axi_{name}_"

    def __getattr__(self, name: str) -> Any:
        name = {"clk": "ap_clk", "rst_n": "ap_rst_n"}.get(name, name)
        return getattr(self._dut, name.replace("m_axi_", self._prefix))

    def __dir__(self) -> list[str]:
        return ["clk", "rst_n", *(name.replace(self._prefix, "m_axi_") for name in dir(self._dut))]


class Words(dict[int, int]):
    """Words that are written, on their way into the device's memory."""

    def __init__(self, device: HostMemoryDevice) -> None:
        super().__init__()
        self._device = device

    def __setitem__(self, address: int, word: int) -> None:
        super().__setitem__(address, word)
        self._device.write(address, np.frombuffer(word.to_bytes(WORD_BYTES, "little"), dtype=np.uint8))


class TopDevice(HostMemoryDevice):
    """The simulated top as a device for a session that runs in a thread beside the simulation."""

    name = "cocotb"

    def __init__(self, dut: Dut, rng: np.random.Generator, stalls: str) -> None:
        super().__init__(CONFIG)
        self._dut = dut
        logging.getLogger("cocotb.edgemoe_top.s_axi_control").setLevel(logging.WARNING)  # it tells of every access
        self._host = Host(Port(dut, "none"), rng, stalls)
        backpressure, latency = backpressure_rate(stalls), LATENCY[stalls]
        names = [*(f"gmem{port}" for port in range(CONFIG.ports)), "gmem_data"]
        self.reads = [ReadMemory(Port(dut, name), rng, self._word, latency, backpressure) for name in names]
        self.writes = WriteMemory(Port(dut, "gmem_data"), rng, latency, backpressure)
        self.writes.words = Words(self)

    def _word(self, address: int) -> int:
        return int.from_bytes(self.read(address, WORD_BYTES).tobytes(), "little")

    def read_register(self, offset: int) -> int:
        """See Device."""
        return int(resume(self._host.read)(offset))

    def write_register(self, offset: int, value: int) -> None:
        """See Device."""
        resume(self._host.write)(offset, value)

    def pause(self, seconds: float) -> None:
        """Between polls time passes in cycles."""
        resume(cycles)(Port(self._dut, "none"), POLL_CYCLES)


async def nothing_else_moves(dut: Dut) -> None:
    """Weight ports never write, and those that the configuration does not have never read."""
    quiet = [f"m_axi_gmem{port}_{channel}VALID" for port in range(ALL_PORTS) for channel in ("AW", "W")]
    quiet += [f"m_axi_gmem{port}_ARVALID" for port in range(CONFIG.ports, ALL_PORTS)]
    signals = [getattr(dut, name) for name in quiet]
    clock = Port(dut, "none")
    while True:
        await settle(clock)
        assert not any(int(signal.value) for signal in signals), "a port moves that has nothing to do"


def idle_pins(dut: Dut) -> dict[str, int]:
    """Zero for every input but clock and reset."""
    inputs = ("ARREADY", "RDATA", "RRESP", "RLAST", "RVALID", "RID", "AWREADY", "WREADY", "BVALID", "BRESP", "BID")
    ports = [*(f"gmem{port}" for port in range(ALL_PORTS)), "gmem_data"]
    return {f"m_axi_{port}_{name}": 0 for port in ports for name in inputs}


async def begin(dut: Dut) -> None:
    """Reset."""
    port = Port(dut, "none")
    await drive(port)
    for name, value in idle_pins(dut).items():
        getattr(dut, name).value = value
    dut.ap_rst_n.value = 0
    await cycles(port, 4)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def frames(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Two frames one after the other without a reset; the second is another one."""
    program = micro_program()
    model = program.manifest.model
    size = (model.image_height, model.image_width, 3)
    pictures = [rng.integers(0, 256, size, dtype=np.uint8) for _ in range(2)]
    await begin(dut)
    device = TopDevice(dut, rng, stalls)
    await cycles(Port(dut, "none"), 2)
    dut.ap_rst_n.value = 1
    cocotb.start_soon(nothing_else_moves(dut))

    def run_all() -> list[tuple[Bytes, dict[str, int]]]:
        with Session(program, device) as session:
            return [(session.run_raw(picture), session.counters()) for picture in pictures]

    results = await bridge(run_all)()
    with open_device("golden", CONFIG) as golden, Session(program, golden) as session:
        for number, (picture, (outputs, counters)) in enumerate(zip(pictures, results, strict=True)):
            expected = session.run_raw(picture)
            check.equal(outputs, expected, f"output region of frame {number}")
            for name in ("experts_run", "segments_dropped"):
                check.equal(counters[name], session.counters()[name], f"{name} of frame {number}")
            dut._log.info("frame %d: %s", number, counters)
    bytes_read = sum(beats for memory in device.reads for _, beats in memory.bursts) * WORD_BYTES
    check.equal(sum(counters["bytes_read"] for _, counters in results), bytes_read, "bytes_read of both frames")
    written = device.writes.beats * WORD_BYTES
    check.equal(sum(counters["bytes_written"] for _, counters in results), written, "bytes_written of both frames")
    assert all(memory.outstanding == 0 for memory in (*device.reads, device.writes)), "transactions are left in flight"
