"""layernorm: whole instructions against golden, with the scratchpads around it as dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.spec.hardware import VECTOR
from edgemoe_golden.ops.layernorm import layernorm, residual_copy
from sim.common.bench import Checker, Dut, checked, drive, extremes, hardware, idle_rate, pack, reset, unpack
from sim.common.runs import Run

# groups normalises two rows side by side, zcu102 four.
RUNS = [
    Run("micro"),
    Run("groups"),
    Run("micro_w16a16", slow=True),
    Run("gate_forms"),
    Run("gate_forms_fine", slow=True),
    Run("zcu102", slow=True),
]
LATENCY_LIMIT = 100  # cycles beyond one vector of a group per cycle
TILE = hardware().token_par
GROUP = hardware().layernorm_lanes // VECTOR
NUMBERS = hardware().numbers
MAX_ROWS = hardware().max_rows
INT64 = np.int64
SETUP = 4  # cycles from start until written_row is of this instruction
SOON, LATE = 4, 4  # cycles between a row's last write and what written_row says


@dataclass(frozen=True)
class Case:
    """One instruction."""

    rows: int
    source_row: int
    destination_row: int
    width: int
    gate_copy: bool
    residual_copy: bool = False


CASES = [
    Case(1, 0, 0, 16, False),
    Case(1, 5, 2, 48, True),
    Case(2, 3, 0, 48, True),
    Case(2, 0, 1, 16, True),
    Case(TILE - 1, 1, 2, 16, True),
    Case(TILE, TILE, TILE, 192, False),
    Case(TILE + 1, 3, 6, 48, True),
    Case(TILE + 1, 1, 0, 192, True),
    Case(129, 0, 0, 192, True),
    Case(129, 129, 129, 48, False),
    Case(129, 1, 0, 16, True),
]
AHEAD = [
    Case(3, 2, 0, 16, True, residual_copy=True),
    Case(TILE + 1, 1, 0, 192, True, residual_copy=True),
    Case(2, 3, 1, 48, True),
]


def random_case(rng: np.random.Generator) -> Case:
    """Any rows, anywhere."""
    rows = int(rng.integers(1, 40))
    source, destination = (int(row) for row in rng.integers(0, MAX_ROWS - rows, 2))
    return Case(rows, source, destination, VECTOR * int(rng.integers(1, 7)), bool(rng.integers(2)))


def residual_rows(rng: np.random.Generator, case: Case) -> NDArray[INT64]:
    """Rows of every size of value: full range, a few units, and constant ones, whose variance is ε alone."""
    values = extremes(rng, NUMBERS.residual_bits, case.rows * case.width).reshape(case.rows, case.width)
    values >>= rng.integers(0, NUMBERS.residual_bits, (case.rows, 1))
    constant = rng.random(case.rows) < 0.1
    values[constant] = values[constant, :1]
    return values


def address(row: int, vectors: int) -> tuple[int, int]:
    """Bank and depth of a row's first vector."""
    return row % TILE, row // TILE * vectors


class Scratchpads:
    """RESIDUAL's read port, two cycles late, and what was written to NORM and GATE_INPUT."""

    def __init__(self, dut: Dut) -> None:
        self.residual: dict[int, int] = {}  # depth: vectors of all banks
        self.norm: dict[tuple[int, int], int] = {}
        self.gate: dict[tuple[int, int], int] = {}
        self.last: dict[tuple[int, int], int] = {}  # cycle of the last write there
        self.written: list[int] = []  # written_row, cycle by cycle, while busy
        self._dut = dut

    async def serve(self) -> None:
        """Run for ever."""
        dut, asked = self._dut, [0, 0]
        norm_bits, gate_bits = VECTOR * NUMBERS.activation_bits, VECTOR * 16
        while True:
            await drive(dut)
            dut.residual_values.value = self.residual.get(asked.pop(0), 0)
            await ReadOnly()
            asked.append(int(dut.read_depth.value))
            enables, gate_enables = int(dut.write_enable.value), int(dut.gate_enable.value)
            if int(dut.busy.value):
                self.written.append(int(dut.written_row.value))
            if not enables | gate_enables:
                continue
            depths = unpack(int(dut.write_depth.value), TILE, 16, signed=False)
            norms, gates = int(dut.norm_values.value), int(dut.gate_values.value)
            for bank in range(TILE):
                key = (bank, int(depths[bank]))
                for enabled, word, bits, memory in (
                    (enables, norms, norm_bits, self.norm),
                    (gate_enables, gates, gate_bits, self.gate),
                ):
                    if enabled >> bank & 1:
                        assert key not in memory, f"bank {bank}, depth {key[1]} written twice"
                        self.last[key] = len(self.written)
                        memory[key] = word >> bank % GROUP * bits & (1 << bits) - 1


def rows_of(memory: dict[tuple[int, int], int], case: Case, bits: int) -> NDArray[Any]:
    """The destination rows [rows, width]; they must be all that was written."""
    vectors, rows = case.width // VECTOR, []
    for row in range(case.destination_row, case.destination_row + case.rows):
        bank, depth = address(row, vectors)
        words = [memory.pop((bank, depth + vector), 0) for vector in range(vectors)]
        rows.append(np.concatenate([unpack(word, VECTOR, bits) for word in words]))
    assert not memory, f"written outside the destination: banks and depths {sorted(memory)[:5]}"
    return np.array(rows)


def check_written(pads: Scratchpads, case: Case) -> None:
    """written_row is past a row only when its last vector is written, or will be in a moment; in the end past all."""
    vectors = case.width // VECTOR
    begin = case.destination_row - case.source_row % GROUP
    beyond = [(row - begin + (1 << 15)) % (1 << 16) - (1 << 15) for row in pads.written]  # rows from the first group on
    for row in range(case.destination_row, case.destination_row + case.rows):
        bank, depth = address(row, vectors)
        last = max(pads.last[bank, depth + vector] for vector in range(vectors))
        known = next(cycle for cycle, count in enumerate(beyond) if cycle > SETUP and count > row - begin)
        assert -SOON <= known - last <= LATE, f"{case}: row {row}, written in cycle {last}, is known in {known}"


def affine_lines(gain: NDArray[INT64], offset: NDArray[INT64]) -> list[int]:
    """The payload of a LAYERNORM segment as lines of 512 bits."""
    half = 64 if NUMBERS.fine else 32
    words = [pack([shift, scale], half) for shift, scale in zip(offset, gain, strict=True)]
    step = 512 // (2 * half)
    return [pack(words[first : first + step], 2 * half) for first in range(0, len(words), step)]


async def send_lines(dut: Dut, lines: list[int], rng: np.random.Generator, idle: float) -> None:
    """Affine lines from the cycle after start on."""
    for line in lines:
        while rng.random() < idle:
            dut.affine_valid.value = 0
            await drive(dut)
        dut.affine_valid.value, dut.affine_line.value = 1, line
        await drive(dut)
    dut.affine_valid.value = 0


async def run(dut: Dut, check: Checker, rng: np.random.Generator, pads: Scratchpads, case: Case, idle: float) -> None:
    """One instruction from start to not busy, compared with golden."""
    vectors = case.width // VECTOR
    residual = residual_rows(rng, case)
    gain = extremes(rng, NUMBERS.gain_bits, case.width)
    offset = extremes(rng, NUMBERS.offset_bits, case.width) >> int(rng.integers(0, NUMBERS.offset_bits))
    epsilon = int(rng.choice(np.array([1, 1 << 20, (1 << 64) - 1], dtype=object)))
    usual = NUMBERS.gain_bits + NUMBERS.normalised_fraction - NUMBERS.activation_bits
    shift, gate_shift = (
        int(rng.integers(1, 61)) if rng.random() < 0.3 else usual + int(k) for k in rng.integers(-4, 4, 2)
    )

    await drive(dut)
    pads.residual, pads.last, pads.written = {}, {}, []
    words: dict[int, list[int]] = {}
    for row, values in enumerate(residual):
        bank, depth = address(case.source_row + row, vectors)
        for vector in range(vectors):
            noise = int.from_bytes(rng.bytes(2), "little")  # of rows outside the range
            word = pack(values[vector * VECTOR : (vector + 1) * VECTOR], NUMBERS.residual_bits)
            words.setdefault(depth + vector, [noise] * TILE)[bank] = word
    pads.residual = {depth: pack(banks, VECTOR * NUMBERS.residual_bits) for depth, banks in words.items()}
    fields = {
        "rows": case.rows, "source_row": case.source_row, "destination_row": case.destination_row, "vectors": vectors,
        "width": case.width, "shift": shift, "gate_shift": gate_shift, "gate_copy": case.gate_copy,
        "residual_copy": case.residual_copy, "epsilon": epsilon,
    }  # fmt: skip
    for name, value in fields.items():
        getattr(dut, name).value = value
    dut.start.value = 1
    await drive(dut)
    dut.start.value = 0
    sending = cocotb.start_soon(send_lines(dut, affine_lines(gain, offset), rng, idle))
    busy_cycles = 0
    while True:
        await ReadOnly()
        if not int(dut.busy.value):
            break
        busy_cycles += 1
        await drive(dut)
    await sending
    groups = (case.source_row + case.rows - 1) // GROUP - case.source_row // GROUP + 1
    if not idle:
        limit = groups * max(vectors, GROUP) + LATENCY_LIMIT
        assert busy_cycles <= limit, f"{case}: {busy_cycles} cycles, more than {limit}"
    norm, gate = layernorm(residual, gain, offset, epsilon, shift, gate_shift if case.gate_copy else None, NUMBERS)
    check_written(pads, case)
    if case.residual_copy:
        gate = residual_copy(residual, NUMBERS)
    check.equal(rows_of(pads.norm, case, NUMBERS.activation_bits), norm, f"NORM of {case}")
    if gate is None:
        assert not pads.gate, f"{case}: GATE_INPUT written without gate_copy"
    else:
        check.equal(rows_of(pads.gate, case, 16), gate, f"GATE_INPUT of {case}")
    dut._log.info("%s: %d cycles", case, busy_cycles)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def instructions(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Instructions one after the other, without a reset between them."""
    await reset(dut, start=0, affine_valid=0)
    pads = Scratchpads(dut)
    cocotb.start_soon(pads.serve())
    ahead = AHEAD if hardware().gate_forms else []
    for case in CASES + ahead + [random_case(rng) for _ in range(4)]:
        await run(dut, check, rng, pads, case, idle_rate(stalls))
