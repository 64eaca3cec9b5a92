"""A program as lines of text, as `edgemoe disasm` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from edgemoe.compiler.program import Program
from edgemoe.spec.isa import FIELDS, USED_FIELDS, Instruction

_ALREADY_SHOWN = ("opcode", "segment", "segments")


def listing(program: Program, words: bool = False) -> Iterator[str]:
    """Two lines about the program, then one for each instruction. words: and one of its sixteen words."""
    manifest = program.manifest
    yield (
        f"; model {manifest.model.name} (0x{manifest.model.hash():08X}), tasks {', '.join(manifest.tasks)}, hardware "
        f"{manifest.hardware.name} (0x{manifest.config_hash:08X})"
    )
    yield (
        f"; {len(program.words)} instructions, stream {program.stream.size:,} bytes, input {manifest.input_bytes:,} "
        f"bytes, output {manifest.output_bytes:,} bytes"
    )
    for index, (instruction, row) in enumerate(zip(program.instructions, program.words, strict=True)):
        operands = ", ".join(_operands(instruction))
        text = f"{index:4}  {instruction.opcode.name:<12}{operands}{_segments(instruction)}"
        yield f"{text}  ; {manifest.labels[index]}"
        if words:
            yield "      " + " ".join(f"{int(word):08x}" for word in row)


def _operands(instruction: Instruction) -> Iterator[str]:
    for name in USED_FIELDS[instruction.opcode]:
        if name in _ALREADY_SHOWN:
            continue
        plain = name.removesuffix("_low")
        if plain.endswith("_high") and plain in FIELDS:
            continue
        value = getattr(instruction, plain)
        if isinstance(value, IntEnum):
            yield f"{plain}={value.name}"
        elif value or plain in ("rows", "in_features"):
            yield f"{plain}={value:#x}" if plain == "address" else f"{plain}={value}"


def _segments(instruction: Instruction) -> str:
    if not instruction.segments:
        return ""
    last = instruction.segment + instruction.segments - 1
    return f", segment {instruction.segment}" + (f"…{last}" if instruction.segments > 1 else "")
