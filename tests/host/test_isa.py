"""Instructions and headers as bits: round trips, and a field that does not fit is refused by name."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemoe.spec.isa import (
    FIELDS,
    INSTRUCTION_BYTES,
    INSTRUCTION_WORDS,
    ISA_VERSION,
    USED_FIELDS,
    Buffer,
    Epilogue,
    Instruction,
    Opcode,
    decode,
    encode,
    raw_fields,
)
from edgemoe.spec.program_header import ProgramHeader, decode_header, encode_header
from edgemoe.spec.registers import IDENTITY

ENUMS = {"opcode": Opcode, "epilogue": Epilogue, "source": Buffer, "destination": Buffer}
WIDE = ("epsilon", "address")
NUMBERS = [field.name for field in fields(Instruction) if field.name not in ENUMS and field.name not in WIDE]


def values_of(name: str) -> st.SearchStrategy[object]:
    if name in ENUMS:
        return st.sampled_from(ENUMS[name])
    if name in WIDE:
        return st.integers(0, (1 << 64) - 1)
    return st.integers(*FIELDS[name].range)


instructions = st.builds(Instruction, **{field.name: values_of(field.name) for field in fields(Instruction)})


@given(instructions)
def test_decoding_what_was_encoded_gives_the_same_instruction(instruction: Instruction) -> None:
    words = encode(instruction)
    assert words.dtype == np.uint32
    assert words.shape == (INSTRUCTION_WORDS,)
    assert decode(words) == instruction
    assert np.array_equal(encode(decode(words)), words)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_takes_its_whole_width_and_no_bit_of_another(name: str) -> None:
    field = FIELDS[name]
    words = np.zeros(INSTRUCTION_WORDS, dtype=np.uint32)
    words[field.word] = ((1 << field.width) - 1) << field.low
    values = raw_fields(words)
    assert values.pop(name) == (-1 if field.signed else (1 << field.width) - 1)
    assert not any(values.values())


def test_no_two_fields_share_a_bit() -> None:
    bits = [(field.word, bit) for field in FIELDS.values() for bit in range(field.low, field.low + field.width)]
    assert len(bits) == len(set(bits))
    assert all(0 <= word < INSTRUCTION_WORDS and bit < 32 for word, bit in bits)
    assert INSTRUCTION_BYTES == 64


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("opcode", [Opcode.HALT, Opcode.STORE])
def test_a_number_one_beyond_its_field_is_refused_with_its_name(name: str, opcode: Opcode) -> None:
    low, high = FIELDS[name].range
    for value in (low, high):
        assert getattr(decode(encode(replace(Instruction(opcode), **{name: value}))), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"{opcode.name}: {name} = {value} does not fit"):
            encode(replace(Instruction(opcode), **{name: value}))


@pytest.mark.parametrize("name", WIDE)
def test_a_64_bit_value_beyond_its_two_words_is_refused_with_its_name(name: str) -> None:
    for value in (-1, 1 << 64):
        with pytest.raises(ValueError, match=rf"{name}_high"):
            encode(replace(Instruction(Opcode.STORE), **{name: value}))
    assert getattr(decode(encode(replace(Instruction(Opcode.STORE), **{name: (1 << 64) - 1}))), name) == (1 << 64) - 1


@pytest.mark.parametrize("name", ENUMS)
def test_an_unknown_number_of_an_enumeration_is_refused_by_decode(name: str) -> None:
    field, known = FIELDS[name], {int(member) for member in ENUMS[name]}
    for value in range(1 << field.width):
        words = np.zeros(INSTRUCTION_WORDS, dtype=np.uint32)
        words[field.word] = value << field.low
        if value in known:
            assert getattr(decode(words), name) == value
        else:
            with pytest.raises(ValueError, match=f"{value} is not a valid {ENUMS[name].__name__}"):
                decode(words)


def test_every_opcode_names_only_fields_that_exist() -> None:
    assert set(USED_FIELDS) == set(Opcode)
    used = {name for names in USED_FIELDS.values() for name in names}
    assert used | {"opcode"} == set(FIELDS)


def test_an_instruction_by_hand() -> None:
    """LINEAR, GELU, NORM → HIDDEN, 129 rows of 192 → 768, zero −3."""
    words = encode(
        Instruction(
            Opcode.LINEAR,
            epilogue=Epilogue.GELU,
            source=Buffer.NORM,
            destination=Buffer.HIDDEN,
            rows=129,
            in_features=192,
            out_features=768,
            output_multiplier=0x9C40,
            output_shift=22,
            output_zero=-3,
            segment=5,
            segments=1,
        )
    )
    assert [f"{word:08X}" for word in words[:10]] == [
        "00072203", "00C00081", "00000300", "00000000", "00000000",
        "00000000", "00169C40", "0000FFFD", "00000005", "00000001",
    ]  # fmt: skip
    assert not words[10:].any()


words32, words64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)


@given(st.builds(ProgramHeader, words32, words32, words64, words64, words64))
def test_a_header_survives_its_encoding(header: ProgramHeader) -> None:
    words = encode_header(header, IDENTITY)
    assert words.shape == (INSTRUCTION_WORDS,)
    assert words[:2].tolist() == [IDENTITY, ISA_VERSION]
    assert decode_header(words, IDENTITY) == header


@pytest.mark.parametrize("word", [0, 1, *range(10, 16)])
def test_a_header_with_another_magic_version_or_reserved_word_is_refused(word: int) -> None:
    words = encode_header(ProgramHeader(1, 2, 3, 4, 5), IDENTITY)
    words[word] ^= 0x8000_0000
    with pytest.raises(ValueError, match="not a program of instruction set version"):
        decode_header(words, IDENTITY)
