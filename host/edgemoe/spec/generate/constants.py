"""Every named constant of the specification, for all headers alike: name, value, comment."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from edgemoe.spec import precision as p
from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.hls_schedule import ACCUMULATE_DISTANCE, HLS_CONTEXT_MEMBERS, HLS_QUERY_TILES
from edgemoe.spec.isa import (
    FIELDS,
    INSTRUCTION_BYTES,
    INSTRUCTION_WORDS,
    ISA_VERSION,
    MEMORY_WORD,
    STREAM_LINE,
    Activation,
    Buffer,
    Epilogue,
    Opcode,
    used_fields,
)
from edgemoe.spec.legality import MAX_ATTENTION_OUTPUT_SHIFT
from edgemoe.spec.memory import MAX_PARTS, SegmentKind
from edgemoe.spec.registers import IDENTITY, REGISTERS, WEIGHT_PORTS
from edgemoe.spec.tables import (
    FINE_HALF_BITS,
    GELU_STEP_BITS,
    RSQRT_INDEX_BITS,
    IntArray,
    delta_table,
    delta_tables,
    exp2_table,
    fine_exp2_high_table,
    fine_exp2_low_table,
    rsqrt_table,
)


@dataclass(frozen=True)
class Constant:
    """One constant; names are upper-case words joined by underscores."""

    name: str
    value: int
    text: str = ""


@dataclass(frozen=True)
class Group:
    """Constants under one heading."""

    title: str
    constants: tuple[Constant, ...]


@dataclass(frozen=True)
class Table:
    """A look-up table of non-negative integers, `bits` wide."""

    name: str
    values: IntArray
    text: str

    @property
    def bits(self) -> int:
        """Bits of the largest entry."""
        return int(self.values.max()).bit_length()


def groups() -> list[Group]:
    """All constants that do not depend on a hardware configuration."""
    general = (
        Constant("ISA_VERSION", ISA_VERSION, "word 1 of the program header"),
        Constant("IDENTITY", IDENTITY, "word 0 of the program header and the identity register"),
        Constant("INSTRUCTION_BYTES", INSTRUCTION_BYTES, "one instruction, and the program header"),
        Constant("MEMORY_WORD_BYTES", MEMORY_WORD, "unit of addresses, row pitches and striping"),
        Constant("STREAM_LINE_BYTES", STREAM_LINE, "unit of the weight stream"),
        Constant("MAX_PARTS", MAX_PARTS, "of the weight stream that are streamed several times"),
        Constant("VECTOR", VECTOR, "features of scratchpads come in multiples of it"),
        Constant("MAX_WEIGHT_PORTS", WEIGHT_PORTS, "weight pointers in the register map"),
        Constant("MULTIPLIER_BITS", p.MULTIPLIER_BITS, "requantise multipliers, unsigned"),
        Constant("MAX_SHIFT", p.MAX_SHIFT, "requantise shifts"),
        Constant("MAX_ATTENTION_OUTPUT_SHIFT", MAX_ATTENTION_OUTPUT_SHIFT, "ATTENTION's output_shift"),
        Constant("MAX_FEATURES", p.MAX_FEATURES, "inputs of one accumulation"),
        Constant("LARGEST_TOKENS", p.MAX_TOKENS, "keys of one softmax, whatever the build"),
        Constant("LARGEST_WIDTH", p.MAX_WIDTH, "features under one LayerNorm, whatever the build"),
        Constant("SCORE_WEIGHT_BITS", p.SCORE_BITS, "expert scores, unsigned Q.16"),
        Constant("GUARD_BITS", p.GUARD_BITS, "extra fraction bits of expert outputs"),
        Constant("PIXEL_OFFSET", p.PIXEL_OFFSET, "subtracted from uint8 pixels"),
        Constant("OUTPUT_BITS", p.OUTPUT_BITS, "head outputs"),
        Constant("WIDE_LIMIT", p.WIDE_LIMIT, "±, two signed 8-bit digits"),
        Constant("GATE_FRACTION", p.GATE_FRACTION, "gate logits in base 2, Q.12"),
        Constant("GATE_LOGIT_BITS", p.GATE_LOGIT_BITS, "scaled gate logits, signed"),
        Constant("GATE_BIAS_BITS", p.GATE_BIAS_BITS, "bias field of GATE, signed, in units of 2^16"),
        Constant("GATE_EXPONENTIAL_BITS", p.GATE_EXPONENTIAL_BITS, "gate exponentials, unsigned"),
        Constant("FINE_HALF_BITS", FINE_HALF_BITS, "index bits of each fine exponential table"),
        Constant("GELU_STEP_BITS", GELU_STEP_BITS, "δ entries per unit, log2"),
        Constant("RSQRT_INDEX_BITS", RSQRT_INDEX_BITS, "mantissa bits that index the rsqrt table"),
    )
    return [
        Group("General", general),
        Group("Opcodes", tuple(Constant(f"OPCODE_{op.name}", op) for op in Opcode)),
        Group("Epilogues of LINEAR", tuple(Constant(f"EPILOGUE_{e.name}", e) for e in Epilogue)),
        Group("Activation functions", tuple(Constant(f"ACTIVATION_{a.name}", a) for a in Activation)),
        Group("Scratchpads", tuple(Constant(f"BUFFER_{b.name}", b) for b in Buffer)),
        Group("Segment kinds", tuple(Constant(f"SEGMENT_{k.name}", k) for k in SegmentKind)),
        Group("Faults", tuple(Constant(f"FAULT_{f.name}", f, FAULT_TEXT[f]) for f in Fault)),
        Group("Registers, byte offsets", tuple(Constant(f"REG_{r.name.upper()}", r.offset, r.text) for r in REGISTERS)),
        Group("Instruction fields: word, lowest bit, width", tuple(_field_constants())),
    ]


def _field_constants() -> list[Constant]:
    constants = []
    for name, field in FIELDS.items():
        upper = name.upper()
        constants += [
            Constant(f"FIELD_{upper}_WORD", field.word, field.text),
            Constant(f"FIELD_{upper}_LOW", field.low),
            Constant(f"FIELD_{upper}_WIDTH", field.width, "signed" if field.signed else ""),
        ]
    return constants


def instruction_masks(hardware: HardwareConfig) -> Table:
    """Entry 16·opcode + word: the bits of an instruction that may be other than zero in this build."""
    masks = []
    for opcode in Opcode:
        words = [0] * INSTRUCTION_WORDS
        for name in ("opcode", *used_fields(opcode, hardware.options)):
            field = FIELDS[name]
            words[field.word] |= ((1 << field.width) - 1) << field.low
        masks += words
    return Table("INSTRUCTION_MASK", np.array(masks), "bits that may be set, entry 16·opcode + word")


def gelu_shape(hardware: HardwareConfig) -> tuple[Constant, ...]:
    """How many tables of δ a build has, and their size."""
    numbers, all_of_them = hardware.numbers, hardware.activations
    return (
        Constant("GELU_TABLES", len(Activation) if all_of_them else 1, "activation functions"),
        Constant("DELTA_ENTRIES", numbers.activation_entries if all_of_them else numbers.gelu_entries, "of each"),
    )


def precision_constants(precision: p.Precision) -> tuple[Constant, ...]:
    """Widths of one precision, by the names of its fields."""
    values = [(field.name, getattr(precision, field.name)) for field in fields(precision) if field.name != "name"]
    values += [(name, int(getattr(precision, name))) for name in ("residual_bytes", "gate_digits", "fine")]
    return tuple(Constant(name.upper(), value) for name, value in values)


def tables(precision: p.Precision, activations: bool) -> list[Table]:
    """Tables of one build. EXP2_TABLE is in both: Verilog resolves names in branches that FINE excludes."""
    deltas = delta_tables(precision) if activations else delta_table(precision, Activation.GELU)
    return [
        Table("EXP2_TABLE", exp2_table(p.W8A8), "W8A8's exponential, by the fraction of d"),
        Table("FINE_EXP2_HIGH_TABLE", fine_exp2_high_table(), "fine exponential, coarse factor"),
        Table("FINE_EXP2_LOW_TABLE", fine_exp2_low_table(), "fine exponential, fine factor, Q.16"),
        Table("GELU_DELTA_TABLE", deltas, "δ, one entry per 1/64"),
        Table("RSQRT_TABLE", rsqrt_table(precision), "2^R/√x, first entry x = 1/4"),
    ]


def hardware_constants(hardware: HardwareConfig) -> tuple[Constant, ...]:
    """Shape of one build, by the names of its fields, and its hash."""
    values = [
        (field.name, int(getattr(hardware, field.name)))
        for field in fields(hardware)
        if field.name not in ("name", "part", "precision", "bytes_per_cycle", "dsp")
    ]
    block = hardware.dsp_block
    return (
        *(Constant(name.upper(), value) for name, value in values),
        Constant("DSP_WIDE_BITS", block.wide, f"wide operand of a {block.name}"),
        Constant("PAIR_SHIFT", block.pair_shift, "between two weights of W8A8 in one"),
        Constant("CONFIG_HASH", hardware.hash()),
    )


def hls_schedule() -> Group:
    """What only the HLS engine has."""
    constants = (
        Constant("HLS_QUERY_TILES", HLS_QUERY_TILES, "tiles of queries whose scores are kept at a time"),
        Constant("HLS_CONTEXT_MEMBERS", HLS_CONTEXT_MEMBERS, "output tiles of P·V made in one sweep over the scores"),
        Constant("ACCUMULATE_DISTANCE", ACCUMULATE_DISTANCE, "cycles until the same sums come round again, at least"),
    )
    return Group("Schedule of the HLS engine", constants)
