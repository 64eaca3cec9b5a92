"""The instruction set: twelve macro-operations, each a whole layer step, in 64-byte instructions of one common format.

All sizes are fields, so any M³ViT-family network that fits the buffers runs on one bitstream. `edgemoe.spec.meaning`
gives each instruction's loop nest; `edgemoe_golden.ops` gives its arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

ISA_VERSION = 2
INSTRUCTION_WORDS = 16
INSTRUCTION_BYTES = 4 * INSTRUCTION_WORDS
MEMORY_WORD = 16  # bytes; the unit of addresses, of row pitches in memory, and of striping over ports
STREAM_LINE = 64  # bytes; the unit of the weight stream: headers and payloads are whole lines, whatever the ports


class Opcode(IntEnum):
    """What an instruction does."""

    HALT = 0
    PATCH_EMBED = 1
    LAYERNORM = 2
    LINEAR = 3
    ATTENTION = 4
    GATE = 5
    EXPERTS = 6
    COPY = 7
    HEAD = 8
    STORE = 9
    LOAD = 10
    REPEAT = 11


class Buffer(IntEnum):
    """Scratchpads with fixed roles. NONE is the value of an unused operand field."""

    NONE = 0
    RESIDUAL = 1
    NORM = 2
    GATE_INPUT = 3
    QUERY = 4
    KEY = 5
    VALUE = 6
    HIDDEN = 7
    ROUTING = 8


class Epilogue(IntEnum):
    """What LINEAR does with its accumulators."""

    NONE = 0
    QKV = 1
    GELU = 2
    RESIDUAL = 3


class Activation(IntEnum):
    """What LINEAR's GELU epilogue and EXPERTS apply to their hidden layer: ReLU(x) − δ(|x|), each with its own δ."""

    GELU = 0
    GELU_TANH = 1
    QUICK_GELU = 2
    RELU = 3


@dataclass(frozen=True)
class Field:
    """Position of one field: 32-bit word, lowest bit, width; signed fields are two's complement."""

    word: int
    low: int
    width: int
    signed: bool = False
    text: str = ""

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1


FIELDS: dict[str, Field] = {
    "opcode": Field(0, 0, 8, text="what the instruction does"),
    "epilogue": Field(0, 8, 4, text="what LINEAR does with its accumulators"),
    "source": Field(0, 12, 4, text="buffer that is read"),
    "destination": Field(0, 16, 4, text="buffer that is written"),
    "gate_copy": Field(0, 20, 1, text="LAYERNORM also writes GATE_INPUT"),
    "wide_source": Field(0, 21, 1, text="activations read are 16 bits wide in a W8A8 build, two digits each"),
    "wide_result": Field(0, 22, 1, text="activations written are; EXPERTS: those of its hidden layer"),
    "narrow_weights": Field(0, 23, 1, text="weights of 4 bits in a W8A8 build, two to a byte"),
    "activation": Field(0, 24, 2, text="activation function of the hidden layer"),
    "biased": Field(0, 26, 1, text="GATE's segment has a bias per expert"),
    "renormalise": Field(0, 27, 1, text="GATE's scores are divided by the sum over the chosen experts"),
    "residual_copy": Field(0, 28, 1, text="what LAYERNORM writes to GATE_INPUT is the residual stream, not normalised"),
    "rows": Field(1, 0, 16, text="tokens processed"),
    "in_features": Field(1, 16, 16, text="features read per token"),
    "out_features": Field(2, 0, 16, text="features written per token"),
    "hidden_features": Field(2, 16, 16, text="hidden width of an expert"),
    "source_row": Field(3, 0, 16, text="first row read"),
    "destination_row": Field(3, 16, 16, text="first row written"),
    "heads": Field(4, 0, 8, text="attention heads"),
    "experts": Field(4, 8, 8, text="experts E"),
    "top_k": Field(4, 16, 8, text="experts per token k"),
    "multiplier": Field(5, 0, 16, text="scale of attention scores or gate logits"),
    "shift": Field(5, 16, 8, text="its shift; LAYERNORM: shift of the NORM output"),
    "output_multiplier": Field(6, 0, 16, text="scale of attention or GELU outputs"),
    "output_shift": Field(6, 16, 8, text="its shift; LAYERNORM: shift of the GATE_INPUT output"),
    "output_zero": Field(7, 0, 16, signed=True, text="added to GELU outputs after scaling"),
    "segment": Field(8, 0, 32, text="number of the first weight segment consumed"),
    "segments": Field(9, 0, 32, text="number of weight segments consumed"),
    "epsilon_low": Field(10, 0, 32, text="LayerNorm's eps·D²/scale², low half"),
    "epsilon_high": Field(11, 0, 32, text="high half"),
    "address_low": Field(12, 0, 32, text="byte offset in the input or output region, low half"),
    "address_high": Field(13, 0, 32, text="high half"),
    "pitch": Field(14, 0, 16, text="memory words from row to row in the output region, 0: rows lie side by side"),
    "keys": Field(14, 16, 16, text="rows of KEY and VALUE that ATTENTION reads, 0: those of the queries"),
    "key_row": Field(15, 0, 16, text="first of them"),
}

USED_FIELDS: dict[Opcode, tuple[str, ...]] = {
    Opcode.HALT: (),
    Opcode.PATCH_EMBED: (
        "narrow_weights", "rows", "in_features", "out_features", "destination_row", "segment", "segments",
        "address_low", "address_high",
    ),
    Opcode.LAYERNORM: (
        "gate_copy", "residual_copy", "rows", "in_features", "source_row", "destination_row", "shift", "output_shift",
        "segment", "segments", "epsilon_low", "epsilon_high",
    ),
    Opcode.LINEAR: (
        "epilogue", "source", "destination", "wide_source", "wide_result", "narrow_weights", "activation", "rows",
        "in_features", "out_features", "source_row", "destination_row", "output_multiplier", "output_shift",
        "output_zero", "segment", "segments",
    ),
    Opcode.ATTENTION: (
        "wide_source", "wide_result", "rows", "in_features", "source_row", "heads", "multiplier", "shift",
        "output_multiplier", "output_shift", "keys", "key_row",
    ),
    Opcode.GATE: (
        "biased", "renormalise", "rows", "in_features", "source_row", "destination_row", "experts", "top_k",
        "multiplier", "shift", "segment", "segments",
    ),
    Opcode.EXPERTS: (
        "wide_source", "wide_result", "narrow_weights", "activation", "in_features", "hidden_features", "experts",
        "output_multiplier", "output_shift", "output_zero", "segment", "segments",
    ),
    Opcode.COPY: ("rows", "in_features", "source_row", "destination_row"),
    Opcode.HEAD: (
        "wide_source", "narrow_weights", "rows", "in_features", "out_features", "source_row", "segment",
        "segments", "address_low", "address_high",
    ),
    Opcode.STORE: (
        "source", "wide_source", "rows", "in_features", "source_row", "address_low", "address_high", "pitch",
    ),
    Opcode.LOAD: (
        "destination", "wide_result", "rows", "in_features", "destination_row", "address_low", "address_high", "pitch",
    ),
    Opcode.REPEAT: ("rows", "segment", "segments", "address_low", "address_high"),
}  # fmt: skip

WIDE_TOKENS, WIDE_INNER, NARROW_WEIGHTS, ACTIVATIONS, GATE_FORMS, STREAMING = OPTIONS = (
    "wide_tokens", "wide_inner", "narrow_weights", "activations", "gate_forms", "streaming",
)  # fmt: skip
"""Options of a hardware configuration that some fields need: 16 bits for what LayerNorm and attention give; for
queries, keys, values and hidden layers; weights of 4 bits; activation functions other than GELU; gates with a bias,
scores that sum to 1, and gates that read the input of their block; rows that lie in memory between instructions, and
weights that are streamed several times."""

STREAMING_OPCODES = (Opcode.LOAD, Opcode.REPEAT)

_WIDE_FIELDS = {
    (Opcode.LINEAR, "wide_source"): WIDE_TOKENS,
    (Opcode.HEAD, "wide_source"): WIDE_TOKENS,
    (Opcode.EXPERTS, "wide_source"): WIDE_TOKENS,
    (Opcode.ATTENTION, "wide_result"): WIDE_TOKENS,
    (Opcode.ATTENTION, "wide_source"): WIDE_INNER,
    (Opcode.LINEAR, "wide_result"): WIDE_INNER,
    (Opcode.EXPERTS, "wide_result"): WIDE_INNER,
    (Opcode.STORE, "wide_source"): WIDE_INNER,
    (Opcode.LOAD, "wide_result"): WIDE_INNER,
}


def used_fields(opcode: Opcode, options: Collection[str]) -> tuple[str, ...]:
    """Fields that an opcode may set, `opcode` itself left out, in a build with these options."""
    return tuple(name for name in USED_FIELDS[opcode] if _option(opcode, name) in (None, *options))


def _option(opcode: Opcode, field: str) -> str | None:
    whatever = {
        "narrow_weights": NARROW_WEIGHTS,
        "activation": ACTIVATIONS,
        "biased": GATE_FORMS,
        "renormalise": GATE_FORMS,
        "residual_copy": GATE_FORMS,
        "pitch": STREAMING,
        "keys": STREAMING,
        "key_row": STREAMING,
    }
    return whatever.get(field) or _WIDE_FIELDS.get((opcode, field))


# Which buffers LINEAR may join, by epilogue: (sources, destination). QKV writes QUERY, KEY and VALUE.
# GATE_INPUT, whose rows are always 16 bits wide, stands for NORM where `wide_source` is set.
LINEAR_OPERANDS: dict[Epilogue, tuple[tuple[Buffer, ...], Buffer]] = {
    Epilogue.QKV: ((Buffer.NORM, Buffer.GATE_INPUT), Buffer.QUERY),
    Epilogue.GELU: ((Buffer.NORM, Buffer.GATE_INPUT), Buffer.HIDDEN),
    Epilogue.RESIDUAL: ((Buffer.NORM, Buffer.GATE_INPUT, Buffer.HIDDEN), Buffer.RESIDUAL),
}


@dataclass(frozen=True)
class Instruction:
    """One instruction; field meanings as in FIELDS, unused fields 0. `epsilon` and `address` are the 64-bit values."""

    opcode: Opcode
    epilogue: Epilogue = Epilogue.NONE
    source: Buffer = Buffer.NONE
    destination: Buffer = Buffer.NONE
    gate_copy: int = 0
    wide_source: int = 0
    wide_result: int = 0
    narrow_weights: int = 0
    activation: Activation = Activation.GELU
    biased: int = 0
    renormalise: int = 0
    residual_copy: int = 0
    rows: int = 0
    in_features: int = 0
    out_features: int = 0
    hidden_features: int = 0
    source_row: int = 0
    destination_row: int = 0
    heads: int = 0
    experts: int = 0
    top_k: int = 0
    multiplier: int = 0
    shift: int = 0
    output_multiplier: int = 0
    output_shift: int = 0
    output_zero: int = 0
    segment: int = 0
    segments: int = 0
    epsilon: int = 0
    address: int = 0
    pitch: int = 0
    keys: int = 0
    key_row: int = 0


def encode(instruction: Instruction) -> NDArray[np.uint32]:
    """Sixteen little-endian words; raises ValueError naming a field that does not fit."""
    values = {field.name: int(getattr(instruction, field.name)) for field in fields(instruction)}
    for name in ("epsilon", "address"):
        value = values.pop(name)
        values[f"{name}_low"], values[f"{name}_high"] = value & 0xFFFFFFFF, value >> 32
    words = [0] * INSTRUCTION_WORDS
    for name, field in FIELDS.items():
        low, high = field.range
        if not low <= values[name] <= high:
            raise ValueError(f"{instruction.opcode.name}: {name} = {values[name]} does not fit {low} … {high}")
        words[field.word] |= (values[name] & ((1 << field.width) - 1)) << field.low
    return np.array(words, dtype=np.uint32)


def raw_fields(words: NDArray[np.uint32]) -> dict[str, int]:
    """Field values of one encoded instruction, without any check of their meaning."""
    values = {}
    for name, field in FIELDS.items():
        value = (int(words[field.word]) >> field.low) & ((1 << field.width) - 1)
        if field.signed and value >> (field.width - 1):
            value -= 1 << field.width
        values[name] = value
    return values


def decode(words: NDArray[np.uint32]) -> Instruction:
    """The instruction of sixteen words; raises ValueError for an unknown opcode, epilogue or buffer."""
    values = raw_fields(words)
    epsilon = values.pop("epsilon_low") | values.pop("epsilon_high") << 32
    address = values.pop("address_low") | values.pop("address_high") << 32
    return Instruction(
        opcode=Opcode(values.pop("opcode")),
        epilogue=Epilogue(values.pop("epilogue")),
        source=Buffer(values.pop("source")),
        destination=Buffer(values.pop("destination")),
        activation=Activation(values.pop("activation")),
        epsilon=epsilon,
        address=address,
        **values,
    )
