"""What surrounds the compute unit in its bench: scratchpads, the weight stream at any pace, experts' queues, memory."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import STREAM_LINE, Buffer
from edgemoe.spec.machine import LOOKUP_LATENCY, READ_LATENCY, TAKE_LATENCY
from edgemoe.spec.memory import Bytes, LinearWeights
from edgemoe.spec.precision import WIDE_LIMIT
from sim.common.bench import Checker, Dut, backpressure_rate, drive, extremes, idle_rate, unpack
from sim.common.machine import LOGIT_BITS, NUMBERS, OUT_PAR, OUT_PARTS, POST_ROWS, SIZES, TOKEN_PAR, IntArray
from sim.common.pipeline import noise
from sim.common.rows import Banks, each_cycle

ROW_DEPTH = SIZES.row_depth
MOST_AVAILABLE = 8
SETTLING = 3  # cycles after `again` in which no line is available
BITS = {Buffer.RESIDUAL: NUMBERS.residual_bits, Buffer.GATE_INPUT: 16}
ARRAY = {"norm": Buffer.NORM, "hidden": Buffer.HIDDEN, "gate_input": Buffer.GATE_INPUT, "query": Buffer.QUERY}
GATHERED = "gathered"


class Scratchpad(Banks):
    """Banks whose packed vectors are kept until they change."""

    def __init__(self, bits: int) -> None:
        super().__init__(TOKEN_PAR, ROW_DEPTH, bits)
        self._packed: dict[tuple[int, int], int] = {}

    def word(self, bank: int, depth: int) -> int:
        """A vector as the hardware sees it."""
        if (bank, depth) not in self._packed:
            self._packed[bank, depth] = self.packed(bank, depth)
        return self._packed[bank, depth]

    def changed(self) -> None:
        """After values were set from outside."""
        self._packed.clear()

    def put_part(self, bank: int, depth: int, part: int, values: IntArray) -> None:
        """One part of a vector, as wide as an output tile."""
        self.values[bank, depth, part * OUT_PAR : (part + 1) * OUT_PAR] = values
        self._packed.pop((bank, depth), None)


class Stream:
    """The weight buffer: lines of a run that arrive at a random pace, and may be kept for a second pass."""

    def __init__(self, dut: Dut, rng: np.random.Generator, idle: float) -> None:
        self._dut, self._rng, self._idle = dut, rng, idle
        self.lines: list[int] = []
        self.arrived = self.gone = 0
        self.kept: int | None = None  # line that `again` goes back to

    def add(self, data: Bytes) -> None:
        """More of the run."""
        self.lines += [int.from_bytes(line.tobytes(), "little") for line in data.reshape(-1, STREAM_LINE)]

    async def run(self) -> None:
        """For ever."""
        dut = self._dut
        waiting: deque[int | None] = deque([None] * TAKE_LATENCY)
        settling = 0
        while True:
            await drive(dut)
            if self._rng.random() >= 2 * self._idle:
                arrived = min(self.arrived + (1 if self._idle else 4), len(self.lines), self.gone + 64)
                self.arrived = max(self.arrived, arrived)
            available = 0 if settling else min(self.arrived - self.gone, MOST_AVAILABLE)
            settling = max(0, settling - 1)
            used = self.gone if self.kept is None else self.kept
            dut.available.value, dut.left.value = (1 << available) - 1, len(self.lines) - used
            taken = waiting.popleft()
            dut.taken_valid.value = int(taken is not None)
            dut.taken.value = noise(self._rng, len(dut.taken)) if taken is None else taken
            await ReadOnly()
            if int(dut.keep.value):
                assert self.kept is None, "lines are kept while others are"
                self.kept = self.gone
            if int(dut.again.value):
                assert self.kept is not None, "lines are taken again that have not been kept"
                assert not int(dut.take.value), "takes in the cycle of `again`"
                assert not int(dut.skip.value), "skips in the cycle of `again`"
                self.gone, self.kept, settling = self.kept, None, SETTLING
            count = int(dut.take_lines.value)
            if not int(dut.take.value):
                waiting.append(None)
            else:
                assert 1 <= count <= available, f"{count} lines taken, {available} are there"
                word = sum(line << 8 * STREAM_LINE * n for n, line in enumerate(self.lines[self.gone :][:count]))
                waiting.append(word)
                self.gone += count
            if int(dut.skip.value):
                assert self.kept is None, "skips while lines are kept"
                self.gone += int(dut.skip_lines.value)
                self.arrived = max(self.arrived, self.gone)


class Environment:
    """All of it; `run` starts what goes on in every cycle."""

    def __init__(self, dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
        self.dut, self.check, self.rng = dut, check, rng
        self.backpressure = 2 * backpressure_rate(stalls)
        self.stream = Stream(dut, rng, idle_rate(stalls))
        buffers = [buffer for buffer in Buffer if buffer not in (Buffer.NONE, Buffer.ROUTING)]
        self.pads: dict[Buffer | str, Scratchpad] = {
            buffer: Scratchpad(BITS.get(buffer, NUMBERS.activation_bits)) for buffer in buffers
        }
        self.pads[GATHERED] = Scratchpad(NUMBERS.activation_bits)
        self.before: dict[Buffer | str, IntArray] = {}  # scratchpads before the instruction
        self.queue: IntArray = np.zeros((1, 2), dtype=np.int64)  # destination, score of the expert at work
        self.expert = 0
        self.words: dict[int, int] = {}
        self.logits: list[tuple[int, int, IntArray]] = []  # row, tile, values

    def run(self) -> None:
        """For the whole test."""
        dut = self.dut
        pads = {name: self.pads[buffer] for name, buffer in ARRAY.items()} | {GATHERED: self.pads[GATHERED]}
        sources = {
            "array_depth": pads,
            "residual_read_depth": {"residual": self.pads[Buffer.RESIDUAL]},
            "attention_depth": {"keys": self.pads[Buffer.KEY], "values": self.pads[Buffer.VALUE]},
        }
        for signal, read in sources.items():
            cocotb.start_soon(self._read(signal, read))
        cocotb.start_soon(self.stream.run())
        cocotb.start_soon(
            each_cycle(dut, LOOKUP_LATENCY, lambda: (int(dut.lookup_expert.value), int(dut.lookup_index.value)),
                       self._lookup)
        )  # fmt: skip
        cocotb.start_soon(self._results())

    async def _read(self, signal: str, pads: dict[str, Scratchpad]) -> None:
        dut, depths = self.dut, getattr(self.dut, signal)
        offered = len(depths) // 16  # one for all banks, one for each, or some that take turns

        def respond(word: int) -> None:
            places = [word >> 16 * (lane % offered) & 0xFFFF for lane in range(TOKEN_PAR)]
            for name, pad in pads.items():
                width = VECTOR * pad.bits
                vectors = (pad.word(lane, depth) << lane * width for lane, depth in enumerate(places))
                getattr(dut, name).value = sum(vectors)

        await each_cycle(dut, READ_LATENCY, lambda: int(depths.value), respond)

    def _lookup(self, asked: tuple[int, int]) -> None:
        expert, index = asked
        known = expert == self.expert and index < len(self.queue)
        destination, score = self.queue[index].tolist() if known else self.rng.integers(0, 1 << 16, 2).tolist()
        self.dut.lookup_destination.value, self.dut.lookup_score.value = destination, score

    async def _results(self) -> None:
        """Writes of scratchpads, logits, and words of a head."""
        dut = self.dut
        while True:
            await drive(dut)
            dut.word_ready.value = int(self.rng.random() >= self.backpressure)
            await ReadOnly()
            if enabled := int(dut.write_enable.value):
                pad = self.pads[Buffer(int(dut.write_buffer.value))]
                self._write(pad, enabled, dut.write_parts, dut.write_depth, dut.write_values)
            if enabled := int(dut.residual_enable.value):
                pad = self.pads[Buffer.RESIDUAL]
                self._write(pad, enabled, dut.residual_parts, dut.residual_depth, dut.residual_values)
            if int(dut.word_valid.value) and int(dut.word_ready.value):
                address = int(dut.word_address.value)
                assert address not in self.words, f"word {address:#x} is written twice"
                self.words[address] = int(dut.word.value)
            if valid := int(dut.logits_valid.value):
                for row in range(POST_ROWS):
                    if valid >> row & 1:
                        values = unpack(int(dut.logits.value) >> row * OUT_PAR * LOGIT_BITS, OUT_PAR, LOGIT_BITS)
                        number = int(dut.logits_row.value) >> 16 * row & 0xFFFF
                        self.logits.append((number, int(dut.logits_tile.value), values))

    def _write(self, pad: Scratchpad, enabled: int, parts: Dut, depths: Dut, values: Dut) -> None:
        width = VECTOR * pad.bits
        for bank in range(TOKEN_PAR):
            if enabled >> bank & 1:
                vector = unpack(int(values.value) >> bank % POST_ROWS * width, VECTOR, pad.bits)
                depth = int(depths.value) >> 16 * (bank % POST_ROWS) & 0xFFFF
                for part in range(OUT_PARTS):
                    if int(parts.value) >> part & 1:
                        pad.put_part(bank, depth, part, vector[part * OUT_PAR : (part + 1) * OUT_PAR])

    def random_weights(self, outputs: int, inputs: int, wanted: int) -> LinearWeights:
        """Any layer; its results have about `wanted` bits."""
        rng, bits = self.rng, NUMBERS.activation_bits
        size = inputs.bit_length() // 2 + 2 * bits - 2  # of a typical sum
        shift = np.clip(rng.integers(-1, 3, outputs) + size + 16 - wanted, 0, 60)
        return LinearWeights(
            weight=extremes(rng, bits, outputs * inputs, 0.1).reshape(outputs, inputs),
            bias=rng.integers(-(1 << size), 1 << size, outputs),
            multiplier=rng.integers(1 << 15, 1 << 16, outputs),
            shift=shift,
        )

    def fill(self) -> None:
        """Any values everywhere."""
        for name, pad in self.pads.items():
            values = extremes(self.rng, pad.bits, pad.values.size, 0.1).reshape(pad.values.shape)
            pad.values = np.clip(values, -WIDE_LIMIT, WIDE_LIMIT) if name == Buffer.GATE_INPUT else values
            pad.changed()

    def begin(self, **fields: int) -> None:
        """Fields of an instruction, and how scratchpads stand before it."""
        self.fill()
        self.before = {name: pad.values.copy() for name, pad in self.pads.items()}
        for name, value in fields.items():
            getattr(self.dut, name).value = value

    def gelu_grid(self) -> tuple[int, int, int]:
        """GELU's multiplier, shift and zero, as fields of the instruction."""
        grid = (int(self.rng.integers(1 << 15, 1 << 16)), 16 + NUMBERS.gelu_fraction - NUMBERS.activation_bits + 3, -5)
        dut = self.dut
        dut.output_multiplier.value, dut.output_shift.value, dut.output_zero.value = grid
        dut.activation.value, dut.biased.value = 0, 0
        return grid

    def residual_before(self, first: int, rows: int, vectors: int) -> IntArray:
        """Rows of RESIDUAL as they stood before the instruction."""
        banks = Banks(TOKEN_PAR, 0, NUMBERS.residual_bits)
        banks.values = self.before[Buffer.RESIDUAL]
        return banks.rows(first, rows, vectors)

    def placed(self, buffer: Buffer, first: int, rows: IntArray, before: IntArray | None = None) -> IntArray:
        """Values of a scratchpad in which rows have been written since."""
        banks = Banks(TOKEN_PAR, 0, self.pads[buffer].bits)
        banks.values = self.before[buffer].copy() if before is None else before
        banks.put_rows(first, rows)
        return banks.values

    def compare(self, expected: dict[Buffer | str, IntArray], what: str) -> None:
        """Every scratchpad; those that are not in `expected` have to be as `before`."""
        assert self.stream.gone == len(self.stream.lines), f"{what}: lines of the stream are left"
        for name, pad in self.pads.items():
            self.check.equal(
                pad.values, expected.get(name, self.before[name]), f"{getattr(name, 'name', name)} after {what}"
            )
