"""stream_ranges: range after range of a port's words, where parts of the stream are streamed several times."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.memory import MAX_PARTS
from sim.common.bench import Checker, Dut, checked, drive, parameter
from sim.common.runs import Run

RUNS = [Run("micro", {"PORTS": 1, "INDEX_BITS": 40}), Run("micro", {"PORTS": 4, "INDEX_BITS": 20})]
INDEX_BITS, WORDS = parameter("INDEX_BITS"), 4 // parameter("PORTS")
MOST_LINES = (1 << (INDEX_BITS - 2)) - 1
READY = 4  # cycles to the next range, at most

Parts = list[tuple[int, int]]  # end, in lines, and times


def expected(parts: Parts, lines: int) -> list[tuple[int, int]]:
    """End of each range and shift of its words, in words of the run."""
    ranges, given, begin = [], 0, 0
    for end, times in [*parts, (lines, 1)]:
        end = min(end, MOST_LINES)
        for _ in range(times):
            shift = (begin - given) * WORDS % (1 << INDEX_BITS)
            given += end - begin
            ranges.append((given * WORDS, shift))
        begin = end
    return ranges


def drawn(rng: np.random.Generator, count: int) -> tuple[Parts, int]:
    """Some parts, and lines of the stream."""
    lengths = rng.integers(1, 40, count + 1)
    lengths[-1] *= int(rng.integers(2))  # there may be nothing behind them
    ends = np.cumsum(lengths).tolist()
    return [(end, int(rng.integers(1, 5))) for end in ends[:-1]], ends[-1]


@cocotb.test()
@cocotb.parametrize(count=[0, 1, 5, MAX_PARTS])
@checked
async def ranges(dut: Dut, check: Checker, rng: np.random.Generator, count: int) -> None:
    """To their end and one more run after it; the first run is given up half way."""
    dut.clear.value = dut.part_push.value = dut.begin_run.value = dut.next.value = 0
    for run in range(3):
        parts, lines = drawn(rng, count)
        if run == 2 and not count:
            lines = 1 << 63  # cut off
        await drive(dut)
        dut.clear.value = 1
        dut.stream_lines.value = lines
        for end, times in parts:
            await drive(dut)
            dut.clear.value, dut.part_push.value = 0, 1
            dut.part_end_line.value, dut.part_times.value = end, times
        await drive(dut)
        dut.clear.value, dut.part_push.value = 0, 0
        await drive(dut)
        dut.begin_run.value = 1
        await drive(dut)
        dut.begin_run.value = 0
        wanted = expected(parts, lines)
        found = []
        for _ in wanted if run else wanted[: len(wanted) // 2]:
            waited = 0
            await ReadOnly()
            assert int(dut.more.value), "no more ranges"
            while not int(dut.ready.value):
                waited += 1
                assert waited <= READY, "not ready in time"
                await drive(dut)
                await ReadOnly()
            found.append((int(dut.range_end.value), int(dut.range_shift.value)))
            await drive(dut)
            dut.next.value = 1
            await drive(dut)
            dut.next.value = 0
            for _ in range(int(rng.integers(3))):
                await drive(dut)
        await ReadOnly()
        if run:
            check.equal(int(dut.more.value), 0, f"more, behind {parts}, {lines} lines")
        check.equal(found, wanted[: len(found)], f"ranges of {parts}, {lines} lines")
