"""What of a model stays on the chip: all rows, or blocks of rows, with the keys and values of some heads at a time.

All rows stay where every buffer holds them. Else, in a build with the option `streaming`, the residual stream, queries,
keys, values and attention's outputs of all tokens lie in the output region, and blocks as large as the buffers allow
come and go: docs/concepts/streaming.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Buffer
from edgemoe.spec.memory import linear_bytes
from edgemoe.spec.model import ModelConfig

Limit = tuple[str, int, int, str]  # what, needed, available, unit


@dataclass(frozen=True)
class Blocks:
    """Sizes of what is on the chip at a time.

    patches: rows that PATCH_EMBED takes. tokens: rows of each task between attention and attention. heads: whose keys
    and values are there, at a time. queries: rows that meet them, at a time.
    """

    patches: int
    tokens: int
    heads: int
    queries: int


@dataclass(frozen=True)
class Need:
    """What a model asks of a build. tasks: run together. wide: activations of 16 bits, by name."""

    config: ModelConfig
    tasks: int
    hardware: HardwareConfig
    wide: Sequence[str] = ()

    @property
    def groups(self) -> int:
        """Tasks whose rows differ."""
        return self.tasks if self.config.moe_blocks else 1

    @property
    def inner(self) -> int:
        """Elements of a query, key or value for each feature: two where any block's have 16 bits."""
        return 2 if any(name.endswith(".qkv") for name in self.wide) else 1

    def hidden(self, moe: bool) -> int:
        """Elements of HIDDEN for a row of a dense or of a MoE block."""
        blocks = [index for index in range(self.config.depth) if (index in self.config.moe_blocks) == moe]
        wide = any(f"blocks.{index}.hidden" in self.wide for index in blocks)
        return (self.config.expert_hidden if moe else self.config.mlp_hidden) * (2 if wide else 1)


def on_chip_limits(need: Need) -> Iterator[Limit]:
    """Every limit of a program that keeps all rows on the chip."""
    config, hardware = need.config, need.hardware
    rows = config.first_row + need.groups * config.tokens
    yield "rows of any buffer (tasks × tokens)", rows, hardware.max_rows, "rows"
    yield "keys of attention", config.tokens, hardware.max_tokens, "tokens"
    row_buffers = "each of RESIDUAL, NORM, GATE_INPUT, QUERY, KEY, VALUE (rows in whole tiles × width)"
    yield row_buffers, hardware.room(rows, config.width), hardware.row_elements, "elements"
    if need.inner > 1:
        double = hardware.room(rows, 2 * config.width)
        yield "QUERY, KEY and VALUE of 16 bits (twice that)", double, hardware.row_elements, "elements"
    hidden, pictures = hardware.hidden_elements, hardware.room(config.input_rows, config.embedded_features)
    yield "HIDDEN (patches × patch features)", pictures, hidden, "elements"
    yield "HIDDEN (one tile of rows of a dense block)", hardware.room(1, need.hidden(False)), hidden, "elements"
    if config.moe_blocks:
        worst = hardware.room(rows, need.hidden(True))
        yield "HIDDEN (all tokens at one expert × expert hidden width)", worst, hidden, "elements"
    yield from _common_limits(need)


def streamed_limits(need: Need) -> Iterator[Limit]:
    """Every limit of a program whose rows come and go: one tile of them has to fit, and one head's keys and values."""
    config, hardware = need.config, need.hardware
    row = config.width * need.inner
    yield "keys of attention", config.tokens, hardware.max_tokens, "tokens"
    head = hardware.room(config.tokens, config.head_width * need.inner)
    yield "KEY and VALUE (tokens in whole tiles × one head's width)", head, hardware.row_elements, "elements"
    tile = "one tile of rows of each task"
    yield f"{tile}, in any buffer", need.groups * hardware.token_par, hardware.max_rows, "rows"
    rows = need.groups * hardware.token_par
    yield f"{tile} × width, in each of six buffers", hardware.room(rows, row), hardware.row_elements, "elements"
    hidden = hardware.hidden_elements
    yield "HIDDEN (a tile of patches)", hardware.room(1, config.embedded_features), hidden, "elements"
    yield "HIDDEN (a tile of rows of a dense block)", hardware.room(rows, need.hidden(False)), hidden, "elements"
    if config.moe_blocks:
        experts = hardware.room(rows, need.hidden(True))
        yield f"HIDDEN ({tile} at one expert × expert hidden width)", experts, hidden, "elements"
    yield from _common_limits(need)


def _common_limits(need: Need) -> Iterator[Limit]:
    config, hardware = need.config, need.hardware
    yield "LayerNorm width", config.width, hardware.max_width, "features"
    if config.moe_blocks:
        yield "experts", config.experts, hardware.max_experts, "experts"
        yield "experts per token", config.top_k, hardware.max_top_k, "experts"
    widest = max(config.embedded_features, config.mlp_hidden, config.width, config.expert_hidden)
    tile = linear_bytes(hardware.out_par, widest, hardware)
    yield "weight prefetch (one output tile of the widest layer)", tile, hardware.prefetch_bytes, "bytes"


def is_resident(need: Need) -> bool:
    """Whether every buffer holds all rows."""
    return all(needed <= available for _, needed, available, _ in on_chip_limits(need))


def limits(need: Need) -> Iterator[Limit]:
    """(what, needed, available, unit) of every limit of the program that the compiler makes."""
    streamed = need.hardware.streaming and not is_resident(need)
    yield from streamed_limits(need) if streamed else on_chip_limits(need)


def blocks_of(need: Need, rows: int | None = None) -> Blocks:
    """The largest blocks within `streamed_limits`; rows: tokens and patches of a block at most."""
    config, hardware = need.config, need.hardware
    room, hidden, tile = hardware.row_elements, hardware.hidden_elements, hardware.token_par
    most = rows or hardware.rows_of(Buffer.QUERY)

    def whole_tiles(*numbers: int) -> int:
        return max(tile, min(numbers) // tile * tile)

    divisors = [count for count in range(1, config.heads + 1) if config.heads % count == 0]
    # Twice, for the next heads come while the array works on these; one head may stand alone.
    heads = max(n for n in divisors if n == 1 or hardware.room(2 * config.tokens, _width(need, n)) <= room)
    queries = min(most, hardware.rows_of(Buffer.QUERY) // 2, room // (2 * _width(need, heads)))
    if config.tokens <= most and fits_twice(need, heads, config.tokens):
        queries = config.tokens
    inner = max(need.hidden(False), need.hidden(True) if config.moe_blocks else 0)
    tokens = min(most, hardware.max_rows // need.groups, room // (config.width * need.inner * need.groups))
    patches = min(hardware.max_rows - 1, room // config.width - tile, hidden // config.embedded_features - tile)
    return Blocks(
        patches=min(config.input_rows, max(1, min(most, patches))),
        tokens=min(config.tokens, whole_tiles(tokens, hidden // (inner * need.groups))),
        heads=heads,
        queries=queries if queries == config.tokens else min(config.tokens, whole_tiles(queries)),
    )


def fits_twice(need: Need, heads: int, rows: int) -> bool:
    """Whether QUERY, KEY or VALUE hold so many rows of some heads twice: one for the array, one that comes or goes."""
    elements = need.hardware.room(2 * rows, _width(need, heads))
    return 2 * rows <= need.hardware.rows_of(Buffer.QUERY) and elements <= need.hardware.row_elements


def _width(need: Need, heads: int) -> int:
    return heads * need.config.head_width * need.inner
