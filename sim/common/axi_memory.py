"""Memory behind an AXI4 master of 128 bits, for benches: random latency, backpressure, error responses, silence.

Channels are cocotbext-axi's; what a burst of this engine may look like is checked here, and that requests stand still
until they are accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cocotb
import numpy as np
from cocotb.queue import Queue
from cocotb.triggers import Event, Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiResp
from cocotbext.axi.axi_channels import (
    AxiARBus,
    AxiARSink,
    AxiARTransaction,
    AxiAWBus,
    AxiAWSink,
    AxiAWTransaction,
    AxiBBus,
    AxiBSource,
    AxiBTransaction,
    AxiRBus,
    AxiRSource,
    AxiRTransaction,
    AxiWBus,
    AxiWSink,
)

from sim.common.bench import CLOCK_NS, Dut, settle

WORD_BYTES = 16
MAX_BEATS = 16
PAGE = 4096
WORD_MASK = (1 << 128) - 1


def content(address: int, salt: int = 0) -> int:
    """A word of memory that nobody wrote: any two differ."""
    mixed = (address // WORD_BYTES + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 ^ (salt * 0xD1B54A32D192ED03)
    return (mixed ^ mixed >> 61) & WORD_MASK


def pauses(rng: np.random.Generator, rate: float) -> Iterator[bool]:
    """Yes at this rate, for ever: when a channel of cocotbext-axi stands still."""
    while True:
        yield bool(rng.random() < rate)


def _check_burst(what: str, address: int, beats: int, burst: AxiARTransaction | AxiAWTransaction, prefix: str) -> None:
    assert address % WORD_BYTES == 0, f"{what} burst at {address:#x} is not aligned"
    assert 1 <= beats <= MAX_BEATS, f"{what} burst of {beats} beats at {address:#x}"
    assert address % PAGE + beats * WORD_BYTES <= PAGE, f"{what} burst of {beats} beats at {address:#x} crosses 4 KiB"
    constants = {"size": 4, "burst": 1, "id": 0, "lock": 0}
    for name, value in constants.items():
        assert int(getattr(burst, prefix + name)) == value, (
            f"{what} burst at {address:#x}: {prefix}{name} is not {value}"
        )


async def stable(dut: Dut, valid: str, ready: str, payload: list[str]) -> None:
    """Fails when a valid beat is withdrawn or changed before it was accepted; to be started in the background."""
    held: list[int] | None = None
    while True:
        await settle(dut)
        now = [int(getattr(dut, name).value) for name in payload] if int(getattr(dut, valid).value) else None
        assert held is None or now == held, f"{valid} or its payload changed before {ready}"
        held = None if int(getattr(dut, ready).value) else now


class _Memory:
    def __init__(self, dut: Dut, rng: np.random.Generator, latency: int) -> None:
        self.bursts: list[tuple[int, int]] = []  # address, beats; as they were accepted
        self.errors: dict[int, AxiResp] = {}  # response by address of the word
        self.outstanding = 0
        self.most_outstanding = 0
        self._dut, self._rng, self._latency = dut, rng, latency
        self._responding = Event()
        self._responding.set()

    def silence(self) -> None:
        """Accept requests, respond to none."""
        self._responding.clear()

    def respond(self) -> None:
        """Respond to what was requested, late or not."""
        self._responding.set()

    def _accepted(self, address: int, beats: int) -> float:
        """Time in ns when the response may begin."""
        self.bursts.append((address, beats))
        self.outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        return float(get_sim_time("ns")) + CLOCK_NS * int(self._rng.integers(self._latency, 2 * self._latency + 1))

    async def _until(self, due: float) -> None:
        await self._responding.wait()
        left = due - float(get_sim_time("ns"))
        if left >= 1:
            await Timer(int(left), "ns")
        await self._responding.wait()


class ReadMemory(_Memory):
    """Answers m_axi_AR with word(address); latency: `latency` to twice that many cycles, requests overlap."""

    def __init__(
        self,
        dut: Dut,
        rng: np.random.Generator,
        word: Callable[[int], int] = content,
        latency: int = 8,
        backpressure: float = 0.0,
    ) -> None:
        super().__init__(dut, rng, latency)
        self._word = word
        self._requests = AxiARSink(AxiARBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False)
        self._data = AxiRSource(AxiRBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False)
        self._data.queue_occupancy_limit = 4
        if backpressure:
            self._requests.set_pause_generator(pauses(rng, backpressure))
            self._data.set_pause_generator(pauses(rng, backpressure))
        self._waiting: Queue[tuple[float, int, int]] = Queue()
        cocotb.start_soon(self._accept())
        cocotb.start_soon(self._respond())
        cocotb.start_soon(stable(dut, "m_axi_ARVALID", "m_axi_ARREADY", ["m_axi_ARADDR", "m_axi_ARLEN"]))

    async def _accept(self) -> None:
        while True:
            request = await self._requests.recv()
            address, beats = int(request.araddr), int(request.arlen) + 1
            _check_burst("read", address, beats, request, "ar")
            self._waiting.put_nowait((self._accepted(address, beats), address, beats))

    async def _respond(self) -> None:
        while True:
            due, address, beats = await self._waiting.get()
            await self._until(due)
            for beat in range(beats):
                at = address + beat * WORD_BYTES
                response = self.errors.get(at, AxiResp.OKAY)
                last = beat == beats - 1
                await self._data.send(AxiRTransaction(rdata=self._word(at), rresp=response, rlast=last, rid=0))
            self.outstanding -= 1


class WriteMemory(_Memory):
    """Keeps what m_axi_AW and m_axi_W write in `words` (by address); responses come as late as in ReadMemory."""

    def __init__(self, dut: Dut, rng: np.random.Generator, latency: int = 8, backpressure: float = 0.0) -> None:
        super().__init__(dut, rng, latency)
        self.words: dict[int, int] = {}
        self.beats = 0
        self._requests = AxiAWSink(AxiAWBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False)
        self._data = AxiWSink(AxiWBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False)
        self._responses = AxiBSource(AxiBBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False)
        if backpressure:
            for channel in (self._requests, self._data, self._responses):
                channel.set_pause_generator(pauses(rng, backpressure))
        self._waiting: Queue[tuple[float, AxiResp]] = Queue()
        cocotb.start_soon(self._accept())
        cocotb.start_soon(self._respond())
        cocotb.start_soon(stable(dut, "m_axi_AWVALID", "m_axi_AWREADY", ["m_axi_AWADDR", "m_axi_AWLEN"]))
        cocotb.start_soon(stable(dut, "m_axi_WVALID", "m_axi_WREADY", ["m_axi_WDATA", "m_axi_WLAST"]))

    async def _accept(self) -> None:
        while True:
            request = await self._requests.recv()
            address, beats = int(request.awaddr), int(request.awlen) + 1
            _check_burst("write", address, beats, request, "aw")
            due = self._accepted(address, beats)
            response = AxiResp.OKAY
            for beat in range(beats):
                data = await self._data.recv()
                at = address + beat * WORD_BYTES
                assert int(data.wlast) == (beat == beats - 1), f"WLAST at beat {beat} of {beats} at {address:#x}"
                assert int(data.wstrb) == (1 << WORD_BYTES) - 1, f"write at {at:#x} with strobe {int(data.wstrb):#x}"
                self.words[at] = int(data.wdata)
                self.beats += 1
                response = self.errors.get(at, response)
            self._waiting.put_nowait((due, response))

    async def _respond(self) -> None:
        while True:
            due, response = await self._waiting.get()
            await self._until(due)
            self.outstanding -= 1
            await self._responses.send(AxiBTransaction(bresp=response, bid=0))
