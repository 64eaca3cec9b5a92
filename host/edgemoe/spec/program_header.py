"""The program header: one instruction-sized block in front of the instructions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.isa import INSTRUCTION_WORDS, ISA_VERSION


@dataclass(frozen=True)
class ProgramHeader:
    """First 64 bytes of a program: words 0–3 magic, ISA version, config hash, instruction count; 64-bit values after.

    stream_lines: 64-byte lines of the weight stream. input_bytes, output_bytes: sizes of the two regions.
    """

    config_hash: int
    instructions: int
    stream_lines: int
    input_bytes: int
    output_bytes: int


def encode_header(header: ProgramHeader, magic: int) -> NDArray[np.uint32]:
    """Sixteen little-endian words."""
    words = [magic, ISA_VERSION, header.config_hash, header.instructions]
    for value in (header.stream_lines, header.input_bytes, header.output_bytes):
        words += [value & 0xFFFFFFFF, value >> 32]
    words += [0] * (INSTRUCTION_WORDS - len(words))
    return np.array(words, dtype=np.uint32)


def decode_header(words: NDArray[np.uint32], magic: int) -> ProgramHeader:
    """The header of sixteen words; raises ValueError when magic or version are not this package's."""
    if int(words[0]) != magic or int(words[1]) != ISA_VERSION or any(words[10:16]):
        raise ValueError(f"not a program of instruction set version {ISA_VERSION}")
    wide = [int(words[i]) | int(words[i + 1]) << 32 for i in (4, 6, 8)]
    return ProgramHeader(int(words[2]), int(words[3]), *wide)
