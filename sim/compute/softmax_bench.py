"""softmax of one lane: exponentials and row scales against golden, scores and masks of tasks that begin anywhere.

Blocks of rows take turns as they do in ATTENTION: while one is swept, the scores of the next are written. Scores of
keys that are not the task's, in the first and last word of a row, are noise; so are all fields of idle cycles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.spec.machine import QUERY_TILES, SWEEP_LATENCY
from edgemoe_golden.ops.attention import row_scale
from edgemoe_golden.ops.softmax import exponential
from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    drive,
    extremes,
    idle_rate,
    pack,
    reset,
)
from sim.common.machine import CONFIG, IN_PAR, KEY_WORD_BITS, NUMBERS, OUT_PAR, score_row
from sim.common.pipeline import noise
from sim.common.runs import Run

RUNS = [Run("micro"), Run("wide")]
SCORE_BITS, E_BITS = NUMBERS.score_bits, NUMBERS.exponential_bits
TURN = NUMBERS.reciprocal_bits + 8  # cycles from one scale to the next, at most
INT64 = np.int64


@dataclass(frozen=True)
class Block:
    """Rows of one lane; every row has the same keys. members: of each sweep; sweeps: groups of output tiles."""

    rows: int
    first_key: int
    keys: int
    members: int
    sweeps: int
    kind: str = "random"


BLOCKS = [
    Block(1, 0, 1, 1, 1),
    Block(QUERY_TILES, 129, 129, 2, 1),
    Block(3, 0, OUT_PAR, 3, 2, "equal"),
    Block(1, 3, 2 * OUT_PAR, 2, 3, "far"),
    Block(2, OUT_PAR - 1, OUT_PAR + 1, 1, 2, "extremes"),
    Block(5, OUT_PAR + IN_PAR - 1, OUT_PAR - 1, 8, 1, "extremes"),
    Block(7, 2, 13, 1, 1, "far"),
    Block(QUERY_TILES, IN_PAR, CONFIG.max_tokens, 1, 1, "equal"),
]
Beat = dict[str, int]


def scores_of(rng: np.random.Generator, block: Block) -> NDArray[INT64]:
    """Scores [rows, keys]."""
    shape, size = (block.rows, block.keys), block.rows * block.keys
    low, high = -(1 << (SCORE_BITS - 1)), (1 << (SCORE_BITS - 1)) - 1
    if block.kind == "equal":
        return np.broadcast_to(rng.integers(low, high, (block.rows, 1), endpoint=True), shape).copy()
    if block.kind == "extremes":
        return extremes(rng, SCORE_BITS, size, 0.7).reshape(shape)
    if block.kind == "far":  # one key alone is left
        scores = rng.integers(low, low // 2, shape)
        alone = rng.integers(0, block.keys, block.rows)
        scores[np.arange(block.rows), alone] = high - rng.integers(0, 1000, block.rows)
        return scores
    width = 1 << (NUMBERS.score_fraction + 3)
    return rng.integers(-width, width, shape)


def writes(rng: np.random.Generator, block: Block, half: int, scores: NDArray[INT64]) -> Iterator[Beat]:
    """Word after word, row after row in each, as the array drains them."""
    start = block.first_key // OUT_PAR * OUT_PAR
    for word in range((block.first_key + block.keys - 1) // OUT_PAR - block.first_key // OUT_PAR + 1):
        keys = start + word * OUT_PAR + np.arange(OUT_PAR) - block.first_key
        inside = (keys >= 0) & (keys < block.keys)
        for row in range(block.rows):
            values = np.where(inside, scores[row, np.clip(keys, 0, block.keys - 1)], extremes(rng, SCORE_BITS, OUT_PAR))
            yield {
                "write_first": int(word == 0),
                "write_address": score_row(half, row) << KEY_WORD_BITS | word,
                "write_scores": pack(values.tolist(), SCORE_BITS),
                "write_mask": pack(inside.astype(int).tolist(), 1),
            }


def steps(block: Block, half: int, exponentials: NDArray[INT64]) -> Iterator[tuple[Beat, Beat, int]]:
    """What is read, what the step says later, and the exponentials that then leave."""
    first_tile, last_tile = block.first_key // IN_PAR, (block.first_key + block.keys - 1) // IN_PAR
    first_word = block.first_key // OUT_PAR
    for sweep in range(block.sweeps):
        for tile in range(first_tile, last_tile + 1):
            keys = tile * IN_PAR + np.arange(IN_PAR) - block.first_key
            inside = (keys >= 0) & (keys < block.keys)
            for member in range(block.members):
                for row in range(block.rows):
                    query = score_row(half, row)
                    word = tile * IN_PAR // OUT_PAR - first_word
                    read = {
                        "read_address": query << KEY_WORD_BITS | word,
                        "read_part": tile * IN_PAR % OUT_PAR // IN_PAR,
                    }
                    step = {
                        "step_summed": int(member == 0 and sweep == 0),
                        "step_first": int(tile == first_tile),
                        "step_last": int(tile == last_tile),
                        "step_query": query,
                        "step_mask": pack(inside.astype(int).tolist(), 1),
                    }
                    values = np.where(inside, exponentials[row, np.clip(keys, 0, block.keys - 1)], 0)
                    yield read, step, pack(values.tolist(), E_BITS)


def put(dut: Dut, rng: np.random.Generator, names: tuple[str, ...], beat: Beat | None) -> None:
    """A beat, or noise."""
    for name in names:
        signal = getattr(dut, name)
        signal.value = noise(rng, len(signal)) if beat is None else beat[name]


WRITE = ("write_first", "write_address", "write_scores", "write_mask")
READ = ("read_address", "read_part")
STEP = ("step_summed", "step_first", "step_last", "step_query", "step_mask")


async def overlap(
    dut: Dut, check: Checker, rng: np.random.Generator, stalls: str, writing: Iterator[Beat],
    sweeping: Iterator[tuple[Beat, Beat, int]], what: str,
) -> None:  # fmt: skip
    """Writes of one block while another is swept, each with its own pauses; then until the last step has left."""
    pipeline: deque[tuple[Beat, int] | None] = deque([None] * SWEEP_LATENCY)
    write, step = next(writing, None), next(sweeping, None)
    got: list[int] = []
    expected: list[int] = []
    while write or step or any(pipeline):
        await drive(dut)
        written = write if rng.random() >= idle_rate(stalls) else None
        begun = step if rng.random() >= backpressure_rate(stalls) else None
        dut.write_valid.value = int(written is not None)
        put(dut, rng, WRITE, written)
        put(dut, rng, READ, begun[0] if begun else None)
        pipeline.append((begun[1], begun[2]) if begun else None)
        leaving = pipeline.popleft()
        dut.step_valid.value = int(leaving is not None)
        put(dut, rng, STEP, leaving[0] if leaving else None)
        await ReadOnly()
        if leaving:
            got.append(int(dut.exponentials.value))
            expected.append(leaving[1])
        write = next(writing, None) if written else write
        step = next(sweeping, None) if begun else step
    await drive(dut)
    dut.write_valid.value = dut.step_valid.value = 0
    if expected:
        check.equal(np.array(got, dtype=object), np.array(expected, dtype=object), f"exponentials of {what}")


async def scales(
    dut: Dut, check: Checker, rng: np.random.Generator, block: Block, half: int, weights: NDArray[INT64], before: int
) -> None:
    """Waits for the scales of a block's rows and compares them."""
    for _ in range(TURN * block.rows + 12):
        await ReadOnly()
        if (int(dut.scaled_rows.value) - before) % 256 == block.rows:
            break
        await drive(dut)
    check.equal(int(dut.scaled_rows.value), (before + block.rows) % 256, f"rows of {block} that have their scale")
    multiplier, shift = int(dut.output_multiplier.value), int(dut.output_shift.value)
    factors, shifts = row_scale(weights.sum(axis=1), multiplier, shift, NUMBERS)
    found = []
    for row in rng.permutation(block.rows).tolist():
        await drive(dut)
        dut.scale_query.value = score_row(half, row)
        await ReadOnly()
        found.append([row, int(dut.scale_factor.value), int(dut.scale_shift.value)])
    expected = np.stack([np.arange(block.rows), factors, shifts], axis=1)
    check.equal(np.array(sorted(found)), expected, f"scales of {block}, multiplier {multiplier}, shift {shift}")
    await drive(dut)


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def blocks(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Every block once, then again in another order, without a reset."""
    await reset(dut, write_valid=0, step_valid=0, output_multiplier=0, output_shift=0)
    order = [*BLOCKS, *(BLOCKS[index] for index in rng.permutation(len(BLOCKS)))]
    before = 0
    swept: tuple[Block, NDArray[INT64]] | None = None
    for number, block in enumerate([*order, None]):
        scores = scores_of(rng, block) if block else None
        half = number % 2
        writing = writes(rng, block, half, scores) if block and scores is not None else iter(())
        sweeping = steps(swept[0], 1 - half, swept[1]) if swept else iter(())
        await drive(dut)
        dut.output_multiplier.value = int(rng.choice([1, 1 << 15, int(rng.integers(1 << 16)), (1 << 16) - 1]))
        dut.output_shift.value = int(rng.integers(0, 30))
        await overlap(dut, check, rng, stalls, writing, sweeping, f"block {number - 1}: {swept and swept[0]}")
        if swept:
            await scales(dut, check, rng, swept[0], 1 - half, swept[1], before)
            before = (before + swept[0].rows) % 256
        swept = (block, exponential(scores, NUMBERS)) if block and scores is not None else None
