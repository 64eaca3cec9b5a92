"""control_registers: the map of the specification word by word, the handshake of a run, interrupts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from edgemoe.spec import registers
from edgemoe.spec.registers import COUNTERS, IDENTITY, OFFSETS, REGISTER_SPACE, REGISTERS
from sim.common.axi_memory import pauses, stable
from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    cycles,
    drive,
    hardware,
    idle_rate,
    pack,
    reset,
)
from sim.common.runs import Run

RUNS = [Run()]
POINTERS = [register for register in REGISTERS if register.kind == "pointer"]
OUTPUTS = [register for register in REGISTERS if register.kind == "output"]
NARROW = ["error_code", "program_counter", "experts_run", "segments_dropped"]  # 32 bits wide in the engine
PORTS = {"program": "program_address", "input": "input_address", "output": "output_address"}
INPUTS = {register.offset + 4 * half for register in POINTERS for half in range(2)} | {OFFSETS["watchdog_cycles"]}
# Outputs, gaps, and places whose address differs from an input's in one of the upper bits.
NOT_INPUTS = sorted(
    ({*range(0x10, OUTPUTS[-1].offset + 32, 4), REGISTER_SPACE - 4} - INPUTS)
    | {offset | 1 << bit for offset in INPUTS for bit in range(7, REGISTER_SPACE.bit_length() - 1)}
)


class Host:
    """Reads and writes 32-bit registers over AXI4-Lite."""

    def __init__(self, dut: Dut, rng: np.random.Generator, stalls: str = "none") -> None:
        self._bus = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi_control"), dut.clk, dut.rst_n, reset_active_level=False
        )
        write, read = self._bus.write_if, self._bus.read_if
        self.write_channels = {"AW": write.aw_channel, "W": write.w_channel}
        for channel in (write.aw_channel, write.w_channel, read.ar_channel):
            channel.set_pause_generator(pauses(rng, idle_rate(stalls)))
        for channel in (write.b_channel, read.r_channel):
            channel.set_pause_generator(pauses(rng, backpressure_rate(stalls)))
        for channel, payload in (("B", ["BRESP"]), ("R", ["RDATA", "RRESP"])):
            names = [f"s_axi_control_{name}" for name in payload]
            valid, ready = f"s_axi_control_{channel}VALID", f"s_axi_control_{channel}READY"
            cocotb.start_soon(stable(dut, valid, ready, names))

    async def read(self, offset: int) -> int:
        """The word at this offset; the response must be OKAY."""
        response = await self._bus.read(offset, 4)
        assert response.resp == 0, f"response {response.resp} to a read of {offset:#x}"
        return int.from_bytes(response.data, "little")

    async def write(self, offset: int, value: int, size: int = 4) -> None:
        """The `size` low bytes of value at this offset, which may lie inside a word; the response must be OKAY."""
        response = await self._bus.write(offset, value.to_bytes(size, "little"))
        assert response.resp == 0, f"response {response.resp} to a write to {offset:#x}"


@dataclass
class Core:
    """The engine as these registers see it: counts starts, ends runs when told to."""

    dut: Dut
    starts: int = 0
    busy: bool = False
    values: dict[str, int] = field(default_factory=dict)

    async def watch(self) -> None:
        """Idle falls in the cycle after start."""
        while True:
            await FallingEdge(self.dut.clk)
            self.dut.idle.value = int(not self.busy)
            await ReadOnly()
            if int(self.dut.start.value):
                assert not self.busy, "start while the engine is busy"
                self.starts, self.busy = self.starts + 1, True

    async def finish(self) -> None:
        """One cycle of done, then idle."""
        await drive(self.dut)
        self.dut.done.value = 1
        await drive(self.dut)
        self.dut.done.value = 0
        self.busy = False
        await cycles(self.dut, 3)

    def results(self, rng: np.random.Generator) -> dict[str, int]:
        """New random results; ends with what all outputs should read."""
        self.values = {name: int(rng.integers(1 << 32)) for name in NARROW}
        self.values |= {name: int.from_bytes(rng.bytes(8), "little") for name in COUNTERS if name not in NARROW}
        for name in NARROW:
            getattr(self.dut, name).value = self.values[name]
        self.dut.counters.value = pack([self.values[name] for name in COUNTERS if name not in NARROW], 64)
        return self.values | {"identity": IDENTITY, "config_hash": hardware().hash()}


async def prepare(dut: Dut, rng: np.random.Generator, stalls: str = "none") -> tuple[Host, Core]:
    """Reset; a host and an engine."""
    host, core = Host(dut, rng, stalls), Core(dut)
    await reset(dut, done=0, idle=1)
    core.results(rng)
    cocotb.start_soon(core.watch())
    return host, core


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def every_word(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """The whole window: inputs hold what was written to them and not what was written elsewhere, outputs what the
    engine says, the rest 0; two runs."""
    host, core = await prepare(dut, rng, stalls)
    for _ in range(2):
        expected = dict.fromkeys(range(0, REGISTER_SPACE, 4), 0)
        expected[registers.CONTROL] = registers.AP_IDLE
        for offset in [*range(0x10, OUTPUTS[-1].offset + 32, 4), REGISTER_SPACE - 4]:
            await host.write(offset, int(rng.integers(1 << 32)))
        for register in POINTERS:
            value = int.from_bytes(rng.bytes(8), "little")
            for half in range(2):
                expected[register.offset + 4 * half] = value >> (32 * half) & 0xFFFFFFFF
                await host.write(register.offset + 4 * half, expected[register.offset + 4 * half])
        expected[OFFSETS["watchdog_cycles"]] = int(rng.integers(1 << 32))
        await host.write(OFFSETS["watchdog_cycles"], expected[OFFSETS["watchdog_cycles"]])
        for offset in rng.permutation(NOT_INPUTS).tolist():
            await host.write(offset, int(rng.integers(1 << 32)))
        for name, value in core.results(rng).items():
            expected[OFFSETS[name]], expected[OFFSETS[name] + 4] = value & 0xFFFFFFFF, value >> 32
        for name in ("identity", "config_hash"):
            expected[OFFSETS[name] + 8] = 1  # valid flag

        window = [*range(0, OUTPUTS[-1].offset + 64, 4), REGISTER_SPACE - 4, 0x800, 0x210, 0x410]
        got = [await host.read(offset) for offset in window]
        check.equal(np.array(got), np.array([expected[offset] for offset in window]), "words of the map")
        for register in POINTERS:
            value = expected[register.offset] | expected[register.offset + 4] << 32
            if register.name in PORTS:
                found = int(getattr(dut, PORTS[register.name]).value)
            else:
                found = int(dut.weights_address.value) >> (64 * int(register.name[-1])) & (1 << 64) - 1
            check.equal(found, value, register.name)
        check.equal(int(dut.watchdog_cycles.value), expected[OFFSETS["watchdog_cycles"]], "watchdog_cycles")
    check.equal(core.starts, 0, "starts")


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def several_at_once(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Writes, and reads, that the host begins before those under way have their responses: each takes its turn."""
    host, _ = await prepare(dut, rng, stalls)
    for _ in range(4):
        expected = {offset: int(rng.integers(1 << 32)) for offset in rng.permutation(sorted(INPUTS)).tolist()}
        writing = [cocotb.start_soon(host.write(offset, value)) for offset, value in expected.items()]
        for task in writing:
            await task
        order = rng.permutation(list(expected)).tolist()
        reading = [cocotb.start_soon(host.read(offset)) for offset in order]
        check.equal([await task for task in reading], [expected[offset] for offset in order], "words read")


@cocotb.test()
@cocotb.parametrize(late=["AW", "W"])
@checked
async def either_half_of_a_write_may_come_first(dut: Dut, check: Checker, rng: np.random.Generator, late: str) -> None:
    """Addresses long before their data and the reverse, several writes deep: none waits for the other's READY."""
    host, _ = await prepare(dut, rng)
    channels = host.write_channels
    for delay in (1, 2, 3, 40):
        expected = {offset: int(rng.integers(1 << 32)) for offset in rng.permutation(sorted(INPUTS)).tolist()[:4]}
        channels[late].set_pause_generator(itertools.repeat(True))
        writing = [cocotb.start_soon(host.write(offset, value)) for offset, value in expected.items()]
        await cycles(dut, delay)
        check.equal([task.done() for task in writing], [False] * len(writing), "responses before both halves came")
        channels[late].set_pause_generator(itertools.repeat(False))
        for task in writing:
            await task
        check.equal([await host.read(offset) for offset in expected], list(expected.values()), "words read")


@cocotb.test()
@checked
async def writes_single_bytes(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Strobes: any run of bytes of a word is replaced, the others stay; start needs the lowest byte."""
    host, core = await prepare(dut, rng)
    offset = OFFSETS["program"]
    await host.write(offset, 0x03020100)
    expected = bytearray([0, 1, 2, 3])
    for first in range(4):
        for size in range(1, 5 - first):
            data = rng.bytes(size)
            expected[first : first + size] = data
            await host.write(offset + first, int.from_bytes(data, "little"), size)
            check.equal(await host.read(offset), int.from_bytes(expected, "little"), f"bytes {first} … {first + size}")
    await host.write(registers.CONTROL + 1, 0xFFFFFF, 3)
    await cycles(dut, 20)
    check.equal(core.starts, 0, "starts by the upper bytes")


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def runs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Start, busy, done, and everything that reading clears; twice without reset."""
    host, core = await prepare(dut, rng, stalls)
    control = registers.CONTROL
    for run in range(1, 3):
        check.equal(await host.read(control), registers.AP_IDLE, "control before the run")
        await host.write(control, registers.AP_START)
        await cycles(dut, 10)
        check.equal(core.starts, run, "starts")
        check.equal(await host.read(control), registers.AP_START, "control in the run")
        await host.write(control, registers.AP_START)  # ignored
        await core.finish()
        await cycles(dut, 10)
        check.equal(core.starts, run, "starts after a start in the run")
        check.equal([await host.read(output.offset + 8) for output in OUTPUTS], [1] * len(OUTPUTS), "valid flags")
        again = [int(output.name in ("identity", "config_hash")) for output in OUTPUTS]
        check.equal([await host.read(output.offset + 8) for output in OUTPUTS], again, "valid flags read again")
        ended = registers.AP_DONE | registers.AP_IDLE | registers.AP_READY
        check.equal(await host.read(control), ended, "control after the run")
        check.equal(await host.read(control), registers.AP_IDLE, "control read again")
        check.equal(int(dut.interrupt.value), 0, "interrupt, not enabled")


@cocotb.test()
@checked
async def waits_for_an_idle_engine(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """A start that comes while the engine still cleans up is kept until it is idle."""
    host, core = await prepare(dut, rng)
    core.busy = True
    await host.write(registers.CONTROL, registers.AP_START)
    await cycles(dut, 50)
    check.equal(core.starts, 0, "starts while the engine is not idle")
    check.equal(await host.read(registers.CONTROL), registers.AP_START, "control meanwhile")
    core.busy = False
    await cycles(dut, 5)
    check.equal(core.starts, 1, "starts")


@cocotb.test()
@cocotb.parametrize(enabled=[0, 1, 2, 3], through=[0, 1])
@checked
async def interrupts(dut: Dut, check: Checker, rng: np.random.Generator, enabled: int, through: int) -> None:
    """Status is set at done where enabled, and holds the interrupt until it is written away; twice."""
    host, core = await prepare(dut, rng)
    await host.write(registers.GLOBAL_INTERRUPT, through)
    await host.write(registers.INTERRUPT_ENABLE, enabled)
    check.equal(await host.read(registers.GLOBAL_INTERRUPT), through, "global interrupt")
    check.equal(await host.read(registers.INTERRUPT_ENABLE), enabled, "interrupt enable")
    for _ in range(2):
        await host.write(registers.CONTROL, registers.AP_START)
        await cycles(dut, 10)
        check.equal(int(dut.interrupt.value), 0, "interrupt in the run")
        await core.finish()
        check.equal(int(dut.interrupt.value), through & int(enabled != 0), "interrupt at done")
        check.equal(await host.read(registers.INTERRUPT_STATUS), enabled, "status")
        await host.write(registers.INTERRUPT_STATUS, 2)
        check.equal(await host.read(registers.INTERRUPT_STATUS), enabled & 1, "status with bit 1 written away")
        await host.write(registers.INTERRUPT_STATUS, 3)
        check.equal(await host.read(registers.INTERRUPT_STATUS), 0, "status written away")
        check.equal(int(dut.interrupt.value), 0, "interrupt written away")


@cocotb.test()
@checked
async def done_while_reading(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Done is never lost, in whichever cycle of a read it comes: some read sees it, exactly one."""
    host, core = await prepare(dut, rng)
    for delay in range(12):
        await host.write(registers.CONTROL, registers.AP_START)
        await cycles(dut, 6)
        finishing = cocotb.start_soon(finish_after(core, delay))
        seen = [await host.read(registers.CONTROL) & registers.AP_DONE for _ in range(6)]
        await finishing
        check.equal(sum(seen), registers.AP_DONE, f"reads that saw done, {delay} cycles after the first began")


async def finish_after(core: Core, delay: int) -> None:
    """The run ends so many cycles from now."""
    await cycles(core.dut, delay)
    await core.finish()
