"""Schedule of a model whose rows do not all fit on the chip: docs/concepts/streaming.md.

The output region begins with the residual stream, queries, keys, values and attention's outputs of all tokens. Between
two attentions a block of rows goes through everything that concerns rows alone: projection, MLP or experts, the next
block's LayerNorm and QKV. Attention takes keys and values of some heads over all tokens, and queries block by block.
Each of these parts of the weight stream is streamed once per block of rows. Moves stand here where their rows are
needed, and go from there to where nobody waits for them (`overlap`). No integer depends on the blocks: every
operation but attention works row by row, and attention sees all keys at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle

from edgemoe.compiler.quantised import QuantisedBlock, QuantisedModel, QuantisedMoe
from edgemoe.compiler.residency import Blocks, Need, fits_twice
from edgemoe.compiler.schedule import Scheduler
from edgemoe.compiler.step import Payload, Step
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE, Buffer, Instruction, Opcode
from edgemoe.spec.legality import Rows, element_bytes, normalised
from edgemoe.spec.memory import SegmentKind, pack_position, round_up, row_pitch

OPERANDS = (Buffer.QUERY, Buffer.KEY, Buffer.VALUE)


class Workspace:
    """Where the rows of all tokens lie, one group behind the other. bytes: of the output region, from its begin on."""

    def __init__(self, model: QuantisedModel, groups: int, hardware: HardwareConfig) -> None:
        self.bytes = 0
        self._hardware = hardware
        self._tokens, self._width = model.config.tokens, model.config.width
        self._begin: dict[Buffer, int] = {}
        inner = any(block.attention.wide for block in model.blocks)
        context = any(block.attention.wide_output for block in model.blocks)
        places = ((Buffer.RESIDUAL, False), *((buffer, inner) for buffer in OPERANDS), (Buffer.NORM, context))
        for buffer, wide in places:
            self._begin[buffer] = self.bytes
            self.bytes = round_up(self.bytes + groups * self._tokens * self.row(buffer, wide), STREAM_LINE)

    def row(self, buffer: Buffer, wide: bool) -> int:
        """Bytes of a row. NORM: attention's outputs, of 16 bits where `wide`."""
        return row_pitch(self._width, element_bytes(buffer, self._hardware, wide))

    def at(self, buffer: Buffer, wide: bool, group: int, token: int, feature: int = 0) -> int:
        """Address of a row, or of a feature in it."""
        size = element_bytes(buffer, self._hardware, wide)
        return self._begin[buffer] + (group * self._tokens + token) * self.row(buffer, wide) + feature * size


def spans(count: int, size: int) -> list[tuple[int, int]]:
    """(first, rows) of blocks of `size` rows that cover `count`."""
    return [(first, min(size, count - first)) for first in range(0, count, size)]


class StreamedScheduler(Scheduler):
    """Walks the network once; `tokens` is the rows per group of the block that is on the chip."""

    def __init__(self, model: QuantisedModel, tasks: Sequence[str], hardware: HardwareConfig, blocks: Blocks) -> None:
        super().__init__(model, tasks, hardware)
        self.blocks = blocks
        self._need = Need(model.config, len(tasks), hardware, model.wide)
        self.first_row = 0
        self.workspace = Workspace(model, len(tasks) if model.config.moe_blocks else 1, hardware)
        self._parts = 0

    def steps(self) -> Iterator[Step]:
        """See Scheduler."""
        config = self.config
        yield from self._embedding()
        yield from self._by_blocks(config.tokens, self._first_operands)
        for index, block in enumerate(self.model.blocks):
            yield from self._streamed_attention(index, block)
            yield from self._by_blocks(config.tokens, partial(self._between, index))
        for position, task in enumerate(self.tasks):
            yield from self._streamed_head(position if self.groups > 1 else 0, task)
        yield Step("halt", Instruction(Opcode.HALT))

    def _by_blocks(self, count: int, steps: Callable[[int], Iterator[Step]]) -> Iterator[Step]:
        """Steps of each block of rows, given its first; they take the same part of the stream each time."""
        blocks, groups = spans(count, self.blocks.tokens), self.groups
        part = self._parts = self._parts + 1
        for turn, (first, rows) in enumerate(blocks):
            self.tokens, self.groups = rows, groups
            for step in steps(first):
                label = f"{step.label} rows {first}…{first + rows - 1}" if len(blocks) > 1 else step.label
                yield replace(step, label=label, rows_before=first, rows_of_all=count, part=part, turn=turn)

    def _move(self, opcode: Opcode, label: str, rows: Rows, address: int, pitch: int = 0) -> Step:
        """LOAD or STORE. pitch: bytes from row to row in memory, 0 without gaps."""
        buffer, first, wide = rows.buffer, rows.first, int(rows.wide)
        moved = Instruction(
            opcode, rows=rows.rows, in_features=rows.features, address=address, pitch=pitch // MEMORY_WORD
        )
        if opcode == Opcode.LOAD:
            instruction = replace(moved, destination=buffer, destination_row=first, wide_result=wide)
        else:
            instruction = replace(moved, source=buffer, source_row=first, wide_source=wide)
        return Step(f"{label} {opcode.name.lower()} {buffer.name}", instruction)

    def _residual(self, opcode: Opcode, label: str, first: int) -> Iterator[Step]:
        """Rows of the block that begins at token `first`, one group behind the other on the chip."""
        for group in range(self.groups):
            rows = Rows(Buffer.RESIDUAL, group * self.tokens, self.tokens, self.config.width)
            yield self._move(opcode, label, rows, self.workspace.at(Buffer.RESIDUAL, False, group, first))

    def _embedding(self) -> Iterator[Step]:
        """Blocks of patches. PATCH_EMBED writes a row without a patch first: a token in the first block only."""
        config, whole = self.config, self._patch_embed()
        pitch = row_pitch(config.embedded_features, 1)
        for first, rows in spans(config.input_rows, self.blocks.patches):
            label = f"patch embed rows {first}…{first + rows - 1}"
            instruction = replace(whole.instruction, rows=rows, address=first * pitch)
            yield Step(label, instruction, (self._positions(first, rows), whole.payloads[1]))
            skipped = config.first_row if first == 0 else 1
            stored = Rows(Buffer.RESIDUAL, skipped, rows + 1 - skipped, config.width)
            token = first + skipped - config.first_row
            yield self._move(Opcode.STORE, label, stored, self.workspace.at(Buffer.RESIDUAL, False, 0, token))

    def _positions(self, first: int, rows: int) -> Payload:
        table = self.model.position[first : first + rows + 1]
        return SegmentKind.POSITION, lambda: pack_position(table, self.hardware)

    def _first_operands(self, first: int) -> Iterator[Step]:
        yield from self._residual(Opcode.LOAD, "block 0", first)
        yield from self._to_operands(0, first)

    def _to_operands(self, index: int, first: int) -> Iterator[Step]:
        block = self.model.blocks[index]
        wide = block.attention.wide
        yield self._layernorm(f"block {index} norm1", block.norm1, 0, self.rows)
        yield self._qkv(index, block)
        for buffer in OPERANDS:
            for group in range(self.groups):
                rows = Rows(buffer, group * self.tokens, self.tokens, self.config.width, wide)
                yield self._move(Opcode.STORE, f"block {index}", rows, self.workspace.at(buffer, wide, group, first))

    def _streamed_attention(self, index: int, block: QuantisedBlock) -> Iterator[Step]:
        """Keys and values of some heads, then blocks of queries; each where the one before is not, if there is room."""
        config, heads, wide, space = self.config, self.blocks.heads, block.attention.wide, self.workspace
        features, pitch = heads * config.head_width, space.row(Buffer.KEY, wide)
        out, wide_out = normalised(block.attention.wide_output), block.attention.wide_output
        whole = replace(self._attention(block), heads=heads, in_features=features, keys=config.tokens)
        key_rows, query_rows = self._places(config.tokens), self._places(self.blocks.queries)
        for group in range(self.groups):
            for feature in range(0, config.width, features):
                key_row = next(key_rows)
                label = f"block {index}" + (f" {self.tasks[group]}" if self.groups > 1 else "")
                label += f" heads {feature // config.head_width}…{feature // config.head_width + heads - 1}"
                for buffer in (Buffer.KEY, Buffer.VALUE):
                    rows = Rows(buffer, key_row, config.tokens, features, wide)
                    yield self._move(Opcode.LOAD, label, rows, space.at(buffer, wide, group, 0, feature), pitch)
                for first, count in spans(config.tokens, self.blocks.queries):
                    row = next(query_rows)
                    rows = Rows(Buffer.QUERY, row, count, features, wide)
                    at = space.at(Buffer.QUERY, wide, group, first, feature)
                    yield self._move(Opcode.LOAD, label, rows, at, pitch)
                    attention = replace(whole, rows=count, source_row=row, key_row=key_row)
                    yield Step(f"{label} attention rows {first}…{first + count - 1}", attention)
                    at = space.at(Buffer.NORM, wide_out, group, first, feature)
                    outputs = Rows(out, row, count, features)
                    yield self._move(Opcode.STORE, label, outputs, at, space.row(Buffer.NORM, wide_out))

    def _places(self, rows: int) -> Iterator[int]:
        """First rows of one block of QUERY, KEY or VALUE after the other."""
        return cycle((0, rows) if fits_twice(self._need, self.blocks.heads, rows) else (0,))

    def _between(self, index: int, first: int) -> Iterator[Step]:
        """A block of rows from attention's outputs on: projection, MLP or experts, the next block's operands."""
        block, label = self.model.blocks[index], f"block {index}"
        yield from self._residual(Opcode.LOAD, label, first)
        if self.config.gate_input_ahead and isinstance(block.mlp, QuantisedMoe):
            yield from self._gates_ahead(index, block.norm1, block.mlp)
        wide = block.attention.wide_output
        for group in range(self.groups):
            rows = Rows(normalised(wide), group * self.tokens, self.tokens, self.config.width)
            yield self._move(Opcode.LOAD, label, rows, self.workspace.at(Buffer.NORM, wide, group, first))
        yield self._projection(index, block)
        yield from self._mlp_half(index, block)
        yield from self._residual(Opcode.STORE, label, first)
        if index + 1 < len(self.model.blocks):
            yield from self._to_operands(index + 1, first)

    def _streamed_head(self, group: int, task: str) -> Iterator[Step]:
        begin, count = self.config.head_rows(task)

        def steps(first: int) -> Iterator[Step]:
            rows = Rows(Buffer.RESIDUAL, 0, self.tokens, self.config.width)
            address = self.workspace.at(Buffer.RESIDUAL, False, group, begin + first)
            yield self._move(Opcode.LOAD, f"head {task}", rows, address)
            yield from self._head_rows(task, 0, self.tokens)

        yield from self._by_blocks(count, steps)
