"""Rows of scratchpads for the benches of units that move them: where vectors lie, banks that answer reads, and banks
that remember writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.spec.hardware import VECTOR
from sim.common.bench import Dut, drive, pack, unpack

IntArray = NDArray[np.int64]
SHAPES = [(1, 1, 0), (3, 2, 1), (4, 3, 0), (5, 1, 3), (7, 5, 2), (13, 2, 6)]  # rows, vectors, first row


class Banks:
    """A scratchpad: values[bank, depth, element]."""

    def __init__(self, banks: int, depth: int, bits: int) -> None:
        self.values = np.zeros((banks, depth, VECTOR), dtype=np.int64)
        self.bits = bits

    def fill(self, rng: np.random.Generator) -> None:
        """Anything."""
        low, high = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        self.values = rng.integers(low, high, self.values.shape, endpoint=True)

    def place(self, row: int, vectors: int, vector: int) -> tuple[int, int]:
        """Bank and depth of a vector."""
        banks = self.values.shape[0]
        return row % banks, row // banks * vectors + vector

    def put_rows(self, first: int, rows: IntArray) -> None:
        """Rows [rows, features] from row `first` on."""
        vectors = rows.shape[1] // VECTOR
        for number, row in enumerate(rows):
            for vector in range(vectors):
                part = row[vector * VECTOR : (vector + 1) * VECTOR]
                self.values[self.place(first + number, vectors, vector)] = part

    def rows(self, first: int, count: int, vectors: int) -> IntArray:
        """[count, features]."""
        places = [[self.place(first + row, vectors, vector) for vector in range(vectors)] for row in range(count)]
        return np.array([[self.values[place] for place in row] for row in places]).reshape(count, -1)

    def packed(self, bank: int, depth: int) -> int:
        """A vector as the hardware sees it; beyond the memory, zeros."""
        inside = depth < self.values.shape[1]
        return pack(self.values[bank, depth], self.bits) if inside else 0

    def write(self, bank: int, depth: int, word: int) -> None:
        """A vector from the hardware."""
        self.values[bank, depth] = unpack(word, VECTOR, self.bits)


async def each_cycle(dut: Dut, latency: int, sample: Callable[[], Any], respond: Callable[[Any], None]) -> None:
    """For ever: what is sampled in a cycle is answered, as an input, `latency` cycles later."""
    waiting: deque[Any] = deque([None] * (latency - 1))
    while True:
        await drive(dut)
        if len(waiting) == latency:
            late = waiting.popleft()
            if late is not None:
                respond(late)
        await ReadOnly()
        waiting.append(sample())


async def collect_words(dut: Dut, rng: np.random.Generator, backpressure: float, words: dict[int, int]) -> None:
    """For ever: takes words to be written, by address in the order they come; each address must come once."""
    while True:
        await drive(dut)
        ready = int(rng.random() >= backpressure)
        dut.word_ready.value = ready
        await ReadOnly()
        if ready and int(dut.word_valid.value):
            address = int(dut.word_address.value)
            assert address not in words, f"{address:#x} was written twice"
            words[address] = int(dut.word.value)


async def until_idle(dut: Dut, limit: int) -> int:
    """Wait while busy; the cycles that took, at most `limit`."""
    for cycle in range(limit):
        await drive(dut)
        await ReadOnly()
        if not int(dut.busy.value):
            return cycle
    raise AssertionError(f"busy for more than {limit} cycles")
