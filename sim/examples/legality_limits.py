"""Instructions near the limits of any hardware, whose fault the specification gives: mutants of the legal ones, and
accesses that just fit or just do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import FIELDS, MEMORY_WORD, Buffer, Epilogue, Instruction, Opcode, encode, used_fields
from edgemoe.spec.legality import static_fault
from sim.examples.legality import LEGAL, STREAMED, Case, Words, put
from sim.examples.machine import INPUT_BYTES, OUTPUT_BYTES, WIDTH

REGIONS = np.array([INPUT_BYTES, OUTPUT_BYTES, 0, 16, 1 << 32, (1 << 64) - 1, (1 << 63) + 48], dtype=object)


def specified(words: Words, hardware: HardwareConfig, input_bytes: int, output_bytes: int) -> Case:
    """A case with the fault that the specification gives."""
    name = f"{[hex(word) for word in words]} in {input_bytes}, out {output_bytes}"
    fault = static_fault(words, hardware, input_bytes, output_bytes)
    return Case(name, words, fault, hardware, input_bytes, output_bytes)


def mutants(rng: np.random.Generator, hardware: HardwareConfig, count: int) -> Iterator[Case]:
    """Fields near their limits, in any combination, and regions of any size."""
    for _ in range(count):
        yield specified(_mutant(rng, hardware), hardware, int(rng.choice(REGIONS)), int(rng.choice(REGIONS)))


def _legal(hardware: HardwareConfig) -> list[Instruction]:
    return [*LEGAL.values(), *(STREAMED.values() if hardware.streaming else ())]


def _mutant(rng: np.random.Generator, hardware: HardwareConfig) -> Words:
    legal = _legal(hardware)
    words = encode(legal[int(rng.integers(len(legal)))])
    for _ in range(int(rng.integers(0, 4))):
        name = list(FIELDS)[int(rng.integers(len(FIELDS)))] if rng.random() < 0.05 else _used_field(rng, words)
        _put(words, name, _interesting(rng, name, hardware))
    return words


def _put(words: Words, name: str, value: int) -> None:
    """Write a field."""
    field = FIELDS[name]
    put(words, field.word, field.low, field.width, value)


def _used_field(rng: np.random.Generator, words: Words) -> str:
    """The name of a field that holds something, mostly."""
    names = [name for name, field in FIELDS.items() if (int(words[field.word]) >> field.low) & ((1 << field.width) - 1)]
    names += ["source_row", "destination_row", "address_low"]
    return names[int(rng.integers(len(names)))]


def _interesting(rng: np.random.Generator, name: str, sizes: HardwareConfig) -> int:
    """A value of a field: near a limit, or anything."""
    width = FIELDS[name].width
    near: list[int] = [0, 1, 2, 3, 4, 5, 16, (1 << width) - 1]
    if name in ("rows", "source_row", "destination_row", "keys", "key_row"):
        near += [sizes.max_rows, sizes.max_tokens, sizes.max_rows // 2, sizes.max_rows - 4]
    elif name.endswith("features"):
        rows = int(rng.integers(1, sizes.max_rows + 1))
        near += [8, 48, 96, 16384, 16400, 49152, sizes.max_width, 3 * sizes.max_width]
        near += [elements // rows // 16 * 16 for elements in (sizes.row_elements, sizes.hidden_elements)]
        near += [elements // sizes.room(rows, 16) * 16 for elements in (sizes.row_elements, sizes.hidden_elements)]
    elif name.startswith("address"):
        near += [64, 1 << 31, 960, 1024 - 16]
    elif name.endswith("shift"):
        near += [30, 31, 60, 61]
    near += [value + step for value in near for step in (-16, -1, 1, 16)]
    anything = int(rng.integers(0, 1 << width))
    return int(rng.choice(near)) % (1 << width) if rng.random() < 0.8 else anything


def _loads_and_keys(hardware: HardwareConfig) -> list[Case]:
    """The same of rows of KEY, of which there may be more, of the keys of an attention, and of a pitch."""
    cases = []
    most = hardware.rows_of(Buffer.KEY)
    for buffer in (Buffer.NORM, Buffer.KEY, Buffer.VALUE):
        for rows in (hardware.max_rows, hardware.max_rows + 1, most, most + 1):
            load = replace(STREAMED["LOAD"], destination=buffer, in_features=VECTOR, address=0)
            cases += [specified(encode(each), hardware, 0, 1 << 20) for each in (
                replace(load, rows=rows), replace(load, rows=1, destination_row=rows - 1))]  # fmt: skip
    attention = replace(STREAMED["ATTENTION of other keys"], rows=1, in_features=VECTOR, heads=1)
    for keys, row in ((hardware.max_tokens, 0), (hardware.max_tokens + 1, 0), (1, most - 1), (1, most)):
        cases.append(specified(encode(replace(attention, keys=keys, key_row=row)), hardware, 0, 0))
    for opcode, row in (("LOAD RESIDUAL", WIDTH * hardware.numbers.residual_bytes), ("LOAD", WIDTH)):
        for pitch in (row // MEMORY_WORD - 1, row // MEMORY_WORD, row // MEMORY_WORD + 1):
            load = replace(STREAMED[opcode], rows=3, pitch=pitch, address=0)
            cases += [specified(encode(load), hardware, 0, 2 * pitch * MEMORY_WORD + size) for size in (row - 1, row)]
    return cases


def _smallest(hardware: HardwareConfig) -> list[Case]:
    """Each legal instruction with each of its fields at 0, 1, 2, one vector and two, and as many segments as it has
    experts where that is what changes.
    """
    cases = []
    for instruction in _legal(hardware):
        for name in used_fields(instruction.opcode, hardware.options):
            with_it = ["segments"] if name == "experts" and instruction.opcode == Opcode.EXPERTS else []
            for value in (0, 1, 2, VECTOR, 2 * VECTOR):
                words = encode(instruction)
                for each in (name, *with_it):
                    _put(words, each, value)
                cases.append(specified(words, hardware, INPUT_BYTES, OUTPUT_BYTES))
    return cases


def just_fitting(hardware: HardwareConfig) -> list[Case]:
    """The smallest sizes; one row or one vector more or less around the room of every buffer, one byte around a
    region's end.
    """
    cases = _smallest(hardware) + (_loads_and_keys(hardware) if hardware.streaming else [])
    for source in (Buffer.RESIDUAL, Buffer.NORM, Buffer.GATE_INPUT, Buffer.HIDDEN, Buffer.ROUTING):
        for rows in (1, hardware.token_par - 1, hardware.token_par, hardware.token_par + 1, hardware.max_rows):
            unit = 1 if source == Buffer.ROUTING else 16
            most = hardware.capacity(source) // hardware.room(rows, unit) * unit
            for features in (most - unit, most, most + unit):
                store = Instruction(Opcode.STORE, source=source, rows=rows, in_features=max(1, min(features, 65535)))
                length = rows * -(-features * 4 // 16) * 16
                sizes = (length // 4 - 1, length // 4, length // 2, length)
                cases += [specified(encode(store), hardware, 0, size) for size in sizes]
                linear = Instruction(
                    Opcode.LINEAR, epilogue=Epilogue.QKV, source=Buffer.NORM, destination=Buffer.QUERY, segments=1,
                    rows=rows, in_features=16, out_features=min(3 * features, 65535),
                )  # fmt: skip
                cases.append(specified(encode(linear), hardware, 0, 0))
    return cases
