"""legality: the first of rules 1 … 6 that an instruction breaks, against edgemoe.spec.legality."""

from __future__ import annotations

from collections.abc import Iterable

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import FIELDS, Buffer, Epilogue, Instruction, Opcode, encode
from edgemoe.spec.legality import static_fault
from sim.common.bench import CLOCK_NS, Checker, Dut, checked, drive, hardware, pack, reset
from sim.common.host_examples import INPUT_BYTES, LEGAL, OUTPUT_BYTES, Words, legality_examples

MOST_CYCLES = 24
PARTS = 2
MUTANTS = 1500
MOST_PER_TEST = 700  # of tests that turn over every bit or try every opcode: a sample


ALL_KINDS = {
    Fault.NONE, Fault.ILLEGAL_OPCODE, Fault.ILLEGAL_FIELD, Fault.ILLEGAL_OPERAND, Fault.BUFFER_RANGE,
    Fault.TOO_MANY_EXPERTS, Fault.ADDRESS_RANGE,
}  # fmt: skip


async def compare(
    dut: Dut, check: Checker, examples: Iterable[tuple[Words, int, int]], kinds: set[Fault] = ALL_KINDS
) -> None:
    """Check instructions one after the other, without reset between them; all `kinds` of faults must be among them."""
    await reset(dut, start=0)
    seen: set[Fault] = set()
    sizes = hardware()
    for words, input_bytes, output_bytes in examples:
        await drive(dut)
        dut.instruction.value = pack(words, 32)
        dut.input_bytes.value, dut.output_bytes.value = input_bytes, output_bytes
        dut.start.value = 1
        began = get_sim_time("ns")
        await FallingEdge(dut.clk)
        dut.start.value = 0
        await RisingEdge(dut.done)
        await FallingEdge(dut.clk)
        what = f"{[hex(word) for word in words]} in {input_bytes}, out {output_bytes}"
        expected = static_fault(words, sizes, input_bytes, output_bytes)
        seen.add(expected)
        check.equal(int(dut.fault.value), expected, what)
        assert get_sim_time("ns") - began <= MOST_CYCLES * CLOCK_NS
    assert seen >= kinds, f"no example for {kinds - seen}"


@cocotb.test()
@checked
async def examples_of_the_specification(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """What tests/host/test_legality.py looks at: all of most tests, a sample of those with thousands."""
    examples: list[Words] = []
    for of_one_test in legality_examples().values():
        order = rng.permutation(len(of_one_test))[:MOST_PER_TEST]
        examples += [of_one_test[index] for index in order]
    await compare(dut, check, ((words, INPUT_BYTES, OUTPUT_BYTES) for words in examples))


def interesting(rng: np.random.Generator, name: str, sizes: HardwareConfig) -> int:
    """A value of a field: near a limit, or anything."""
    width = FIELDS[name].width
    near: list[int] = [0, 1, 2, 3, 4, 5, 16, (1 << width) - 1]
    if name in ("rows", "source_row", "destination_row"):
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


def mutant(rng: np.random.Generator, sizes: HardwareConfig) -> Words:
    """A legal instruction of the examples with some fields changed, or some bits."""
    names = list(LEGAL)
    words = encode(LEGAL[names[int(rng.integers(len(names)))]])
    for _ in range(int(rng.integers(0, 4))):
        name = list(FIELDS)[int(rng.integers(len(FIELDS)))] if rng.random() < 0.05 else used_field(rng, words)
        field = FIELDS[name]
        mask = (1 << field.width) - 1
        value = interesting(rng, name, sizes)
        words[field.word] = (int(words[field.word]) & ~(mask << field.low)) | value << field.low
    return words


def used_field(rng: np.random.Generator, words: Words) -> str:
    """The name of a field that holds something, mostly."""
    names = [name for name, field in FIELDS.items() if (int(words[field.word]) >> field.low) & ((1 << field.width) - 1)]
    names += ["source_row", "destination_row", "address_low"]
    return names[int(rng.integers(len(names)))]


@cocotb.test()
@cocotb.parametrize(part=range(PARTS))
@checked
async def mutants_of_legal_instructions(dut: Dut, check: Checker, rng: np.random.Generator, part: int) -> None:
    """Fields near their limits, in any combination, and regions of any size."""
    sizes = hardware()
    regions = np.array([INPUT_BYTES, OUTPUT_BYTES, 0, 16, 1 << 32, (1 << 64) - 1, (1 << 63) + 48], dtype=object)
    mutants = ((mutant(rng, sizes), int(rng.choice(regions)), int(rng.choice(regions))) for _ in range(MUTANTS))
    await compare(dut, check, mutants)


@cocotb.test()
@checked
async def accesses_that_just_fit(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """One row or one vector more or less around the room of every buffer, one byte around a region's end."""
    sizes = hardware()
    examples = []
    for source in (Buffer.RESIDUAL, Buffer.NORM, Buffer.GATE_INPUT, Buffer.HIDDEN, Buffer.ROUTING):
        for rows in (1, sizes.token_par - 1, sizes.token_par, sizes.token_par + 1, sizes.max_rows):
            unit = 1 if source == Buffer.ROUTING else 16
            most = sizes.capacity(source) // sizes.room(rows, unit) * unit
            for features in (most - unit, most, most + unit):
                store = Instruction(Opcode.STORE, source=source, rows=rows, in_features=max(1, min(features, 65535)))
                length = rows * -(-features * 4 // 16) * 16
                examples += [(encode(store), 0, size) for size in (length // 4 - 1, length // 4, length // 2, length)]
                linear = Instruction(
                    Opcode.LINEAR, epilogue=Epilogue.QKV, source=Buffer.NORM, destination=Buffer.QUERY, segments=1,
                    rows=rows, in_features=16, out_features=min(3 * features, 65535),
                )  # fmt: skip
                examples.append((encode(linear), 0, 0))
    await compare(dut, check, examples, {Fault.NONE, Fault.BUFFER_RANGE, Fault.ADDRESS_RANGE})
