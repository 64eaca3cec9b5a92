"""weight_buffer: lines in order from ports of different pace, through wrap-around, skips, lines kept and aborted runs.

The ports are modelled here as weight_port specifies itself: bursts within the room, jumps over what was skipped, words
in flight delivered whether skipped or not.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import STREAM_LINE
from edgemoe.spec.machine import HELD_BACK_LINES, TAKE_LATENCY
from sim.common.axi_memory import MAX_BEATS, WORD_BYTES, content
from sim.common.bench import Checker, Dut, checked, cycles, drive, hardware, pack, reset
from sim.common.runs import Run

# A tile is 1 line from 1 port and from 4, 2 lines from 2 ports, 4 lines from 4 ports.
RUNS = [
    Run("short_prefetch"),
    Run("ports"),
    Run("micro", slow=True),
    Run("micro_w16a16", slow=True),
    Run("zcu102_w16a16", slow=True),
]
INDEX_BITS = 40
WORDS = STREAM_LINE // WORD_BYTES  # of a line
SETTLING = 4  # cycles without available lines after a skip, and before lines are taken again
MOST_AVAILABLE = 8
BESIDE_KEPT = 32  # lines of the buffer that cannot be kept
IN_FLIGHT = 256  # words that a port has in flight at most, and a burst


def bank_lines(config: HardwareConfig) -> int:
    """Lines that can be taken at once: those of a weight tile."""
    return max(1, config.in_par * config.out_par * config.numbers.weight_bits // (8 * STREAM_LINE))


class Ports:
    """The weight ports of one build: requests as far as there is room, words in order at a random pace."""

    def __init__(self, dut: Dut, rng: np.random.Generator, paces: list[float], delay: int) -> None:
        config = hardware()
        self.count, self.part = config.ports, WORDS // config.ports
        self.requested = 0  # words, on all ports, in this run
        self.active = False
        self.salt = 0
        self._dut, self._rng, self._paces, self._delay = dut, rng, paces, delay
        self._cycle = 0
        self._next = [0] * self.count
        self._end = 0
        self._in_flight: list[deque[tuple[int, int]]] = [deque() for _ in range(self.count)]  # cycle, index

    def begin(self, lines: int, salt: int) -> None:
        """A run of so many lines; what was in flight is dropped."""
        self._next, self._end, self.salt, self.requested = [0] * self.count, lines * self.part, salt, 0
        for words in self._in_flight:
            words.clear()
        self.active = True

    def word(self, line: int, column: int) -> int:
        """What the stream of this run holds there."""
        return content((line * WORDS + column) * WORD_BYTES, self.salt)

    def line(self, line: int) -> int:
        """A line of this run."""
        return pack([self.word(line, column) for column in range(WORDS)], 128)

    def deliver(self) -> None:
        """Words of this cycle."""
        valid, values, indices = 0, [0] * self.count, [0] * self.count
        for port, words in enumerate(self._in_flight):
            indices[port] = int(self._rng.integers(1 << INDEX_BITS))  # noise where no word is
            if words and words[0][0] <= self._cycle and self._rng.random() < self._paces[port % len(self._paces)]:
                index = words.popleft()[1]
                position = index * self.count + port
                valid |= 1 << port
                indices[port], values[port] = index, self.word(position // WORDS, position % WORDS)
        self._dut.port_word_valid.value = valid
        if valid:
            self._dut.port_word.value = pack(values, 128)
        self._dut.port_word_index.value = pack(indices, INDEX_BITS)

    def request(self) -> None:
        """Look at room_words and skip_to of this cycle."""
        self._cycle += 1
        if not self.active:
            return
        room, skip_to = int(self._dut.room_words.value), int(self._dut.skip_to.value)
        for port, words in enumerate(self._in_flight):
            begin = max(self._next[port], skip_to)
            burst = min(MAX_BEATS - begin % MAX_BEATS, self._end - begin)
            if 0 < burst <= room - begin and len(words) < IN_FLIGHT and self._rng.random() < 0.5:
                words.extend((self._cycle + self._delay, begin + word) for word in range(burst))
                self._next[port] = begin + burst
                self.requested += burst


class Reader:
    """Drives the buffer's consumer side and keeps what it should answer."""

    def __init__(self, dut: Dut, check: Checker, rng: np.random.Generator, paces: list[float], delay: int = 3) -> None:
        self.dut, self.check, self.rng = dut, check, rng
        self.lines = bank_lines(hardware())
        self.ports = Ports(dut, rng, paces, delay)
        self.head = self.total = 0
        self.available = 0
        self.left = 0  # what the buffer says is left: lines of two cycles ago
        self.room = 0  # lines, likewise
        self.first: int | None = None  # line that is kept
        self.hold_back = False  # from the next run on
        self.few = False  # HELD_BACK_LINES is the room
        self._due: deque[tuple[int, int]] = deque([(0, 0)] * TAKE_LATENCY, TAKE_LATENCY)  # first line, lines
        self.got: list[int] = []
        self.expected: list[int] = []

    @property
    def used(self) -> int:
        """Lines taken or skipped, but for those that are kept."""
        return self.head if self.first is None else self.first

    async def cycle(
        self, take: int = 0, skip: int = 0, begin: int | None = None, keep: bool = False, again: bool = False
    ) -> None:
        """One cycle with this request; checks valid, lines, left and room, keeps `available` of the next decision."""
        dut = self.dut
        dut.take.value, dut.skip.value, dut.begin_run.value = int(take > 0), int(skip > 0), int(begin is not None)
        dut.take_lines.value = take if take else int(self.rng.integers(8))
        dut.skip_lines.value = skip if skip else int(self.rng.integers(1 << 32))
        dut.run_lines.value = int(self.rng.integers(1 << 62)) if begin is None else begin
        dut.keep.value, dut.again.value = int(keep), int(again)
        held = self.hold_back if self.few or begin is not None else bool(self.rng.integers(2))  # too late
        dut.hold_back.value = int(held)
        self.ports.deliver()
        first, count = self._due[0]
        self._due.append((self.head, take))
        await ReadOnly()
        if self.ports.active and begin is None:
            assert int(dut.left.value) == self.left, f"left at line {self.head}"
            assert int(dut.room_words.value) == self.room * self.ports.part, f"room at line {self.head}"
            assert int(dut.skip_to.value) == self.used * self.ports.part, f"skip_to at line {self.head}"
        assert int(dut.taken_valid.value) == int(count > 0), f"taken_valid, lines from {first}"
        if count:
            taken = int(dut.taken.value)
            for line in range(count):
                self.got.append(taken >> (8 * STREAM_LINE * line) & (1 << 8 * STREAM_LINE) - 1)
                self.expected.append(self.ports.line(first + line))
        self.ports.request()
        self.left = self.total - self.used
        self.few = self.few and held
        self.room = self.used + (min(HELD_BACK_LINES, capacity()) if self.few else capacity())
        if keep:
            self.first = self.head
        if again:
            assert self.first is not None
            self.head, self.first = self.first, None
        self.head += take + skip
        if begin is not None:
            self.head, self.total, self.left, self.first, self.few = 0, begin, begin, None, True
            self.room = min(HELD_BACK_LINES, capacity())
            self.ports.begin(begin, self.ports.salt + 1)
            self._due.extend([(0, 0)] * TAKE_LATENCY)
        await drive(dut)
        self.available = int(dut.available.value).bit_count()
        assert int(dut.available.value) == (1 << self.available) - 1, "lines are available with a gap"
        assert self.available <= min(MOST_AVAILABLE, self.total - self.head), f"available at line {self.head}"

    async def begin(self, lines: int) -> None:
        """Begin a run of so many lines."""
        await self.cycle(begin=lines)

    async def take_until(self, line: int, eagerness: float = 1.0) -> None:
        """Take lines, as many as there are at once, until the head is there."""
        while self.head < line:
            most = min(self.available, self.lines, line - self.head)
            wanted = most if self.rng.random() < 0.7 else int(self.rng.integers(most + 1))
            await self.cycle(take=wanted if self.rng.random() < eagerness else 0)

    async def finish(self, what: str) -> None:
        """Wait for the last take, compare all lines so far."""
        for _ in range(TAKE_LATENCY + 1):
            await self.cycle()
        self.check.equal(np.array(self.got, object), np.array(self.expected, object), what)
        self.got, self.expected = [], []


async def prepare(dut: Dut, check: Checker, rng: np.random.Generator, *paces: float, delay: int = 3) -> Reader:
    """Reset; a reader and ports with these paces."""
    await reset(dut, begin_run=0, take=0, skip=0, keep=0, again=0, port_word_valid=0)
    return Reader(dut, check, rng, list(paces), delay)


def capacity() -> int:
    """Lines in the buffer; a power of two in every configuration that is simulated."""
    return int(hardware().prefetch_bytes) // STREAM_LINE


@cocotb.test()
@cocotb.parametrize(paces=[(1.0,), (0.9, 0.3), (0.6, 1.0)], eagerness=[1.0, 0.3])
@checked
async def whole_runs(
    dut: Dut, check: Checker, rng: np.random.Generator, paces: tuple[float, ...], eagerness: float
) -> None:
    """Runs of several lengths, one after the other without reset."""
    reader = await prepare(dut, check, rng, *paces)
    for lines in (1, 2, 7, 67):
        await reader.begin(lines)
        await reader.take_until(lines, eagerness)
        await reader.finish(f"{lines} lines")
        check.equal(reader.ports.requested, lines * WORDS, "words requested")


@cocotb.test()
@checked
async def fills_and_wraps(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Filled to the last line that bursts allow, then emptied at full rate, then on over the end of the memories."""
    reader = await prepare(dut, check, rng, 1.0)
    lines = capacity() + 200
    await reader.begin(lines)
    full = capacity() * reader.ports.part
    for _ in range(full + 200):
        await reader.cycle()
    check.equal(reader.ports.requested, full * reader.ports.count, "words requested while nothing is taken")
    check.equal(reader.available, MOST_AVAILABLE, "available")
    for _ in range(MAX_BEATS + 1):  # full again after every line: none is overwritten before it is taken
        await reader.cycle(take=1)
        for _ in range(3 * MAX_BEATS):
            await reader.cycle()
    for _ in range(300):  # at full rate: LINES lines in every cycle
        assert reader.available >= reader.lines, f"{reader.available} lines available at line {reader.head}"
        await reader.cycle(take=reader.lines)
    await reader.cycle(skip=capacity() - 30 - reader.head)
    await reader.take_until(lines)
    await reader.finish("lines before and behind the wrap")


@cocotb.test()
@cocotb.parametrize(paces=[(1.0,), (0.3, 0.9)], delay=[0, 40])
@checked
async def skips(dut: Dut, check: Checker, rng: np.random.Generator, paces: tuple[float, ...], delay: int) -> None:
    """Of what has come, of what is in flight, of what was not requested yet, several at once, up to the last line."""
    reader = await prepare(dut, check, rng, *paces, delay=delay)
    for lines in (capacity() + 900, 3 << 34):
        await reader.begin(lines)
        for skip in (1, 0, 2, 9, 40, 130, 3, 17, 400, 1, 1, 60):
            await reader.take_until(reader.head + int(rng.integers(60)))
            for _ in range(int(rng.integers(40))):
                await reader.cycle()
            for part in ([skip], [skip, 1], [1, 1, skip])[int(rng.integers(3))]:
                if part:
                    await reader.cycle(skip=part)
                    check.equal(reader.available, 0, "available right after a skip")
                for _ in range(int(rng.integers(SETTLING + 2))):
                    await reader.cycle()
        while reader.total - reader.head > 500:
            await reader.cycle(skip=min(reader.total - reader.head - 37, (1 << 32) - 1))
        await reader.take_until(lines)
        await reader.finish(f"{lines} lines")
    await reader.begin(50)
    await reader.take_until(20)
    await reader.cycle(skip=30)
    await reader.finish("a run that ends with a skip")
    check.equal(int(dut.left.value), 0, "left")


@cocotb.test()
@checked
async def skipped_lines_are_ready_soon(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Lines that have come are available again four cycles after a skip over those before them."""
    reader = await prepare(dut, check, rng, 1.0)
    await reader.begin(400)
    for _ in range(200 * reader.ports.part):
        await reader.cycle()
    await reader.cycle(skip=100)
    for _ in range(SETTLING - 1):
        await reader.cycle()
    check.equal(reader.available, MOST_AVAILABLE, "available")
    await reader.take_until(150)
    await reader.finish("lines behind the skip")


async def second_pass(reader: Reader) -> None:
    """Go back, at once or later, and wait until lines may be available."""
    for _ in range(int(reader.rng.choice([0, 0, 1, 2, 7]))):
        await reader.cycle()
    await reader.cycle(again=True)
    for _ in range(SETTLING - 1):
        assert reader.available == 0, "available right after lines are taken again"
        await reader.cycle()


@cocotb.test()
@cocotb.parametrize(paces=[(1.0,), (0.3, 0.9)], delay=[0, 40])
@checked
async def kept_lines(dut: Dut, check: Checker, rng: np.random.Generator, paces: tuple[float, ...], delay: int) -> None:
    """Kept and taken again, few and many, all or not, beside takes and skips in front and behind."""
    reader = await prepare(dut, check, rng, *paces, delay=delay)
    await reader.begin(3 << 34)
    for kept in (1, 0, 2, 9, 40, 130, 3, 17, 300, 1, 1, 60):
        eagerness = float(rng.choice([1.0, 0.3]))
        await reader.take_until(reader.head + int(rng.integers(30)), eagerness)
        if rng.random() < 0.5:
            await reader.cycle(skip=int(rng.integers(20)))
            for _ in range(int(rng.integers(SETTLING + 2))):  # kept from there on, settled or not
                await reader.cycle()
        first = reader.head
        take = min(kept, reader.lines, reader.available) if rng.random() < 0.5 else 0
        await reader.cycle(take=take, keep=True)
        await reader.take_until(first + kept, eagerness)
        await second_pass(reader)
        if rng.random() < 0.3 and kept:  # the second pass is kept for a third
            await reader.cycle(keep=True)
            await reader.take_until(first + int(rng.integers(kept + 1)), eagerness)
            await second_pass(reader)
        most = min(kept, MOST_AVAILABLE)
        assert reader.available >= most, f"{reader.available} of {kept} lines are available again"
        if rng.random() < 0.7:
            await reader.take_until(first + kept, eagerness)
        else:  # some of them, and some skipped
            await reader.take_until(first + int(rng.integers(kept + 1)), eagerness)
            await reader.cycle(skip=int(rng.integers(kept + 5)))
    await reader.finish("of a long run")
    await reader.begin(70)
    await reader.take_until(20)
    await reader.cycle(keep=True)
    await reader.take_until(70)
    await second_pass(reader)
    await reader.take_until(70)
    await reader.finish("up to the last line")
    check.equal(int(dut.left.value), 0, "left")
    await reader.begin(70)
    await reader.cycle(keep=True)
    await reader.take_until(30)
    await reader.finish("a run that ends while lines are kept")
    await reader.begin(70)
    await reader.take_until(70)
    await reader.finish("the next run")


@cocotb.test()
@checked
async def keeps_what_it_holds(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """All but the least lines that may not be kept, over the end of the memories; none is overwritten meanwhile."""
    reader = await prepare(dut, check, rng, 1.0)
    first, kept = 200, capacity() - BESIDE_KEPT
    lines = first + capacity() + 300
    await reader.begin(lines)
    await reader.take_until(first)
    await reader.cycle(keep=True)
    await reader.take_until(first + kept)
    for _ in range(200):
        await reader.cycle()
    missing = (first + capacity()) * WORDS - reader.ports.requested
    assert 0 <= missing < MAX_BEATS * reader.ports.count, f"{missing} words less requested than there is room for"
    await second_pass(reader)
    for _ in range(kept // reader.lines):  # at full rate: they are all there
        assert reader.available >= reader.lines, f"{reader.available} lines available at line {reader.head}"
        await reader.cycle(take=reader.lines)
    await reader.take_until(lines)
    await reader.finish("lines kept, and those behind them")


@cocotb.test()
@checked
async def holds_back(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Room for HELD_BACK_LINES beyond those used until hold_back ends, for CAPACITY from then on."""
    reader = await prepare(dut, check, rng, 1.0)
    few = min(HELD_BACK_LINES, capacity())
    for taken in (0, 48):
        reader.hold_back = True
        await reader.begin(2 * capacity())
        for used in (0, taken):
            await reader.take_until(used)
            for _ in range(2 * HELD_BACK_LINES * reader.ports.part):
                await reader.cycle()
            check.equal(reader.ports.requested, (used + few) * WORDS, "words requested while held back")
        await reader.cycle(keep=True)
        await reader.take_until(reader.head + few - BESIDE_KEPT)
        await second_pass(reader)
        await reader.take_until(reader.head + 20)
        for _ in range(2):
            await reader.cycle()
        reader.hold_back = False
        await reader.cycle()
        check.equal(int(dut.room_words.value), (reader.head + capacity()) * reader.ports.part, "room after hold_back")
        await reader.take_until(few + 500)
        await reader.finish("lines behind those held back")


@cocotb.test()
@cocotb.parametrize(after=[1, 5, 30, 200])
@checked
async def aborted_run(dut: Dut, check: Checker, rng: np.random.Generator, after: int) -> None:
    """A run given up, lines left in the buffer or a skip on its way: the next one begins clean."""
    reader = await prepare(dut, check, rng, 0.8, delay=10)
    for skip in (0, 7, 1000):
        await reader.begin(3000)
        for _ in range(after):
            await reader.cycle(take=min(reader.available, 1))
        if skip:
            await reader.cycle(skip=skip)
        reader.ports.active = False
        await reader.begin(61)
        check.equal(reader.available, 0, "available when a run begins")
        reader.got, reader.expected = [], []
        await reader.take_until(61)
        await reader.finish("the next run")


@cocotb.test()
@cocotb.parametrize(lines=[0, 1, (1 << 46) - 1, 1 << 46, (1 << 64) - 1])
@checked
async def words_of_a_run(dut: Dut, check: Checker, rng: np.random.Generator, lines: int) -> None:
    """run_words is the run in words of a port, cut off at the end of the index."""
    await reset(dut, begin_run=0, take=0, skip=0, keep=0, again=0, port_word_valid=0)
    dut.run_lines.value = lines
    dut.begin_run.value = 1
    await ReadOnly()
    part = WORDS // hardware().ports
    expected: Any = min(lines, (1 << INDEX_BITS - 2) - 1) * part
    check.equal(int(dut.run_words.value), expected, "run_words")
    await cycles(dut, 1)
    dut.begin_run.value = 0
    await ReadOnly()
    check.equal(np.array([int(dut.left.value)], object), np.array([lines], object), "left")
