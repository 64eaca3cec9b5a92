"""beside_layernorm: which layers may begin beside LAYERNORM, and when: any alignment of rows, written at any pace."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.machine import Sizes
from sim.common.bench import Checker, Dut, checked, cycles, drive, hardware
from sim.common.runs import Run

RUNS = [Run("micro"), Run("zcu102"), Run("kv260", slow=True)]
CONFIG = hardware()
GROUP, TOKENS, KEPT_LINES = CONFIG.layernorm_lanes // VECTOR, CONFIG.token_par, Sizes(CONFIG).kept_lines
LAYERS = 40
FIELDS_LATENCY = 5
ALL_LATENCY, READY_LATENCY = 2, 5  # from written_row


@dataclass(frozen=True)
class Layer:
    """Rows of LAYERNORM and of the layer behind it; steps of the array per tile of rows, cycles of a group."""

    norm_source: int
    norm_row: int
    norm_rows: int
    source_row: int
    rows: int
    reads_norm: bool
    lines: int
    steps: int
    cycles: int

    @property
    def end(self) -> int:
        """One past the last row."""
        return self.source_row + self.rows

    @property
    def beside(self) -> bool:
        """Whether it may begin."""
        inside = self.norm_row <= self.source_row and self.end <= self.norm_row + self.norm_rows
        return self.reads_norm and inside and self.lines <= KEPT_LINES

    def enough(self, written: int) -> bool:
        """Whether tiles that are written keep the array busy until the others are."""
        tiles = written // TOKENS - self.source_row // TOKENS
        groups = -(-(self.end - written) // GROUP)
        return tiles > 0 and (groups <= 0 or tiles * self.steps >= groups * self.cycles)


def drawn(rng: np.random.Generator) -> Layer:
    """Half of them lie inside what LAYERNORM makes."""
    norm_rows = int(rng.integers(1, 200))
    norm_source, norm_row = (int(rng.integers(0, 64)) for _ in range(2))
    first = int(rng.integers(norm_rows)) if rng.random() < 0.5 else 0
    rows = int(rng.integers(1, norm_rows - first + 1))
    source = norm_row + first
    if rng.random() < 0.3:
        source, rows = int(rng.integers(0, 80)), int(rng.integers(1, 200))
    lines = int(rng.choice([1, KEPT_LINES - 1, KEPT_LINES, KEPT_LINES + 1, 1 << 20]))
    steps, period = int(rng.choice([1, 24, 432, 5000, (1 << 16) - 1])), int(rng.integers(GROUP, 65))
    return Layer(norm_source, norm_row, norm_rows, source, rows, bool(rng.random() < 0.8), lines, steps, period)


@cocotb.test()
@checked
async def layers(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """From LAYERNORM's start to its end."""
    for _ in range(LAYERS):
        layer = drawn(rng)
        begin = layer.norm_row - layer.norm_source % GROUP
        await drive(dut)
        dut.start_layernorm.value, dut.layernorm_busy.value = 1, 1
        dut.source_row.value, dut.destination_row.value, dut.rows.value = (
            layer.norm_source, layer.norm_row, layer.norm_rows,
        )  # fmt: skip
        dut.written_row.value = begin % (1 << 16)
        await drive(dut)
        dut.start_layernorm.value = 0
        dut.source_row.value, dut.rows.value, dut.lines.value = layer.source_row, layer.rows, layer.lines
        dut.reads_norm.value, dut.destination_row.value = int(layer.reads_norm), int(rng.integers(1 << 16))
        dut.steps_of_tile.value, dut.cycles_of_group.value = layer.steps, layer.cycles
        await cycles(dut, FIELDS_LATENCY + READY_LATENCY)
        groups = -(-(layer.norm_row + layer.norm_rows - begin) // GROUP)
        seen = deque([begin] * (READY_LATENCY + 1), maxlen=READY_LATENCY + 1)  # written_row, the newest last
        busy, written = True, begin
        pace = float(rng.choice([1.0, 0.3, 0.05]))
        while busy:
            was_busy = busy
            if groups and rng.random() < pace:
                groups, written = groups - 1, written + GROUP
            elif not groups:
                busy = False
            await drive(dut)
            dut.layernorm_busy.value, dut.written_row.value = int(busy), written % (1 << 16)
            seen.append(written)
            await ReadOnly()
            got = [int(getattr(dut, name).value) for name in ("beside", "all_written", "whole_row")]
            known = seen[-1 - ALL_LATENCY]
            all_written = not was_busy or layer.end <= known
            whole = known // TOKENS * TOKENS
            check.equal(got, [layer.beside, all_written, whole % (1 << 16)], f"beside, all written, whole in {layer}")
            assert all_written or whole < layer.end
            if not all_written:
                check.equal(int(dut.ready.value), layer.enough(seen[0]), f"ready with {seen[0]} rows in {layer}")
