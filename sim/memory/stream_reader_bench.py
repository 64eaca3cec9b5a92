"""stream_reader: commands of every kind in any order, lines late or kept, takers slow, headers good and bad.

Here the bench is the weight buffer, attention, and whoever takes tiles, channel records and lines.
"""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import STREAM_LINE
from edgemoe.spec.machine import CHANNEL_QUEUE, TILE_QUEUE, Fetch
from edgemoe.spec.memory import SegmentKind, segment_header
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, idle_rate, reset
from sim.common.compute_model import Stream
from sim.common.machine import CONFIG, FETCH, IN_PAR, NUMBERS, OUT_PAR
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [
    Run("micro", tests="commands"),
    Run("wide", tests="commands", slow=True),
    Run("narrow", tests="commands", slow=True),
    Run("narrow_tiles", tests="commands"),
    Run("streaming"),
]
LINE_BITS = 8 * STREAM_LINE
TILE_BITS = IN_PAR * OUT_PAR * NUMBERS.weight_bits
TILE_LINES, CHANNEL_LINES = TILE_BITS // LINE_BITS, OUT_PAR * NUMBERS.channel_bytes // STREAM_LINE
LINE_QUEUE = 8
ATTENTION_LATENCY = 4
WEIGHTS_DELAY = 2  # from weights_coming to weights
END = 60  # cycles after the last command in which everything that was taken comes out


class Script:
    """Commands, the stream they read, and what has to come out of it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.commands: list[int] = []
        self.lines: list[int] = []
        self.tiles: list[int] = []
        self.channels: list[int] = []
        self.passed: list[int] = []
        self.faults: list[int] = []

    def take(self, count: int) -> int:
        """So many random lines, side by side."""
        lines = [noise(self.rng, LINE_BITS) for _ in range(count)]
        self.lines += lines
        return sum(line << LINE_BITS * n for n, line in enumerate(lines))

    def header(self, number: int, count: int, wrong: str = "") -> None:
        """A header line with these; wrong: what is not as asked for."""
        found = (number ^ (wrong == "number") << int(self.rng.integers(32)), count + (wrong == "count"))
        found = (found[0], 1 << 31) if wrong == "long" else found
        line = segment_header(found[0], SegmentKind.LINEAR, found[1])
        self.lines.append(int.from_bytes(line.tobytes(), "little"))
        self.commands.append(FETCH.pack(kind=Fetch.HEADER, number=number, count=count))
        self.faults.append({"": Fault.NONE, "long": Fault.STREAM_END}.get(wrong, Fault.SEGMENT_MISMATCH))

    def weights(self, outputs: int, inputs: int, channels: bool, narrow: bool = False, twice: bool = False) -> None:
        """Tiles, channel records before those of each output tile; narrow: of 4 bits, an output tile whole lines;
        twice: kept, and taken again."""
        first_tile, first_record = len(self.tiles), len(self.channels)
        for _ in range(outputs):
            if channels:
                self.channels.append(self.take(CHANNEL_LINES))
            if narrow:
                lines = -(-inputs * (TILE_BITS // 2) // LINE_BITS)
                halves = split(self.take(lines), TILE_BITS // 2, inputs)
                self.tiles += [expanded(half) for half in halves]
            else:
                self.tiles += [self.take(TILE_LINES) for _ in range(inputs)]
        fields = {"output_tiles": outputs, "input_tiles": inputs, "channels": int(channels), "members": 1}
        for kind in (Fetch.KEPT, Fetch.AGAIN) if twice else (Fetch.WEIGHTS,):
            self.commands.append(FETCH.pack(kind=kind, narrow=int(narrow), **fields))
        if twice:
            self.tiles += self.tiles[first_tile:]
            self.channels += self.channels[first_record:]

    def plain(self, count: int) -> None:
        """Lines that are passed on."""
        self.passed += [self.take(1) for _ in range(count)]
        self.commands.append(FETCH.pack(kind=Fetch.LINES, count=count))

    def skip(self, count: int) -> None:
        """Lines that nobody wants."""
        self.take(count)
        self.commands.append(FETCH.pack(kind=Fetch.SKIP, count=count))

    def attend(self, kind: Fetch, tiles: int) -> None:
        """Tiles that attention makes; how many stands in the command only for this bench."""
        self.tiles += [noise(self.rng, TILE_BITS) for _ in range(tiles)]
        self.commands.append(
            FETCH.pack(kind=kind, output_tiles=tiles, input_tiles=int(self.rng.integers(1, 99)), members=3)
        )

    def finish(self, missing: int) -> None:
        """A header whose payload is the end of the stream but for `missing` lines, and one where nothing is left."""
        count = int(self.rng.integers(1, 20))
        self.header(5, count)
        self.skip(count - missing)
        self.faults[-1] = Fault.STREAM_END if missing else Fault.NONE
        self.commands.append(FETCH.pack(kind=Fetch.HEADER, number=7, count=1))
        self.faults.append(Fault.STREAM_END)


def split(word: int, bits: int, count: int) -> list[int]:
    """The first `count` parts of so many bits, from the lowest up."""
    return [word >> bits * n & ((1 << bits) - 1) for n in range(count)]


def expanded(half: int) -> int:
    """A tile of int8 weights from one of 4 bits, each sign-extended."""
    weights = ((value ^ 8) - 8 for value in split(half, 4, IN_PAR * OUT_PAR))
    return sum((weight & 255) << 8 * n for n, weight in enumerate(weights))


def script(rng: np.random.Generator, missing: int) -> Script:
    """Every kind, then commands as drawn."""
    made = Script(rng)
    made.header(3, 11)
    made.weights(1, 1, True)
    made.weights(3, 2, True)
    made.attend(Fetch.KEYS, 5)
    made.weights(2, 7, False)
    made.plain(1)
    made.skip(1)
    made.header(1 << 31, 0, "number")
    made.plain(LINE_QUEUE + 5)
    made.attend(Fetch.VALUES, TILE_QUEUE + 3)
    made.header(0, 5, "count")
    made.weights(CHANNEL_QUEUE + 3, 1, True)
    made.weights(3, 2, True, twice=True)
    made.weights(1, 1, False, twice=True)
    made.weights(1, 1, True, twice=True)
    made.plain(2)
    made.weights(2, TILE_QUEUE + 1, False, twice=True)
    made.skip(3)
    made.weights(CHANNEL_QUEUE + 1, 1, True, twice=True)
    if CONFIG.narrow_weights:
        made.weights(2, 1, True, narrow=True)
        made.weights(3, 5, False, narrow=True)
        made.weights(1, 2, True)
        made.weights(2, 3, True, narrow=True, twice=True)
        made.weights(1, 1, False, narrow=True, twice=True)
    made.skip(131)
    made.header(9, 2, "long")
    for _ in range(14):
        kind = int(rng.integers(6))
        if kind == 0:
            made.header(int(rng.integers(1 << 32)), int(rng.integers(0, 3)))
        elif kind in (1, 2):
            narrow = CONFIG.narrow_weights and rng.random() < 0.5
            sizes = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
            made.weights(*sizes, kind == 1, narrow, twice=rng.random() < 0.5)
        elif kind == 3:
            made.plain(int(rng.integers(1, 20)))
        elif kind == 4:
            made.skip(int(rng.integers(0, 40)))
        else:
            made.attend(Fetch(int(rng.integers(Fetch.KEYS, Fetch.VALUES, endpoint=True))), int(rng.integers(1, 20)))
    made.skip(12)  # so that the counts of good headers are there
    made.finish(missing)
    return made


class Bench:
    """Takers and attention; what they saw."""

    def __init__(self, dut: Dut, rng: np.random.Generator, stalls: str, made: Script) -> None:
        self.dut, self.rng, self.made = dut, rng, made
        # Who is slow is drawn, so that each queue is the one that is full.
        rates = [0.0, 0.8, 0.95] if backpressure_rate(stalls) else [0.0]
        self.slow, self.slow_channels, self.slow_lines = (float(rng.choice(rates)) for _ in range(3))
        self.rested = False
        self.coming: deque[bool] = deque([False] * WEIGHTS_DELAY)
        self.tiles: list[int] = []
        self.channels: list[int] = []
        self.passed: list[int] = []
        self.faults: list[int] = []
        self.started: list[int] = []
        self.passes: list[int] = []  # commands of lines kept and taken again
        self.current: int | None = None
        self.went_back = False  # one cycle ago
        self.tiles_done = self.channels_done = 0
        self.to_reserve = 0  # tiles that attention still has to make
        self.making: deque[int] = deque()  # cycles until a tile of attention leaves

    def inputs(self) -> None:
        """Before a cycle."""
        dut, rng = self.dut, self.rng
        done = self.tiles_done < len(self.tiles) and rng.random() >= self.slow
        dut.tile_done.value, self.tiles_done = int(done), self.tiles_done + done
        done = self.channels_done < len(self.channels) and rng.random() >= self.slow_channels
        dut.channel_done.value, self.channels_done = int(done), self.channels_done + done
        dut.line_ready.value = int(rng.random() >= self.slow_lines)
        self.making = deque(left - 1 for left in self.making)
        push = bool(self.making) and self.making[0] == 0
        if push:
            self.making.popleft()
            self.tiles.append(self.made.tiles[len(self.tiles)])  # whatever attention makes, in its place
        dut.attention_busy.value = int(self.to_reserve > 0 or bool(self.making) or push)
        self.wants = self.to_reserve > 0 and rng.random() >= self.slow
        dut.attention_reserve.value = 0

    async def outputs(self) -> None:
        """At the end of a cycle; attention answers room within it."""
        dut = self.dut
        if self.wants and int(dut.tile_room.value):  # a register's output: it stands since the cycle began
            dut.attention_reserve.value = 1
            self.to_reserve -= 1
            self.making.append(ATTENTION_LATENCY)
        await ReadOnly()
        self.coming.append(bool(int(dut.weights_coming.value)))
        if self.coming.popleft():
            self.tiles.append(int(dut.weights.value))
        if int(dut.channel_push.value):
            self.channels.append(int(dut.channel_lines.value))
        if int(dut.line_valid.value) and int(dut.line_ready.value):
            self.passed.append(int(dut.line.value))
        if int(dut.header_done.value):
            self.faults.append(int(dut.header_fault.value))
        self.keeping()
        if int(dut.attention_start.value):
            self.started.append(int(dut.current.value))
            self.to_reserve = FETCH.unpack(self.started[-1])["output_tiles"]
        assert len(self.tiles) - self.tiles_done <= TILE_QUEUE, "more tiles than the queue holds"
        assert len(self.channels) - self.channels_done <= CHANNEL_QUEUE, "more channel records than their queue holds"
        names = ("weights_coming", "channel_push", "line_valid", "header_done", "tile_done", "channel_done")
        moves = any(int(getattr(dut, name).value) for name in names)
        assert not (self.rested and moves), "idle while something was on its way"
        self.rested = bool(int(dut.idle.value)) and not int(dut.command_valid.value)
        assert not (int(dut.waits.value) and int(dut.take.value)), "takes and waits"

    def keeping(self) -> None:
        """keep and again rise in a command's first cycle, weights are wanted a cycle after again."""
        dut = self.dut
        keep, again, current = int(dut.keep.value), int(dut.again.value), int(dut.current.value)
        begins = self.current is not None and current != self.current  # KEPT and AGAIN come in turn
        assert keep == int(begins and current & 7 == Fetch.KEPT), "keep is not where a command begins"
        assert again == int(begins and current & 7 == Fetch.AGAIN), "again is not where a command begins"
        assert not (again and (int(dut.take.value) or int(dut.waits.value))), "wants lines in the cycle of again"
        assert int(dut.waits.value) or not self.went_back, "weights are not wanted a cycle after again"
        if keep or again:
            self.passes.append(current)
        self.current, self.went_back = current, bool(again)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle", "both"])
@checked
async def commands(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Two pairs of streams, one after the other without a reset."""
    await reset(dut, command_valid=0, taken_valid=0, available=0, left=0, attention_busy=0, attention_reserve=0,
                tile_done=0, channel_done=0, line_ready=0)  # fmt: skip
    stream = Stream(dut, rng, idle_rate(stalls))
    cocotb.start_soon(stream.run())
    for missing in (0, 1, 0, 1):
        made = script(rng, missing)
        bench = Bench(dut, rng, stalls, made)
        stream.lines += made.lines
        waiting = deque(made.commands)
        quiet = 0
        while quiet < END:
            await drive(dut)
            bench.inputs()
            give = bool(waiting) and rng.random() >= idle_rate(stalls)
            dut.command_valid.value = int(give)
            dut.command.value = waiting[0] if give else noise(rng, FETCH.bits)
            await bench.outputs()
            if give and int(dut.command_ready.value):
                waiting.popleft()
            quiet = quiet + 1 if not waiting and int(dut.idle.value) else 0
        assert stream.gone == len(stream.lines), f"{len(stream.lines) - stream.gone} lines are left"
        attention = [word for word in made.commands if word & 7 in (Fetch.KEYS, Fetch.VALUES)]
        passes = [word for word in made.commands if word & 7 in (Fetch.KEPT, Fetch.AGAIN)]
        for name, found, expected in (
            ("tiles", bench.tiles, made.tiles),
            ("channel records", bench.channels, made.channels),
            ("lines", bench.passed, made.passed),
            ("faults of headers", bench.faults, made.faults),
            ("starts of attention", bench.started, attention),
            ("lines kept and taken again", bench.passes, passes),
        ):
            check.equal(np.array(found, dtype=object), np.array(expected, dtype=object), name)


@cocotb.test()
@checked
async def ends_of_parts(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Where an instruction closes a part of the stream, the segment that it ends with, and no other, has to end it."""
    low = ("command_valid", "taken_valid", "available", "attention_busy", "attention_reserve", "tile_done",
           "channel_done", "line_ready")  # fmt: skip
    await reset(dut, **dict.fromkeys(low, 0))
    for closes, last, payload, left in [
        (0, 5, 9, 9), (0, 5, 9, 20), (1, 5, 9, 9), (1, 5, 9, 10), (1, 5, 9, 8), (1, 4, 9, 9), (1, 6, 9, 20),
        (1, 5, 9, 0),
    ]:  # fmt: skip
        await drive(dut)
        dut.closes_part.value, dut.last_segment.value, dut.left.value = closes, last, left + bool(left)
        dut.command.value, dut.command_valid.value = FETCH.pack(kind=Fetch.HEADER, number=5, count=payload), 1
        await drive(dut)
        dut.command_valid.value, dut.available.value = 0, 1 if left else 0
        waiting = 0
        await ReadOnly()
        while not int(dut.header_done.value):
            taken = int(dut.take.value)
            await drive(dut)
            waiting = 3 if taken else max(0, waiting - 1)
            if taken:
                dut.available.value, dut.left.value = 0, left
            dut.taken_valid.value = int(waiting == 1)
            line = segment_header(5, SegmentKind.LINEAR, payload)
            dut.taken.value = int.from_bytes(line.tobytes(), "little") if waiting == 1 else noise(rng, len(dut.taken))
            await ReadOnly()
        wrong = Fault.STREAM_END if left < payload else Fault.SEGMENT_MISMATCH
        good = left >= payload and not (closes and last == 5 and left != payload)
        what = f"closes {closes}, last segment {last}, {payload} lines of {left}"
        check.equal(int(dut.header_fault.value), Fault.NONE if good else wrong, what)
