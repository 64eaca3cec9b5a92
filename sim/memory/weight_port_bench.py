"""weight_port: a port's words in order within the room there is; skips, errors, flush and late responses."""

from __future__ import annotations

from collections.abc import Iterable

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from cocotbext.axi import AxiResp

from sim.common.axi_memory import MAX_BEATS, PAGE, WORD_BYTES, ReadMemory, content
from sim.common.bench import STALLS, Checker, Dut, backpressure_rate, checked, cycles, drive, idle_rate, reset, settle
from sim.common.runs import Run

RUNS = [Run()]
SIZES = [1, 0, 2, 15, 16, 17, 113, 509]
CAPACITY = 96  # words of the buffer behind; more than the longest burst
FAR = 1 << 36  # word index
TAKES = 9  # words that the reader behind takes at once, at most


class Buffer:
    """What stands behind the port: takes words from `head` on once they have come, and makes room."""

    def __init__(self, dut: Dut, memory: ReadMemory, rng: np.random.Generator, backpressure: float = 0.0) -> None:
        self.words: list[tuple[int, int]] = []  # index, value; as they came
        self.head = self.end = self.beats = 0
        self.capacity = CAPACITY
        self.error_with: int | None = None  # index of the word that came when bus_error rose
        self._dut, self._memory, self._rng, self._backpressure = dut, memory, rng, backpressure
        self._first_burst = self._base = 0
        cocotb.start_soon(self._run())

    async def begin(self, base: int, words: int) -> None:
        """Begin a run; ends in the cycle after begin_run."""
        await drive(self._dut)
        self._dut.begin_run.value, self._dut.base_address.value, self._dut.words.value = 1, base, words
        self.words.clear()
        self.head = 0  # so that the room is the new run's from the next cycle on
        await drive(self._dut)
        self._dut.begin_run.value = 0
        self.error_with = None
        self.beats = 0
        self.end, self._base = words, base - base % WORD_BYTES
        self._first_burst = len(self._memory.bursts)

    def requested(self) -> list[tuple[int, int]]:
        """First word and number of words of this run's bursts."""
        bursts = self._memory.bursts[self._first_burst :]
        return [((address - self._base) % (1 << 64) // WORD_BYTES, beats) for address, beats in bursts]

    async def _run(self) -> None:
        while True:
            await drive(self._dut)
            came = self.words[-1][0] + 1 if self.words else 0
            if came > self.head and self._rng.random() >= self._backpressure:
                self.head = min(came, self.head + int(self._rng.integers(1, TAKES)))
            self._dut.room_words.value, self._dut.skip_to.value = self.head + self.capacity, self.head
            await ReadOnly()
            self.beats += int(self._dut.beat.value)
            if int(self._dut.word_valid.value):
                index = int(self._dut.word_index.value)
                assert index < self.head + self.capacity, f"word {index} came beyond the room"
                self.words.append((index, int(self._dut.word.value)))
                if int(self._dut.bus_error.value) and self.error_with is None:
                    self.error_with = index

    async def finish(self) -> None:
        """To the end of the run: all words taken, nothing in flight."""
        while self.head < self.end or not int(self._dut.flushed.value):
            await settle(self._dut)
        await cycles(self._dut, 4)


async def prepare(dut: Dut) -> None:
    """Reset with all inputs idle."""
    await reset(dut, begin_run=0, flush=0, room_words=0, skip_to=0)


async def flush_port(dut: Dut) -> None:
    """The end of a run; ends where inputs may be written."""
    await drive(dut)
    dut.flush.value = 1
    await ReadOnly()
    while not int(dut.flushed.value):
        await settle(dut)
    await drive(dut)
    dut.flush.value = 0


def compare(check: Checker, buffer: Buffer, base: int, indices: Iterable[int], what: str) -> None:
    """These words came, and nothing else."""
    golden = list(indices)
    check.equal(np.array([index for index, _ in buffer.words]), np.array(golden), f"{what}: indices")
    values = [content((base - base % WORD_BYTES + WORD_BYTES * index) % (1 << 64)) for index in golden]
    check.equal(np.array([word for _, word in buffer.words], object), np.array(values, object), f"{what}: words")


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def whole_runs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Runs of all sizes without reset between them, from aligned and other bases; each word is requested once."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, backpressure=idle_rate(stalls))
    buffer = Buffer(dut, memory, rng, backpressure_rate(stalls))
    for size in SIZES:
        base = int(rng.integers(1 << 50)) * PAGE + int(rng.choice(np.array([0, rng.integers(PAGE)])))
        await buffer.begin(base, size)
        await buffer.finish()
        compare(check, buffer, base, range(size), f"{size} words")
        check.equal(buffer.beats, size, "beats")
        check.equal(sum(beats for _, beats in buffer.requested()), size, "words requested")
        check.equal(int(dut.bus_error.value), 0, "bus_error")
        await flush_port(dut)


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def skips(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """What is skipped before it was requested is not requested, but for the burst on its way; the rest comes."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, backpressure=idle_rate(stalls))
    buffer = Buffer(dut, memory, rng, backpressure_rate(stalls))
    for run in range(2):
        base = int(rng.integers(1 << 40)) * PAGE
        size = FAR + int(rng.integers(100)) if run == 1 else 2500
        await buffer.begin(base, size)
        needed = size
        for skip in (0, 1, 50, 700, 5, 90, 1100, 3, 300, FAR - 2500 if run == 1 else 40):
            await cycles(dut, int(rng.integers(150)))
            asked = sum(buffer.requested()[-1]) if buffer.requested() else 0
            # The last word is never skipped.
            buffer.head = max(buffer.head, min(buffer.head + skip, size - 1))
            needed -= max(0, buffer.head - max(asked, buffer.head - skip) - 2 * MAX_BEATS)
        await buffer.finish()
        indices = [index for index, _ in buffer.words]
        compare(check, buffer, base, sorted(set(indices)), f"run {run}")
        check.equal(indices[-1], size - 1, "last word")
        asked = sum(beats for _, beats in buffer.requested())
        check.equal(asked <= needed, True, f"{asked} words requested, {needed} at most")
        await flush_port(dut)


@cocotb.test()
@checked
async def keeps_memory_busy(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Sixteen bursts overlap, so that a slow memory delivers a word in almost every cycle."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, latency=60)
    buffer = Buffer(dut, memory, rng)
    buffer.capacity, words = 4096, 2000
    await buffer.begin(PAGE, words)
    await cycles(dut, words + 250)
    compare(check, buffer, PAGE, range(words), "slow memory")
    await flush_port(dut)

    memory.silence()
    await buffer.begin(PAGE, words)
    await cycles(dut, 400)
    check.equal(
        buffer.requested(), [(MAX_BEATS * burst, MAX_BEATS) for burst in range(16)], "requests without a response"
    )
    memory.respond()
    await flush_port(dut)


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR])
@checked
async def errors(dut: Dut, check: Checker, rng: np.random.Generator, response: AxiResp) -> None:
    """An error on one beat is kept until the next run, all words come nevertheless; the next run is clean."""
    await prepare(dut)
    memory = ReadMemory(dut, rng)
    buffer = Buffer(dut, memory, rng)
    for failing in (0, 13, 36):
        memory.errors = {PAGE + WORD_BYTES * failing: response}
        await buffer.begin(PAGE, 37)
        await buffer.finish()
        check.equal(buffer.error_with, failing, "the first word with bus_error")
        compare(check, buffer, PAGE, range(37), "words of a run with an error")
        check.equal(int(dut.bus_error.value), 1, "bus_error at the end")
        memory.errors = {}
        await buffer.begin(PAGE, 5)
        await buffer.finish()
        check.equal(int(dut.bus_error.value), 0, "bus_error in the next run")


@cocotb.test()
@cocotb.parametrize(after=[0, 1, 2, 3, 4, 5, 6, 10, 30, 120], responses=["late", "at once"])
@checked
async def aborted_run(dut: Dut, check: Checker, rng: np.random.Generator, after: int, responses: str) -> None:
    """A run given up after some cycles leaves nothing behind, even where memory was silent until then."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, backpressure=0.3)
    memory.errors = {PAGE + WORD_BYTES * word: AxiResp.SLVERR for word in range(50, 2000)}
    buffer = Buffer(dut, memory, rng)
    if responses == "late":
        memory.silence()
    await buffer.begin(PAGE, 2000)
    await cycles(dut, after)
    dut.flush.value = 1
    await ReadOnly()
    at_once, requests = int(dut.flushed.value), len(memory.bursts)
    await cycles(dut, 2)
    came, error = len(buffer.words), int(dut.bus_error.value)
    await cycles(dut, 100)
    await ReadOnly()
    if responses == "late":
        check.equal(int(dut.flushed.value), int(memory.outstanding == 0), "flushed while memory is silent")
        await drive(dut)
        memory.respond()
    await flush_port(dut)
    check.equal(memory.outstanding, 0, "requests in flight when flushed")
    if at_once:
        check.equal(len(memory.bursts), requests, "requests when flushed at once")
    check.equal(len(buffer.words), came, "words that came after flush")
    check.equal(int(dut.bus_error.value), error, "bus_error by words that were dropped")
    requests = len(memory.bursts)
    await cycles(dut, 50)
    check.equal(len(memory.bursts), requests, "requests between runs")
    memory.errors = {}
    await buffer.begin(7 * PAGE - WORD_BYTES, 77)
    await buffer.finish()
    compare(check, buffer, 7 * PAGE - WORD_BYTES, range(77), "the next run")
    check.equal(int(dut.bus_error.value), 0, "bus_error in the next run")
