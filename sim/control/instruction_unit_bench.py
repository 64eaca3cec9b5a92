"""instruction_unit: header, instructions in order with the faults of rules 1 … 6, one ahead, the program's end."""

from __future__ import annotations

from dataclasses import replace

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden.program import decode_program
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import Instruction, Opcode
from edgemoe.spec.legality import static_fault
from edgemoe.spec.memory import Bytes
from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    cycles,
    drive,
    hardware,
    idle_rate,
    pack,
    reset,
    settle,
)
from sim.common.runs import Run
from sim.examples.legality import Words
from sim.examples.machine import INPUT_BYTES, OUTPUT_BYTES, encoded, image, program

RUNS = [Run("small")]
BLOCK = 64
PROGRAMS = 12
QUIET_CYCLES = 80  # more than a fetch and its check
NO_WEIGHTS = np.zeros(0, dtype=np.uint8)


class Reader:
    """data_reader: takes commands, gives their words, remembers what was asked for."""

    def __init__(self, dut: Dut, rng: np.random.Generator, idle: float) -> None:
        self.dut, self.rng, self.idle = dut, rng, idle
        self.base, self.program = 0, NO_WEIGHTS
        self.blocks: list[int] = []
        self.hold_rate = 0.0

    async def run(self) -> None:
        """For ever."""
        dut = self.dut
        words: list[int] = []
        held = 0
        while True:
            await drive(dut)
            held = int(self.rng.random() < self.hold_rate)
            accept = int(self.rng.random() >= self.idle and not words)
            offer = bool(words) and self.rng.random() >= self.idle
            dut.fetch_hold.value, dut.command_ready.value, dut.word_valid.value = held, accept, int(offer)
            if offer:
                dut.word.value = words[0]
            await ReadOnly()
            begins = bool(int(dut.fetch_wanted.value)) and not held and not int(dut.begin_run.value)
            assert int(dut.command_valid.value) == begins, "a fetch begins if it is wanted and not held"
            if int(dut.command_valid.value):
                assert not held, "a fetch began while fetch_hold was high"
                assert not words, "a command before the words of the last one were taken"
                if accept:
                    words = self._block(int(dut.command_address.value), int(dut.command_words.value))
            elif offer and int(dut.word_ready.value):
                words.pop(0)

    def _block(self, address: int, count: int) -> list[int]:
        assert count == BLOCK // 16
        start = address - self.base
        assert 0 <= start <= self.program.size - BLOCK, "a fetch outside the program"
        self.blocks.append(start // BLOCK)
        data = self.program[start : start + BLOCK]
        return [int.from_bytes(data[at : at + 16].tobytes(), "little") for at in range(0, BLOCK, 16)]


def random_program(rng: np.random.Generator) -> NDArray[np.uint32]:
    """Some of the example program's instructions, in any order, now and then an illegal one; HALT at the end or not."""
    all_of_them = program()
    chosen = [all_of_them[int(index)] for index in rng.integers(0, len(all_of_them) - 1, int(rng.integers(0, 6)))]
    if rng.random() < 0.6 or not chosen:
        chosen.append(Instruction(Opcode.HALT))
    words = encoded(chosen)
    if rng.random() < 0.4:
        words[int(rng.integers(len(words))), int(rng.integers(16))] ^= np.uint32(1 << int(rng.integers(32)))
    return words


def program_image(rng: np.random.Generator) -> Bytes:
    """Sometimes with a header that is refused."""
    data = image(hardware(), random_program(rng), NO_WEIGHTS).copy()
    if rng.random() < 0.3:
        words = data.view("<u4")
        word = int(rng.choice([0, 1, 2, 3, 10, 15]))
        words[word] = 0 if word == 3 else int(words[word]) ^ 1 << int(rng.integers(32))
    return data


def expected_run(words: Words) -> tuple[list[tuple[int, int, int]], bool]:
    """(index, instruction, fault) of each that is offered; whether the program then ends without HALT."""
    offered = []
    for index, one in enumerate(words):
        fault = static_fault(one, hardware(), INPUT_BYTES, OUTPUT_BYTES)
        offered.append((index, pack(one, 32), int(fault)))
        if fault != Fault.NONE:
            return offered, False
        if one[0] == Opcode.HALT:
            return offered, False
    return offered, True


async def begin(dut: Dut, address: int) -> None:
    """One cycle of begin_run."""
    await drive(dut)
    dut.program_address.value, dut.begin_run.value = address, 1
    await drive(dut)
    dut.begin_run.value = 0


async def take(dut: Dut, rng: np.random.Generator, backpressure: float) -> tuple[int, int, int]:
    """The next instruction."""
    while True:
        await drive(dut)
        accept = rng.random() >= backpressure
        dut.instruction_ready.value = int(accept)
        await ReadOnly()
        if accept and int(dut.instruction_valid.value):
            taken = tuple(int(signal.value) for signal in (dut.instruction_index, dut.instruction, dut.static_fault))
            await drive(dut)
            dut.instruction_ready.value = 0
            return taken[0], taken[1], taken[2]


async def start_bench(dut: Dut, rng: np.random.Generator, stalls: str) -> Reader:
    """Reset and a reader that goes on for ever."""
    await reset(dut, begin_run=0, fetch_hold=0, command_ready=0, word_valid=0, instruction_ready=0)
    reader = Reader(dut, rng, idle_rate(stalls))
    cocotb.start_soon(reader.run())
    return reader


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def programs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Program after program without reset: as golden decodes them, and nothing is fetched beyond their ends."""
    reader = await start_bench(dut, rng, stalls)
    reader.hold_rate = backpressure_rate(stalls)
    for number in range(PROGRAMS):
        data = program_image(rng)
        memory = FlatMemory()
        reader.base, reader.program, reader.blocks = memory.allocate(data.size), data, []
        memory.write(reader.base, data)
        golden = decode_program(memory, hardware(), reader.base, [])
        await begin(dut, reader.base)
        while not int(dut.header_valid.value):
            await settle(dut)
        check.equal(int(dut.header_fault.value), golden.header_fault, f"header of program {number}")
        offered: list[tuple[int, int, int]] = []
        past_end = False
        if golden.header_fault == Fault.NONE:
            names = ("stream_lines", "input_bytes", "output_bytes")
            sizes = [int(getattr(dut, name).value) for name in names]
            check.equal(sizes, [getattr(golden.header, name) for name in names], "sizes of the header")
            check.equal(int(dut.instructions.value), len(golden.words), "instructions")
            offered, past_end = expected_run(golden.words)
            for index, what in enumerate(offered):
                got = await take(dut, rng, backpressure_rate(stalls))
                check.equal(np.array(got, dtype=object), np.array(what, dtype=object), f"{number}: instruction {index}")
        await cycles(dut, QUIET_CYCLES)
        await settle(dut)
        check.equal(int(dut.past_end.value), int(past_end), f"end of program {number}")
        check.equal(int(dut.instruction_valid.value), 0, "nothing is offered after the end")
        check.equal(reader.blocks, list(range(len(offered) + 1)), "blocks fetched")


@cocotb.test()
@checked
async def one_ahead(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """While nobody takes it, one instruction is fetched and checked, and no more; a run may be given up any time."""
    reader = await start_bench(dut, rng, "none")
    words = encoded([replace(program()[9], source_row=4 * (n % 2), destination_row=8) for n in range(5)])
    reader.base, reader.program = 4096, image(hardware(), words, NO_WEIGHTS)
    for taken in (0, 1, 3):
        reader.blocks = []
        await begin(dut, reader.base)
        for index in range(taken):
            check.equal((await take(dut, rng, 0.0))[1], pack(words[index], 32), f"instruction {index}")
        await cycles(dut, QUIET_CYCLES)
        check.equal(reader.blocks, list(range(taken + 2)), f"blocks with {taken} instructions taken")
        check.equal(int(dut.instruction.value), pack(words[taken], 32), "the one that waits")
