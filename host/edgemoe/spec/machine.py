"""The RTL engine's micro-architecture: its sizes, latencies and enumerations, each once.

`Sizes(hardware).slots` is what the generated header edgemoe_machine.vh calls SLOTS. Benches and the cycle model read
the same table, and so does whoever must know what the Verilog can be built for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import pairwise
from typing import overload

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE
from edgemoe.spec.precision import (
    DIGIT_BITS,
    GUARD_BITS,
    MAX_FEATURES,
    MAX_SHIFT,
    MAX_TOKENS,
    MAX_WIDTH,
    MULTIPLIER_BITS,
    PRECISIONS,
)

# What the Verilog cannot be built beyond (docs/hardware/rtl.md, Limits).
ROW_TILES_LIMIT = 127  # tiles of token_par rows: they are counted with 8 bits, twice as many in a block of scores
TOP_K_LIMIT = 8  # experts per token
OUT_PAR_CHOICES = (8, 16)

# The same in every build.
READ_LATENCY = 2
GATHER_LATENCY = READ_LATENCY + 1  # from experts' depth to a vector of NORM
VALUES_LATENCY = READ_LATENCY + 2
TAKE_LATENCY = 3
LOOKUP_LATENCY = 2  # from experts' index to destination and score
SWEEP_LATENCY = 7
DRAIN_STAGES = 24
TILE_QUEUE = 16
CHANNEL_QUEUE = 16
JOB_QUEUE = 32
QUERY_TILES = 8
CONTEXT_MEMBERS = 8
SLICE_WORDS = 4
SLICED_WORDS = 16
DATA_QUEUE = 128  # words that data_reader has asked for at most
HELD_BACK_LINES = 256  # of room in the weight buffer while a frame's patches are read
MOVE_QUEUE = 4  # LOADs and STOREs that are not done, beside what executes: move_queue

_DRAIN_DELAY = 10  # lane 0: from a step to the first cycle in which its sums may be read, beside dot_product
_READ_DELAY = 16  # lane 0: from a step to the first cycle in which its left operands may be overwritten
_RESIDUE_BITS = 2  # of the upper weight, beside a packed pair
_SMALL_ARRAY = 128  # MACs a cycle: half as many lanes in the gate cost such a build 1 cycle in 1,000
_LOGIT_BITS = 42  # MAX_WIDTH products of two 16-bit operands, signed


def clog2(value: int) -> int:
    """Bits that count to value − 1: Verilog's $clog2."""
    return (value - 1).bit_length()


def scratchpad_rows(depth: int) -> int:
    """Rows of a scratchpad's bank: `depth` rounded up to quarters of a power of two, as scratchpad.v does."""
    quarter = 1 << max(0, clog2(depth) - 2)
    return -(-depth // quarter) * quarter


class Size:
    """One line of the table. value: a number, or how it follows from the configuration. title: begins a group."""

    def __init__(self, value: int | Callable[[Sizes], int], text: str = "", title: str = "") -> None:
        self._value = value
        self.text = text
        self.title = title

    def __set_name__(self, owner: type[Sizes], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, sizes: None, owner: type[Sizes]) -> Size: ...

    @overload
    def __get__(self, sizes: Sizes, owner: type[Sizes]) -> int: ...

    def __get__(self, sizes: Sizes | None, owner: type[Sizes]) -> Size | int:
        if sizes is None:
            return self
        return self._value if isinstance(self._value, int) else self._value(sizes)


class Sizes:
    """Sizes of the machine for one configuration, by name; bits, elements or cycles as the text says."""

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        self.widths = hardware.numbers

    # fmt: off
    line_bits = Size(8 * STREAM_LINE, "a line of the weight stream", "Words")
    word_bits = Size(8 * MEMORY_WORD, "a word of memory")
    tile_bits = Size(lambda s: s.hardware.in_par * s.hardware.out_par * s.widths.weight_bits, "a right tile of weights")
    tile_lines = Size(lambda s: s.tile_bits // s.line_bits, "lines of it")
    narrow_lines = Size(lambda s: -(-s.tile_lines // 2), "lines of one with weights of 4 bits, or of two")
    line_tiles = Size(lambda s: 2 * s.narrow_lines // s.tile_lines, "tiles of such weights in those lines")
    buffer_lines = Size(lambda s: 1 << (s.hardware.prefetch_bytes // STREAM_LINE).bit_length() - 1,
                        "lines that the weight buffer holds")
    held_back_lines = Size(HELD_BACK_LINES, "of room in it while a frame's patches are read")
    kept_lines = Size(lambda s: s.buffer_lines - 32, "of a layer that it keeps for a second pass, beside bursts")
    channel_lines = Size(lambda s: s.hardware.out_par * s.widths.channel_bytes // STREAM_LINE,
                         "lines of the channel records of an output tile")
    vector_bits = Size(lambda s: VECTOR * s.widths.activation_bits, "a vector of activations")
    residual_vector = Size(lambda s: VECTOR * s.widths.residual_bits, "bits of a vector of residual values")
    gathered_bits = Size(lambda s: 16 * VECTOR if s.hardware.wide_tokens else s.vector_bits,
                         "one of EXPERTS' gathered tokens")
    residual_all = Size(lambda s: s.hardware.token_par * s.residual_vector, "bits of one of each bank")
    in_parts = Size(lambda s: VECTOR // s.hardware.in_par, "input tiles per vector of a scratchpad")
    out_parts = Size(lambda s: VECTOR // s.hardware.out_par, "output tiles per vector")
    lane_bits = Size(lambda s: clog2(s.hardware.token_par), "number of a lane, or bank")
    depth_bits = Size(16, "depth in a bank of any scratchpad")
    vectors_bits = Size((MAX_FEATURES // VECTOR).bit_length(), "number of vectors of a row")
    row_depth = Size(lambda s: s.hardware.row_elements // (VECTOR * s.hardware.token_par), "vectors in a bank")
    gathered_first = Size(
        lambda s: 0 if not s.hardware.ultra_ram or s.hardware.streaming or s.hardware.wide_tokens
        else 1 << clog2(s.row_depth),
        "depth where what EXPERTS gathers begins, behind QUERY in UltraRAM; 0: it has a scratchpad of its own",
    )  # fmt: skip
    hidden_depth = Size(lambda s: s.hardware.hidden_elements // (VECTOR * s.hardware.token_par), "the same of HIDDEN")
    data_queue_bits = Size(clog2(DATA_QUEUE), "words that data_reader has asked for at most, log2")
    read_latency = Size(READ_LATENCY, "cycles, of a scratchpad")
    values_latency = Size(VALUES_LATENCY, "cycles from store's depth to its values")
    take_latency = Size(TAKE_LATENCY, "cycles, of the weight buffer")

    operand_bits = Size(lambda s: s.widths.exponential_bits + 1, "left: activation or exponential, signed", "The array")
    packed_bits = Size(lambda s: 2 * s.widths.weight_bits if s.widths.fine
                       else s.hardware.dsp_block.wide + _RESIDUE_BITS, "right: weights of two outputs")
    packed_tile_bits = Size(lambda s: s.hardware.in_par * (s.hardware.out_par // 2) * s.packed_bits)
    logit_bits = Size(lambda s: s.widths.accumulator_bits if s.widths.fine else _LOGIT_BITS, "the gate's sums, exact")
    logit_rows = Size(lambda s: 2 * s.widths.gate_digits - 1, "sums of a logit, one for each power of 256")
    gate_cycles = Size(lambda s: 4 if s.hardware.max_top_k <= 4 and s.hardware.macs_per_cycle > _SMALL_ARRAY else 8,
                       "from one row's logits to the next one's")
    gate_tiles = Size(lambda s: -(-s.hardware.max_experts // s.hardware.out_par), "output tiles of a row's logits")
    gate_turns = Size(lambda s: s.gate_tiles if s.gate_tiles <= s.gate_cycles and not s.gate_tiles & s.gate_tiles - 1
                      else 1, "tiles behind each other in one memory, read one a cycle")
    tile_queue = Size(TILE_QUEUE, "right tiles that wait for the array")
    channel_queue = Size(CHANNEL_QUEUE, "output tiles whose channel records wait for their sums")
    job_queue = Size(JOB_QUEUE, "drain jobs that wait")
    product_latency = Size(lambda s: s.hardware.in_par + (2 if s.widths.fine else 4),
                           "cycles from the operands of the first input to the sums of all")
    job_delay = Size(lambda s: _DRAIN_DELAY + s.product_latency + s.hardware.token_par,
                     "cycles from a group's last step until its sums may be drained")
    read_cycles = Size(lambda s: _READ_DELAY + s.hardware.token_par,
                       "cycles from the last step of a pass until its left operands have been read")

    post_rows = Size(lambda s: s.hardware.post_lanes // s.hardware.out_par, "rows drained at a time", "The post lanes")
    joined_bits = Size(lambda s: s.widths.accumulator_bits + (DIGIT_BITS if s.hardware.wide_tokens else 0),
                       "sums of both digits")
    post_bits = Size(lambda s: s.widths.residual_bits + GUARD_BITS, "the widest that any epilogue keeps")
    factor_bits = Size(lambda s: max(s.widths.reciprocal_bits, MULTIPLIER_BITS))
    channel_bits = Size(lambda s: s.widths.accumulator_bits + MULTIPLIER_BITS + MAX_SHIFT.bit_length(),
                        "bias, multiplier, shift")
    drain_stages = Size(DRAIN_STAGES, "cycles from a drain step to its last write")

    query_tiles = Size(QUERY_TILES, "tiles of queries whose scores stand at a time, twice", "Attention")
    context_members = Size(CONTEXT_MEMBERS, "output tiles of P·V made in one sweep over the scores")
    sweep_latency = Size(SWEEP_LATENCY, "cycles from a score's address to its exponential")
    query_bits = Size(clog2(2 * QUERY_TILES), "{which of two blocks, tile of queries}")
    key_word_bits = Size(lambda s: clog2(s.hardware.max_tokens // s.hardware.out_par + 2), "word of a row of scores")
    score_address_bits = Size(lambda s: s.query_bits + s.key_word_bits)
    octave_bits = Size(lambda s: s.widths.score_bits - s.widths.score_fraction + 1, "a running maximum")
    total_bits = Size(lambda s: s.widths.exponential_bits + clog2(MAX_TOKENS), "Σe")

    row_sum_bits = Size(lambda s: s.widths.residual_bits + clog2(MAX_WIDTH), "Σx of a row, signed", "LayerNorm")
    row_squares_bits = Size(lambda s: 2 * s.widths.residual_bits - 1 + clog2(MAX_WIDTH), "Σx²")
    variance_bits = Size(2 * (max(each.residual_bits for each in PRECISIONS.values()) + clog2(MAX_WIDTH)),
                         "D·Σx² − (Σx)² + ε, whole pairs of bits; ε has 64 in either precision")
    root_bits = Size(lambda s: s.widths.rsqrt_fraction + 2, "a reciprocal root, up to 2")

    row_tiles = Size(lambda s: -(-s.hardware.max_rows // s.hardware.token_par) + 1, "token tiles that rows may touch",
                     "Sums: a ring of rows per lane")
    group_slots = Size(lambda s: max(s.row_tiles, QUERY_TILES * CONTEXT_MEMBERS), "rows of sums of a group")
    logit_slots = Size(lambda s: s.logit_rows * s.row_tiles, "of a group of logits, more than one of two digits")
    slot_bits = Size(lambda s: clog2(max(2 * s.group_slots, s.logit_slots)), "two groups, or one of logits")
    slots = Size(lambda s: 1 << s.slot_bits)

    sliced_inputs = Size(lambda s: s.hardware.token_par // s.post_rows,
                         "input tiles of a head whose scores are drained as fast as they are made; slices if fewer",
                         "Slices: Q·K and P·V take turns")
    sliced_outputs = Size(lambda s: min(s.slots // (4 * QUERY_TILES), CONTEXT_MEMBERS),
                          "output tiles of a head whose P·V takes a quarter of the ring; slices if no more")
    slice_words = Size(SLICE_WORDS, "words of scores of a slice")
    sliced_words = Size(SLICED_WORDS, "of at most so many there is one slice")
    slices = Size(lambda s: int(s.hardware.max_tokens // s.hardware.out_par + 1 > SLICED_WORDS
                                and s.sliced_inputs > 1), "1: there may be several")
    # fmt: on

    @property
    def logits_depth(self) -> int:
        """Rows of one tile's logits in a bank of the gate, filled up to a power of two, as gate.v addresses them."""
        return 1 << clog2(-(-self.hardware.max_rows // self.post_rows))

    def slices_of(self, first: int, end: int, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """First and end rows of each slice of the keys first … end − 1, whose scores and P·V take turns:
        attention_sequence.

        inputs, outputs: input and output tiles of a head.
        """
        keys = self.hardware.out_par
        starts, unit = [first], SLICE_WORDS * keys
        many = (end - 1) // keys - first // keys >= SLICED_WORDS
        if self.slices and many and inputs < self.sliced_inputs and outputs <= self.sliced_outputs:
            starts += range(first // keys * keys + unit, end, unit)
        return list(pairwise([*starts, end]))


def sizes() -> Iterator[Size]:
    """The lines of the table, in their order."""
    return (size for size in vars(Sizes).values() if isinstance(size, Size))


class PassKind(IntEnum):
    """What a pass of the array does with its sums."""

    QKV = 0
    GELU = 1
    RESIDUAL = 2
    WEIGHTED = 3
    HEAD = 4
    LOGITS = 5
    SCORES = 6
    CONTEXT = 7


class Left(IntEnum):
    """Where a pass has its left operands from."""

    NORM = 0
    HIDDEN = 1
    GATE_INPUT = 2
    QUERY = 3
    GATHERED = 4
    EXPONENTIALS = 5
    GATHERED_WIDE = 6


class Fetch(IntEnum):
    """What stream_reader does with the next lines, or fetches from KEY and VALUE."""

    HEADER = 0
    WEIGHTS = 1
    KEYS = 2
    VALUES = 3
    LINES = 4
    SKIP = 5
    KEPT = 6  # weights that stay for AGAIN
    AGAIN = 7
