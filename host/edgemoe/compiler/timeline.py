"""Cycles of one instruction of the RTL engine: what each kind does with the array's clocks, or on units that move rows.

Constants are latencies of the modules named.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgemoe.compiler.array_clock import ArrayClock, whole
from edgemoe.compiler.beside import Normalised
from edgemoe.compiler.prefetch import Prefetch
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Instruction, Opcode
from edgemoe.spec.legality import memory_row
from edgemoe.spec.machine import CONTEXT_MEMBERS, DRAIN_STAGES, QUERY_TILES
from edgemoe.spec.memory import linear_bytes

RULES = 17  # sequencer: from an instruction's acceptance to its first command
_SETTLE = 4  # sequencer: from the last write to the acceptance of the next instruction
_LAYERNORM, _LAYERNORM_FINE = 65, 72  # from the command for its lines to its last write, beside the sweep and a group
_NORMALISES = 10  # from the take of the last gains of LAYERNORM until it is left to itself
_GATE = 48  # gate: from a row's last logits to its entries in the queues
_DIVIDE = 6  # softmax: per row, beside a cycle per bit of the reciprocal
_SCORED = 19  # from the last drain step of a block to the P·V that reads its scores
_GATHER = 13  # experts: beside a vector per cycle
_WRITES = 16  # bursts that data_writer sends ahead of their responses
_QUEUED = 28  # bursts of HEAD that are still on their way when the next instruction begins


class Timeline(ArrayClock):
    """One instruction, whose first command may leave at cycle `start`, on all units that it uses."""

    def __init__(
        self, hardware: HardwareConfig, memory: Prefetch, start: float, norm: Normalised | None = None
    ) -> None:
        super().__init__(hardware, memory, start, norm)
        self.routing = self.sizes.gate_cycles
        self.turns = self.sizes.gate_turns - 1  # cycles from a row's first logits to its last ones

    def end(self, i: Instruction, queues: Sequence[int]) -> float:
        """Cycle at which the machine is ready for the next instruction. queues: rows per expert, for EXPERTS."""
        match i.opcode:
            case Opcode.PATCH_EMBED:
                done = self._patch_embed(i)
            case Opcode.LINEAR:
                done = self._layer(i)
            case Opcode.HEAD:
                done = self._head(i)
            case Opcode.GATE:
                done = self._gate(i)
            case Opcode.ATTENTION:
                done = self._attention(i)
            case Opcode.EXPERTS:
                done = self._experts(i, queues)
            case Opcode.LAYERNORM:
                done = self._layernorm(i)
            case Opcode.COPY:
                done = self._moved(i.rows * (i.in_features // VECTOR) + 4)
            case Opcode.STORE if not self.hardware.streaming:
                done = self._moved(memory_row(i, self.hardware) // MEMORY_WORD * i.rows + 7)
            case _:
                done = self.begin
        return done + _SETTLE

    # Layers of the array.

    def _layer(self, i: Instruction) -> float:
        self._header()
        shape, wide = self.hardware, i.wide_source
        steps = whole(i.in_features, shape.in_par) * whole(i.out_features, shape.out_par) << wide
        for n, rows in enumerate(self._passes(i, steps)):
            drain = self._rows_drained(rows, wide)
            self._linear(rows, i.in_features, i.out_features, drain, wide, i.narrow_weights, again=n > 0)
        return self.drained + DRAIN_STAGES

    def _rows_drained(self, rows: int, wide: int = 0) -> int:
        """Of the post lanes for an output tile. wide: the sums of both digits go through, one after the other."""
        return whole(rows, self.post_rows) << wide

    def _head(self, i: Instruction) -> float:
        """Outputs leave while they are made: a burst per row and output tile, or long ones where a row is one tile."""
        done = self._layer(i)
        words, queued = whole(i.out_features * 2, MEMORY_WORD), 0
        burst = float(words)
        if i.out_features > self.hardware.out_par:
            words, queued = self.hardware.out_par * 2 // MEMORY_WORD, _QUEUED
            burst = max(words + 2, (self.hardware.first_beat_cycles + 4) / _WRITES)
        written = 0.0
        for rows, made in self.made:
            written = max(written, made + self.sums + DRAIN_STAGES) + rows * burst
        return max(done, written - queued * burst)

    def _gate(self, i: Instruction) -> float:
        """16-bit operands are two digits each in W8A8; the gate takes its cycles per row beside the drain."""
        shape = self.hardware
        digits = shape.numbers.gate_digits
        tiles, groups = whole(i.in_features, shape.in_par) * digits, whole(i.experts, shape.out_par)
        size = tiles * shape.in_par * shape.out_par * shape.numbers.activation_bytes
        self._header()
        routed = 0.0
        for rows in self._passes(i, tiles * digits * groups):
            drain = self._rows_drained(rows)
            for _ in range(groups):
                self._group(tiles, whole(rows, shape.token_par) * digits, drain, tiles, size)
            routed = max(routed, self.drained - drain) + rows * self.routing
            size = 0
        self.post += max(0, i.rows * self.routing - self._rows_drained(i.rows))
        return max(self.drained, routed) + _GATE + self.turns

    def _experts(self, i: Instruction, queues: Sequence[int]) -> float:
        """Per expert with tokens: gathering them beside the expert before, its first layer, its second."""
        shape = self.hardware
        layers = ((i.hidden_features, i.in_features), (i.in_features, i.hidden_features))
        size = sum(linear_bytes(*layer, shape, i.narrow_weights) for layer in layers)
        gathered = self.begin
        for rows in queues:
            self._header()
            if not rows:
                self.memory.skip(size)
                continue
            token_tiles, tiles = whole(rows, shape.token_par), whole(i.hidden_features, shape.in_par)
            gathered += rows * (i.in_features // VECTOR) + _GATHER
            self.array = max(self.array, gathered)
            drain, narrow = self._rows_drained(rows, i.wide_source), i.narrow_weights
            self._linear(rows, i.in_features, i.hidden_features, drain, i.wide_source, narrow)
            gathered = self.array + self.reads
            # In the second layer's first group, tile n waits until group n of the first has been written.
            self.array = max(self.array, self.drained + DRAIN_STAGES - (tiles - 1) * token_tiles)
            self._linear(rows, i.hidden_features, i.in_features, rows, i.wide_result, narrow)
        return max(self.drained + DRAIN_STAGES, self.taken)

    def _attention(self, i: Instruction) -> float:
        """Blocks of query tiles, head by head: scores of a block, then P·V of the block before it, by slices of keys.

        Wide operands are two digits each: four products for a score, two for P·V, whose left operand is one.
        """
        shape, digits = self.hardware, 2 if i.wide_source else 1
        tiles = self._tiles_of(i, shape.token_par)
        blocks = [tiles[n : n + QUERY_TILES] for n in range(0, len(tiles), QUERY_TILES)] * i.heads
        first, count = (i.key_row, i.keys) if i.keys else (i.source_row, i.rows)
        inputs, outputs = (whole(i.in_features // i.heads, unit) for unit in (shape.in_par, shape.out_par))
        slices = [
            tuple((end - 1) // unit - start // unit + 1 for unit in (shape.out_par, shape.in_par))
            for start, end in self.sizes.slices_of(first, first + count, inputs, outputs)
        ]
        if len(slices) > 1:
            self.slots //= 2  # P·V has the other half
        scored: list[float] = []
        members, parts = min(outputs, CONTEXT_MEMBERS), shape.in_par // shape.token_par
        finished = [0.0, 0.0]
        for n, block in enumerate([*blocks, range(0)]):
            for keys, values in slices[:-1]:
                self._scores(i, block, keys, inputs * digits, digits, QUERY_TILES)
                if n > 0:
                    self.array = max(self.array, scored[n - 1], finished[-2])
                    self._steps(values * digits * members, len(blocks[n - 1]), values * digits * members * parts)
            keys, values = slices[-1]
            self._scores(i, block, keys, inputs * digits, digits, QUERY_TILES if len(slices) > 1 else len(block))
            scored.append(self.drained + _SCORED)
            if n > 0:
                self.array = max(self.array, scored[n - 1], finished[-2])
                self._context(i, blocks[n - 1], values * digits, outputs, len(slices) > 1)
                finished.append(self.drained + _SCORED)
        return self.drained + DRAIN_STAGES

    def _scores(self, i: Instruction, block: range, keys: int, inputs: int, digits: int, sums: int) -> None:
        supply = inputs * self.hardware.out_par // self.hardware.token_par
        for _ in range(keys if block else 0):
            self._room(sums * digits)
            self._steps(inputs, len(block) * digits, supply)
            self._drain(self._block_drain(i, block), sums * digits)

    def _context(self, i: Instruction, block: range, values: int, outputs: int, own: bool) -> None:
        """P·V of one block; the rows of a lane are divided one after the other, and their sums wait for that."""
        shape = self.hardware
        members = min(outputs, CONTEXT_MEMBERS)
        drain = self._block_drain(i, block) * members
        parts = shape.in_par // shape.token_par
        for group in range(whole(outputs, members)):
            sums = 0 if own else members * len(block)
            self._room(sums)
            self._steps(values * members, len(block), values * members * parts)
            self._drain(drain, sums)
            if group == 0:
                divided = (
                    self.array - (members - 1) * len(block) + len(block) * (shape.numbers.reciprocal_bits + _DIVIDE)
                )
                self.drained = max(self.drained, divided + self.sums - shape.token_par + drain / len(block))

    def _block_drain(self, i: Instruction, block: range) -> int:
        unit = self.hardware.token_par
        first, end = max(block.start * unit, i.source_row), min(block.stop * unit, i.source_row + i.rows)
        return whole(end - first // self.post_rows * self.post_rows, self.post_rows)

    # Units that move rows.

    def _tiles_of(self, i: Instruction, unit: int) -> range:
        """Aligned tiles of `unit` rows that the source rows touch."""
        return range(i.source_row // unit, (i.source_row + i.rows - 1) // unit + 1)

    def _moved(self, cycles: int) -> float:
        self.post += cycles
        return self.begin + cycles

    def _layernorm(self, i: Instruction) -> float:
        """A vector of each row of a group per cycle, while gains come and while the next instruction begins."""
        numbers, group = self.hardware.numbers, self.hardware.layernorm_lanes // VECTOR
        self._header()
        lines = i.in_features * numbers.channel_bytes // STREAM_LINE
        arrived = self.memory.take(lines * STREAM_LINE, self.taken + lines)
        self.waited += arrived - self.taken - lines
        period = max(i.in_features // VECTOR, group)
        sweep = len(self._tiles_of(i, group)) * period
        self.post += sweep
        written = arrived - lines + (_LAYERNORM_FINE if numbers.fine else _LAYERNORM) + group + sweep
        begin = i.destination_row - i.source_row % group
        self.norm = Normalised(i.destination_row, i.destination_row + i.rows, begin, group, period, written)
        return arrived + _NORMALISES

    def _patch_embed(self, i: Instruction) -> float:
        """Positions from the stream beside a frame's words; the layer begins when both are there."""
        values, words = (i.rows + 1) * i.out_features, i.rows * (i.in_features // VECTOR)
        size = whole(values * self.hardware.numbers.residual_bytes, STREAM_LINE) * STREAM_LINE
        self._header()
        loaded = self.memory.read_beside(words, self.taken, size)
        self.taken = self.memory.take(size, self.taken + values // VECTOR)
        self.array = max(loaded, self.taken)
        self.post += max(words, values // VECTOR)
        return self._layer(i)
