"""Block RAM and UltraRAM of a shape, memory by memory, as Yosys maps them: exact, so nothing is fitted.

One kind of block and one width is taken for a memory, that of fewest blocks; depths that exceed a block are cascaded.
What is shallow lies in LUTs instead, unless the Verilog asks for blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import STREAM_LINE
from edgemoe.spec.machine import Sizes, clog2, scratchpad_rows

# Simple dual port: width → depth.
_RAMB36 = {72: 512, 36: 1024, 18: 2048, 9: 4096, 4: 8192, 2: 16384, 1: 32768}
_RAMB18 = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
_ULTRA_WIDTH, _ULTRA_DEPTH = 72, 4096
_BLOCK_DEPTH = 1024  # of a column of the weight buffer that stays in block RAM beside UltraRAM
_SHALLOW = 64
_LUTS = 8  # of one RAM64M8 or RAM32M16, which hold so many bits a row:
_LUT_BITS = {32: 14, 64: 7}
_COLUMNS = 4  # of a line of the weight stream, 128 bits each


@dataclass(frozen=True)
class Memory:
    """So many memories of a module, alike. width: bits. ultra: in UltraRAM; free: in what Yosys chooses."""

    module: str
    count: int
    width: int
    depth: int
    ultra: bool = False
    free: bool = False

    @property
    def luts(self) -> int:
        """LUTs that all of them take as memory, where they lie in LUTs."""
        if not self.free or self.depth > _SHALLOW:
            return 0
        bits = next(bits for depth, bits in _LUT_BITS.items() if self.depth <= depth)
        return self.count * _LUTS * -(-self.width // bits)

    @property
    def _mapping(self) -> tuple[float, int]:
        """(blocks of one memory, how many of them lie behind each other)."""
        kinds = [(1.0, *shape) for shape in _RAMB36.items()] + [(0.5, *shape) for shape in _RAMB18.items()]
        found = [(size * _blocks(self, width, depth), -(-self.depth // depth)) for size, width, depth in kinds]
        return min(found)

    @property
    def bram36(self) -> float:
        """Blocks of all of them; an 18-kbit block is one half."""
        return 0.0 if self.ultra or self.luts else self.count * self._mapping[0]

    @property
    def deep(self) -> int:
        """Blocks whose outputs are chosen from, beside UltraRAM."""
        return self._mapping[1]

    @property
    def uram(self) -> int:
        """UltraRAM blocks of all of them."""
        return self.count * _blocks(self, _ULTRA_WIDTH, _ULTRA_DEPTH) if self.ultra else 0


def _blocks(memory: Memory, width: int, depth: int) -> int:
    return -(-memory.width // width) * -(-memory.depth // depth)


def memories(hardware: HardwareConfig) -> Iterator[Memory]:
    """All that are large enough for blocks, in most shapes."""
    sizes, numbers, ultra = Sizes(hardware), hardware.numbers, hardware.ultra_ram
    banks, parts = hardware.token_par, sizes.out_parts
    rows, hidden = (scratchpad_rows(depth) for depth in (sizes.row_depth, sizes.hidden_depth))
    activation = sizes.vector_bits

    def scratchpad(count: int, bits: int, depth: int, split: int, large: bool) -> Memory:
        return Memory("scratchpad", count * banks * split, bits // split, depth, ultra and large)

    yield scratchpad(1, sizes.residual_vector, rows, parts, False)
    yield scratchpad(1, activation, rows, parts, False)
    yield scratchpad(1, VECTOR * 16, rows, parts if hardware.wide_tokens else 1, False)
    yield scratchpad(1, activation, scratchpad_rows(sizes.gathered_first + sizes.row_depth), parts, True)
    yield scratchpad(2, activation, rows, parts, True)
    yield scratchpad(1, activation, hidden, parts, True)
    if sizes.gathered_first == 0:
        yield scratchpad(1, sizes.gathered_bits, rows, 1, False)
    lines = max(1, sizes.tile_lines)
    depth = 1 << (hardware.prefetch_bytes // STREAM_LINE // lines).bit_length() - 1
    yield Memory("weight_buffer", lines * _COLUMNS, 8 * STREAM_LINE // _COLUMNS, depth, ultra and depth > _BLOCK_DEPTH)
    yield Memory(
        "softmax", hardware.token_par, hardware.out_par * numbers.score_bits, 1 << sizes.score_address_bits, free=True
    )
    yield Memory("layernorm", 1, hardware.layernorm_lanes // VECTOR * sizes.residual_vector, 512, free=True)
    count = sizes.post_rows * sizes.gate_tiles // sizes.gate_turns
    yield Memory("gate", count, hardware.out_par * sizes.logit_bits, sizes.gate_turns * sizes.logits_depth, free=True)
    entries = hardware.max_experts * hardware.max_rows
    yield Memory("experts", 1, 16, entries, free=True)
    yield Memory("experts", 1, 32, entries, free=True)
    yield Memory("row_units", 1, hardware.max_top_k * 32, 1 << clog2(hardware.max_rows), free=True)
