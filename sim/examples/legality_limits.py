"""Instructions near the limits of any hardware, whose fault the specification gives: mutants of the legal ones, and
accesses that just fit or just do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import FIELDS, Buffer, Epilogue, Instruction, Opcode, encode
from edgemoe.spec.legality import static_fault
from sim.examples.legality import ATTENTION, LEGAL, STORE, Case, Words
from sim.examples.machine import INPUT_BYTES, OUTPUT_BYTES

STREAMED = {
    "LOAD": Instruction(Opcode.LOAD, destination=Buffer.KEY, rows=4, in_features=32, address=64, pitch=4),
    "LOAD side by side": Instruction(Opcode.LOAD, destination=Buffer.RESIDUAL, rows=3, in_features=48),
    "STORE at a pitch": replace(STORE, pitch=16),
    "ATTENTION with keys": replace(ATTENTION, keys=6, key_row=1),
    "REPEAT": Instruction(Opcode.REPEAT, rows=2, segment=1, segments=3, address=128),
}
"""Legal where a build has `streaming`."""

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


def _mutant(rng: np.random.Generator, hardware: HardwareConfig) -> Words:
    legal = [*LEGAL.values(), *(2 * [*STREAMED.values()] if hardware.streaming else ())]
    words = encode(legal[int(rng.integers(len(legal)))])
    for _ in range(int(rng.integers(0, 4))):
        name = list(FIELDS)[int(rng.integers(len(FIELDS)))] if rng.random() < 0.05 else _used_field(rng, words)
        field = FIELDS[name]
        mask = (1 << field.width) - 1
        value = _interesting(rng, name, hardware)
        words[field.word] = (int(words[field.word]) & ~(mask << field.low)) | value << field.low
    return words


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
    elif name == "pitch":
        near += [6, 8, 12, 24, sizes.max_width // 16, sizes.max_width // 8]
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


def just_fitting(hardware: HardwareConfig) -> list[Case]:
    """One row or one vector more or less around the room of every buffer, one byte around a region's end."""
    cases = []
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
