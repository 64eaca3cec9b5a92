"""store: rows of every scratchpad as the words that golden writes, side by side or at a pitch."""

from __future__ import annotations

import cocotb
import numpy as np

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import DecodedProgram
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import Buffer
from edgemoe.spec.legality import element_bytes
from edgemoe.spec.machine import VALUES_LATENCY
from edgemoe.spec.memory import Bytes, row_pitch
from edgemoe.spec.program_header import ProgramHeader
from sim.common.bench import STALLS, Checker, Dut, backpressure_rate, checked, drive, extremes, hardware, pack, reset
from sim.common.rows import SHAPES, Banks, IntArray, collect_words, each_cycle, until_idle
from sim.common.runs import Run

RUNS = [Run("micro"), Run("micro_w16a16"), Run("streaming"), Run("streaming_fine")]
WORD = 16
BASE = 0xFFFF_FFC0  # the address carries into its upper half
BITS = {1: 8, 2: 16, 4: 32}


def golden_bytes(rows: IntArray, buffer: Buffer) -> Bytes:
    """What golden's STORE puts into memory."""
    sizes = hardware()
    memory = FlatMemory()
    empty = DecodedProgram(
        Fault.NONE, ProgramHeader(0, 0, 0, 0, 0), np.zeros((0, 16), np.uint32), np.zeros(0, np.uint8), sizes
    )
    each = element_bytes(buffer, sizes)
    length = rows.shape[0] * row_pitch(rows.shape[1], each)
    base = memory.allocate(length)
    GoldenMachine(empty, sizes, memory, 0, base)._to_memory(0, rows, each)
    return memory.view(base, length).copy()


class Scratchpads:
    """Banks of one buffer, and routing entries; answers the unit's reads."""

    def __init__(self, dut: Dut) -> None:
        self.dut = dut
        self.banks = Banks(hardware().token_par, 64, 32)
        self.routing: dict[int, int] = {}

    def sample(self) -> tuple[int, int, int]:
        """Where the unit reads."""
        dut = self.dut
        return int(dut.read_bank.value), int(dut.read_depth.value), int(dut.routing_row.value)

    def respond(self, place: tuple[int, int, int]) -> None:
        """What lies there."""
        bank, depth, row = place
        self.dut.bank_values.value = self.banks.packed(bank, depth)
        self.dut.routing_values.value = self.routing.get(row, 0)


@cocotb.test()
@cocotb.parametrize(stalls=[STALLS[0], STALLS[2]])
@checked
async def every_buffer(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Rows from any row on, from any scratchpad, and routing entries of any k with zeros up to the pitch."""
    sizes = hardware()
    pads = Scratchpads(dut)
    words: dict[int, int] = {}
    await reset(dut, start=0, word_ready=0)
    cocotb.start_soon(each_cycle(dut, VALUES_LATENCY, pads.sample, pads.respond))
    cocotb.start_soon(collect_words(dut, rng, backpressure_rate(stalls), words))
    for count, vectors, first in SHAPES:
        for buffer in (Buffer.RESIDUAL, Buffer.NORM, Buffer.GATE_INPUT, Buffer.VALUE, Buffer.HIDDEN, Buffer.ROUTING):
            bits = BITS[element_bytes(buffer, sizes)]
            entries = int(rng.integers(1, sizes.max_top_k, endpoint=True))
            if buffer == Buffer.ROUTING:
                rows = rng.integers(0, 1 << 32, (count, entries))
                everything = [(int(rng.integers(1 << 32)),) * sizes.max_top_k for _ in range(count)]
                noisy = [(*row.tolist(), *noise[entries:]) for row, noise in zip(rows, everything, strict=True)]
                pads.routing = {first + number: pack(row, 32) for number, row in enumerate(noisy)}
            else:
                rows = extremes(rng, bits, count * vectors * 16).reshape(count, -1)
                pads.banks.fill(rng)
                pads.banks.put_rows(first, rows)
            words.clear()
            row = row_pitch(rows.shape[1], element_bytes(buffer, sizes)) // WORD
            apart = sizes.streaming and buffer != Buffer.ROUTING and rng.random() < 0.7
            step = row + int(rng.integers(4)) if apart else row
            await drive(dut)
            dut.pitch.value = step if apart else 0
            dut.source.value, dut.rows.value, dut.vectors.value = int(buffer), count, vectors
            dut.entries.value, dut.source_row.value, dut.address.value = entries, first, BASE
            dut.start.value = 1
            await drive(dut)
            dut.start.value = 0
            expected = golden_bytes(rows, buffer)
            took = await until_idle(dut, 20 + 4 * expected.size // WORD)
            assert stalls != "none" or took <= 12 + expected.size // WORD, "less than a word a cycle"
            got = b"".join(word.to_bytes(WORD, "little") for word in words.values())
            check.equal(np.frombuffer(got, np.uint8), expected, f"{buffer.name}, {count} rows × {vectors} vectors")
            places = [BASE + WORD * (number * step + word) for number in range(count) for word in range(row)]
            check.equal(list(words), places, f"addresses in their order, {step} words from row to row")
