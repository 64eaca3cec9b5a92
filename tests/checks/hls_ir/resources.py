"""Multipliers, dividers and memories as a device has them: DSP48E2 by width, BRAM36 and URAM by geometry.

A DSP48E1 is narrower, so of those no fewer are needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.checks.hls_ir.flow import Block
from tests.checks.hls_ir.layout import Memory, names
from tests.checks.hls_ir.pragmas import Pragmas

BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))  # bits, words, one port each way
URAM_SHAPE = (72, 4096)
SMALL_BITS = 4096  # a bank up to this is taken to be LUTRAM
LUTRAM_SHAPE = (7, 64, 8)  # bits, words, lookup tables of one RAM64M8 with a read and a write port
STREAM_BITS = 1024


@dataclass(frozen=True)
class Arithmetic:
    """One operation of a loop: operand widths in signed bits. block: where."""

    block: str
    kind: str
    one: int
    other: int

    @property
    def dsp(self) -> int:
        """DSP48E2, 27 × 18 bits signed; small products and those with constants are logic."""
        if self.kind != "mul" or min(self.one, self.other) <= 4:
            return 0
        most, least = max(self.one, self.other), min(self.one, self.other)
        return min(-(-(most - 1) // 26) * -(-(least - 1) // 17), -(-(most - 1) // 17) * -(-(least - 1) // 26))


def arithmetic(blocks: dict[str, Block]) -> list[Arithmetic]:
    """Multiplications and divisions by what is no constant."""
    sources: dict[str, int] = {}
    found = []
    for block in blocks.values():
        for line in block.instructions:
            name, _, body = line.partition(" = ")
            if match := re.match(r"(sext|zext)(?: nneg)? i(\d+) ", body):
                sources[name] = int(match[2]) + (match[1] == "zext")
            elif match := re.match(r"and i\d+ \S+, (\d+)", body):
                sources[name] = int(match[1]).bit_length() + 1
            match = re.match(r"(mul|sdiv|udiv|srem|urem)(?: nuw| nsw| exact)* i(\d+) (\S+), (\S+?)(?:,|$)", body)
            if match and match[3].startswith("%") and match[4].startswith("%"):
                widths = [sources.get(value, int(match[2])) for value in (match[3], match[4])]
                found.append(Arithmetic(block.name, match[1], *widths))
    return found


def bram36(bits: int, words: int) -> float:
    """Of one bank: the least that a shape of half a BRAM36 makes possible."""
    return min(-(-bits // width) * -(-words // depth) for width, depth in BRAM18_SHAPES) / 2


@dataclass(frozen=True)
class Store:
    """banks × words × bits. impl: bram, uram, lutram or register."""

    path: str
    banks: int
    words: int
    bits: int
    impl: str

    @property
    def bram36(self) -> float:
        """Block memories of all banks."""
        return self.banks * bram36(self.bits, self.words) if self.impl == "bram" else 0

    @property
    def uram(self) -> int:
        """Ultra memories of all banks."""
        width, depth = URAM_SHAPE
        return self.banks * -(-self.bits // width) * -(-self.words // depth) if self.impl == "uram" else 0

    @property
    def lutram(self) -> int:
        """Lookup tables of all banks."""
        width, depth, tables = LUTRAM_SHAPE
        needed = self.banks * -(-self.bits // width) * -(-self.words // depth) * tables
        return needed if self.impl == "lutram" else 0


def weight_stream(prefetch_bytes: int, pragmas: Pragmas) -> Store:
    """The memory of the stream between the two processes."""
    words = prefetch_bytes * 8 // STREAM_BITS
    return Store("lines", 1, words, STREAM_BITS, pragmas.storage.get("lines", "bram"))


def stores(memories: list[Memory], pragmas: Pragmas) -> list[Store]:
    """Every memory with what it is made of; small ones without a binding are lookup tables."""
    found = []
    for memory in memories:
        banks = words = 1
        for (count, _), parted in zip(memory.dimensions, memory.split(pragmas.partitions), strict=True):
            banks, words = (banks * count, words) if parted else (banks, words * count)
        bound = next((impl for name, impl in pragmas.storage.items() if names(name, memory.path)), None)
        impl = "register" if words == 1 else bound or ("lutram" if words * memory.bits <= SMALL_BITS else "bram")
        found.append(Store(memory.path, banks, words, memory.bits, impl))
    return found
