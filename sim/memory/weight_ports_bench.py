"""weight_ports: ports that go through parts of the stream several times; their words in order, skips, no gaps."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.spec.registers import WEIGHT_PORTS
from sim.common.axi_memory import PAGE, WORD_BYTES, ReadMemory, content
from sim.common.bench import STALLS, Checker, Dut, backpressure_rate, checked, cycles, drive, idle_rate, reset
from sim.common.runs import Run
from sim.memory.weight_port_bench import Buffer, flush_port

RUNS = [
    Run(parameters={"PORTS": 1, "MAX_WEIGHT_PORTS": 1, "RANGES": 1}, tests="again"),
    Run(parameters={"PORTS": 4, "MAX_WEIGHT_PORTS": 4, "RANGES": 0}, tests="every_port"),
]
PARTS = [(30, 3), (31, 1), (33, 5), (100, 2), (130, 1), (700, 2)]  # end, in lines of four words, and times
STREAM = 760  # lines


def places() -> list[int]:
    """Word of the port's region for each word of a run, where PARTS are streamed again."""
    found: list[int] = []
    begin = 0
    for end, times in [*PARTS, (STREAM, 1)]:
        found += [*range(4 * begin, 4 * end)] * times
        begin = end
    return found


async def begin_parts(dut: Dut, buffer: Buffer, base: int) -> None:
    """A run whose program repeats PARTS."""
    await drive(dut)
    dut.stream_lines.value, dut.clear_parts.value = STREAM, 1
    for end, times in PARTS:
        await drive(dut)
        dut.clear_parts.value, dut.part_push.value = 0, 1
        dut.part_end_line.value, dut.part_times.value = end, times
    await drive(dut)
    dut.part_push.value = 0
    await buffer.begin(base, len(places()))


@cocotb.test()
@cocotb.parametrize(stalls=STALLS, skip=[False, True])
@checked
async def parts_again(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, skip: bool) -> None:
    """Range after range, skips to their ends included; the words of the run come in order."""
    await reset(dut, begin_run=0, flush=0, room_words=0, skip_to=0, clear_parts=0, part_push=0)
    memory = ReadMemory(dut, rng, backpressure=idle_rate(stalls))
    buffer = Buffer(dut, memory, rng, backpressure_rate(stalls))
    words = places()
    ends = np.flatnonzero(np.diff(words) != 1) + 1
    for run in range(2):
        base = int(rng.integers(1 << 40)) * PAGE + WORD_BYTES * int(rng.integers(9))
        await begin_parts(dut, buffer, base)
        for _ in range(6 if skip else 0):
            await cycles(dut, int(rng.integers(400)))
            following = ends[ends > buffer.head]
            buffer.head = int(following[0]) if following.size else buffer.head
        await buffer.finish()
        indices = [index for index, _ in buffer.words]
        check.equal(indices, sorted(set(indices)), f"run {run}: words in order")
        check.equal(len(indices) == len(words) or skip, True, f"run {run}: {len(indices)} of {len(words)} words")
        values = [content(base + WORD_BYTES * words[index]) for index in indices]
        check.equal(np.array([word for _, word in buffer.words], object), np.array(values, object), f"run {run}: words")
        await flush_port(dut)


@cocotb.test()
@checked
async def busy_again(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Where parts are not tiny, ranges follow each other without a gap in what a slow memory delivers."""
    await reset(dut, begin_run=0, flush=0, room_words=0, skip_to=0, clear_parts=0, part_push=0)
    memory = ReadMemory(dut, rng, latency=60)
    buffer = Buffer(dut, memory, rng)
    buffer.capacity = 8192
    await begin_parts(dut, buffer, PAGE)
    await cycles(dut, len(places()) + 300)
    check.equal(len(buffer.words), len(places()), "words that came")
    await flush_port(dut)


@cocotb.test()
@checked
async def every_port_has_its_own_bits(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Bursts are of normal, unlocked data on each port (AXI4, attributes); addresses and words are the port's."""
    await reset(dut, begin_run=0, flush=0, room_words=0, skip_to=0, m_axi_ARREADY=0, m_axi_RVALID=0)
    constants = {"ARID": (1, 0), "ARSIZE": (3, 4), "ARBURST": (2, 1), "ARLOCK": (1, 0), "ARCACHE": (4, 3),
                 "ARPROT": (3, 0), "ARQOS": (4, 0)}  # fmt: skip
    bases = [PAGE * int(each) for each in rng.integers(1, 1 << 40, WEIGHT_PORTS)]
    dut.base_address.value = sum(base << 64 * port for port, base in enumerate(bases))
    dut.words.value, dut.room_words.value, dut.begin_run.value = STREAM, 64, 1
    await drive(dut)
    dut.begin_run.value = 0
    await cycles(dut, 20)
    check.equal(int(dut.m_axi_ARVALID.value), (1 << WEIGHT_PORTS) - 1, "ports that ask")
    for name, (bits, value) in constants.items():
        expected = sum(value << bits * port for port in range(WEIGHT_PORTS))
        check.equal(int(getattr(dut, f"m_axi_{name}").value), expected, name)
    asked = int(dut.m_axi_ARADDR.value)
    check.equal([asked >> 64 * port & (1 << 64) - 1 for port in range(WEIGHT_PORTS)], bases, "addresses")
    words = [int.from_bytes(rng.bytes(16), "little") for _ in range(WEIGHT_PORTS)]
    dut.m_axi_ARREADY.value = (1 << WEIGHT_PORTS) - 1
    await drive(dut)
    dut.m_axi_ARREADY.value = 0
    for port in range(WEIGHT_PORTS):
        dut.m_axi_RDATA.value = sum(word << 128 * each for each, word in enumerate(words))
        dut.m_axi_RRESP.value, dut.m_axi_RLAST.value, dut.m_axi_RVALID.value = 0, 0, 1 << port
        await drive(dut)
        dut.m_axi_RVALID.value = 0
        for _ in range(4):
            if int(dut.word_valid.value):
                break
            await drive(dut)
        check.equal(int(dut.word_valid.value), 1 << port, f"port {port} has a word")
        check.equal(int(dut.word.value) >> 128 * port & (1 << 128) - 1, words[port], f"word of port {port}")
        await drive(dut)
