"""patch_embed: the position embedding and a frame's patches in their scratchpads, as the weight stream and the input
region hold them."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.isa import STREAM_LINE
from edgemoe.spec.memory import Bytes, pack_position
from sim.common.bench import Checker, Dut, checked, drive, extremes, hardware, idle_rate, reset, send
from sim.common.rows import SHAPES, Banks, until_idle
from sim.common.runs import Run

RUNS = [Run("micro"), Run("micro_w16a16")]
DEPTH = 64


async def record(dut: Dut, residual: Banks, hidden: Banks) -> None:
    """For ever: what the unit writes."""
    while True:
        await drive(dut)
        await ReadOnly()
        if int(dut.residual_enable.value):
            place = int(dut.residual_bank.value), int(dut.residual_depth.value)
            residual.write(*place, int(dut.residual_values.value))
        if int(dut.hidden_enable.value):
            hidden.write(int(dut.hidden_bank.value), int(dut.hidden_depth.value), int(dut.hidden_values.value))


def blocks(data: Bytes, size: int) -> list[int]:
    """Whole blocks of memory as integers, the last one filled with zeros."""
    return [int.from_bytes(data[at : at + size].tobytes(), "little") for at in range(0, data.size, size)]


async def begin(dut: Dut, **starts: int) -> None:
    """One cycle of the starts that are given as 1."""
    await drive(dut)
    for name, value in starts.items():
        getattr(dut, name).value = value
    await drive(dut)
    for name in starts:
        getattr(dut, name).value = 0


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"], together=[False, True])
@checked
async def positions_and_patches(
    dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, together: bool
) -> None:
    """One after the other or side by side; nothing else is written, lines left over are not taken."""
    sizes = hardware()
    residual_bits, idle = sizes.numbers.residual_bits, idle_rate(stalls)
    residual = Banks(sizes.token_par, DEPTH, residual_bits)
    hidden = Banks(sizes.token_par, DEPTH, sizes.numbers.activation_bits)
    await reset(dut, start_positions=0, start_patches=0, line_valid=0, word_valid=0)
    cocotb.start_soon(record(dut, residual, hidden))
    for rows, vectors, first in SHAPES:
        patch_vectors = int(rng.integers(1, 5))
        position = extremes(rng, residual_bits, (rows + 1) * vectors * 16).reshape(rows + 1, -1)
        pixels = rng.integers(0, 256, (rows, patch_vectors * 16)).astype(np.uint8)
        residual.fill(rng)
        hidden.fill(rng)
        expected_residual, expected_hidden = residual.values.copy(), hidden.values.copy()
        lines = [{"line": line} for line in blocks(pack_position(position, sizes), STREAM_LINE)]
        words = [{"word": word} for word in blocks(pixels.reshape(-1), 16)]
        await drive(dut)
        dut.rows.value, dut.destination_row.value = rows, first
        dut.position_vectors.value, dut.patch_vectors.value = vectors, patch_vectors
        await begin(dut, start_positions=1, start_patches=int(together))
        position_lines = cocotb.start_soon(send(dut, lines, rng, idle, "line_valid", "line_ready"))
        if not together:
            await position_lines
            await until_idle(dut, 10)
            await begin(dut, start_patches=1)
        await send(dut, words, rng, idle, "word_valid", "word_ready")
        await position_lines
        await until_idle(dut, 10)
        model = Banks(sizes.token_par, DEPTH, residual_bits)
        model.values = expected_residual
        model.put_rows(first, position)
        check.equal(residual.values, model.values, f"{rows} + 1 rows × {vectors} vectors from row {first}")
        model.values = expected_hidden
        model.put_rows(0, pixels.astype(np.int64) - 128)
        check.equal(hidden.values, model.values, f"{rows} patches × {patch_vectors} vectors")
