"""load: rows of memory in every scratchpad that LOAD writes, as golden reads them; with and without a pitch, while
another has the reader now and then."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.devices.golden.program import low_bits
from edgemoe.spec.isa import MEMORY_WORD, Buffer
from edgemoe.spec.legality import LOADED, element_bytes
from edgemoe.spec.memory import row_pitch
from edgemoe.spec.precision import WIDE_LIMIT
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, hardware, idle_rate, reset
from sim.common.rows import SHAPES, Banks, IntArray
from sim.common.runs import Run

RUNS = [Run("streaming"), Run("streaming_fine")]
BASE = 0xFFFF_FF80  # the address carries into its upper half
DEPTH = 64
VALUES = {Buffer.RESIDUAL: "residual_values", Buffer.GATE_INPUT: "gate_values"}


def bits_of(buffer: Buffer) -> int:
    """Of a value in its scratchpad."""
    numbers = hardware().numbers
    return {Buffer.RESIDUAL: numbers.residual_bits, Buffer.GATE_INPUT: 16}.get(buffer, numbers.activation_bits)


def kept(raw: IntArray, buffer: Buffer) -> IntArray:
    """What the scratchpad holds of values in memory."""
    if buffer == Buffer.GATE_INPUT:
        return np.clip(raw, -WIDE_LIMIT, WIDE_LIMIT)
    return low_bits(raw, bits_of(buffer))


class Memory:
    """Answers commands: word i of the memory is content[i]; notes what is written into the scratchpad."""

    def __init__(self, dut: Dut, rng: np.random.Generator, stalls: str) -> None:
        self.dut, self.rng = dut, rng
        self.idle, self.backpressure = idle_rate(stalls), backpressure_rate(stalls)
        self.content: dict[int, int] = {}
        self.waiting: deque[int] = deque()  # addresses of words
        self.hold = 0  # cycles for which another wants the reader, or has it
        self.commands: list[tuple[int, int]] = []
        self.bank: Banks | None = None
        self.values = ""

    async def cycle(self) -> None:
        """One cycle of the reader and the scratchpad; ends where outputs may be read."""
        dut, rng = self.dut, self.rng
        await drive(dut)
        dut.start.value = 0
        if self.hold and not self.waiting:
            self.hold -= 1  # it waits for the words of load, then has its own
        elif rng.random() < self.idle / 20:
            self.hold = 1 + int(rng.integers(20))
        dut.hold.value = int(self.hold > 0)
        ready, valid = rng.random() >= self.backpressure, bool(self.waiting) and rng.random() >= self.idle
        dut.command_ready.value, dut.word_valid.value = int(ready), int(valid)
        dut.word.value = self.content[self.waiting[0]] if valid else int(rng.integers(1 << 62))
        await ReadOnly()
        assert int(dut.due.value) == bool(self.waiting), "due while words are on their way, and then alone"
        if valid and int(dut.word_ready.value):
            self.waiting.popleft()
        if ready and int(dut.command_valid.value):
            assert not self.hold, "a command while another has the reader"
            address, words = int(dut.command_address.value), int(dut.command_words.value)
            self.commands.append((address, words))
            self.waiting.extend(range(address, address + words * MEMORY_WORD, MEMORY_WORD))
        if int(dut.write_enable.value):
            assert self.bank is not None
            value = int(getattr(dut, self.values).value)
            self.bank.write(int(dut.write_bank.value), int(dut.write_depth.value), value)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle", "both"], apart=[False, True])
@checked
async def every_buffer(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, apart: bool) -> None:
    """One command for each row; rows between them are left alone."""
    sizes, memory = hardware(), Memory(dut, rng, stalls)
    await reset(dut, start=0, command_ready=0, word_valid=0, hold=0)
    for count, vectors, first in SHAPES:
        for buffer in LOADED:
            size = element_bytes(buffer, sizes)
            row = row_pitch(16 * vectors, size)
            step = row + MEMORY_WORD * int(rng.integers(0, 4)) if apart else row
            raw = rng.integers(-(1 << (8 * size - 1)), 1 << (8 * size - 1), (count, 16 * vectors))
            raw[0, :2] = -(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1
            memory.content, memory.commands = {}, []
            for number, values in enumerate(raw.astype(f"<i{size}")):
                data = values.tobytes()
                for at in range(0, row, MEMORY_WORD):
                    word = int.from_bytes(data[at : at + MEMORY_WORD], "little")
                    memory.content[BASE + number * step + at] = word
            memory.bank = Banks(sizes.token_par, DEPTH, bits_of(buffer))
            memory.values = VALUES.get(buffer, "activation_values")
            memory.bank.fill(rng)
            expected = Banks(sizes.token_par, DEPTH, bits_of(buffer))
            expected.values = memory.bank.values.copy()
            expected.put_rows(first, kept(raw, buffer))
            await drive(dut)
            dut.destination.value, dut.rows.value, dut.vectors.value = int(buffer), count, vectors
            dut.destination_row.value, dut.address.value = first, BASE
            dut.pitch.value = step // MEMORY_WORD if apart else 0
            dut.start.value = 1
            took, words = 0, count * row // MEMORY_WORD
            await ReadOnly()
            while took == 0 or int(dut.busy.value):
                await memory.cycle()
                took += 1
                assert took < 200 + 30 * words, f"busy for more than {took} cycles"
            assert stalls != "none" or took <= 14 + words + count, "less than a word a cycle"
            what = f"{buffer.name}, {count} rows × {vectors} vectors, {step} bytes from row to row"
            alone = [(BASE + number * step, row // MEMORY_WORD) for number in range(count)]
            check.equal(memory.commands, alone, f"commands of {what}")
            check.equal(memory.bank.values, expected.values, what)
