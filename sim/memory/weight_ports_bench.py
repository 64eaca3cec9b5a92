"""weight_ports: ports that go through parts of the stream several times; their words in order, skips, no gaps."""

from __future__ import annotations

import cocotb
import numpy as np

from sim.common.axi_memory import PAGE, WORD_BYTES, ReadMemory, content
from sim.common.bench import STALLS, Checker, Dut, backpressure_rate, checked, cycles, drive, idle_rate, reset
from sim.common.runs import Run
from sim.memory.weight_port_bench import Buffer, flush_port

RUNS = [Run(parameters={"PORTS": 1, "MAX_WEIGHT_PORTS": 1, "RANGES": 1})]
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
