"""gate: whole instructions against golden, logits arriving as the array drains them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from numpy.typing import NDArray

from edgemoe.spec.machine import Sizes
from edgemoe.spec.precision import GATE_LOGIT_BITS, SCORE_BITS
from edgemoe_golden.ops.gate import top_k_experts
from edgemoe_golden.ops.requantise import requantise
from edgemoe_golden.ops.softmax import fine_exponential
from sim.common.bench import Checker, Dut, checked, drive, extremes, hardware, idle_rate, pack, reset, unpack
from sim.common.runs import Run

# zcu102 drains two rows a cycle.
RUNS = [
    Run("micro"),
    Run("micro_w16a16"),
    Run("zcu102"),
    Run("pynq_z2"),
    Run("gate_forms"),
    Run("gate_forms_fine", slow=True),
]
CONFIG = hardware()
SIZES = Sizes(CONFIG)
OUT_PAR, POST_ROWS, LOGIT_BITS = CONFIG.out_par, SIZES.post_rows, SIZES.logit_bits
LATENCY_LIMIT = 60  # cycles from the last logits to not busy, where rows come slower than they are worked on
INT64 = np.int64


@dataclass(frozen=True)
class Case:
    """One instruction; `kind` says what its logits are like. renormalise: scores are of the chosen experts alone."""

    kind: str
    rows: int
    experts: int
    top_k: int
    renormalise: bool = False


KINDS = ("random", "ties", "extremes", "one expert", "close")
CASES = [
    Case("random", 129, 16, 4),
    Case("random", 1, 1, 1),
    Case("ties", 9, 3, 3),
    Case("extremes", 7, 3, 1),
    Case("ties", 33, 16, 4),
    Case("one expert", 31, 16, 1),
    Case("extremes", 40, 16, 4),
    Case("close", 17, 16, 2),
    Case("random", 5, 9, 3),
    Case("close", 3, 8, 4),
]
CASES = [replace(case, top_k=min(case.top_k, CONFIG.max_top_k)) for case in CASES]


def logits_of(rng: np.random.Generator, case: Case) -> NDArray[INT64]:
    """Logits [rows, experts], up to what the array can give."""
    shape, size = (case.rows, case.experts), case.rows * case.experts
    if case.kind == "ties":
        return rng.integers(-1, 2, shape) * (1 << 20)
    if case.kind == "one expert":
        logits = rng.integers(-(1 << 30), 1 << 30, shape)
        logits[:, case.experts // 2] += 1 << 34
        return logits
    if case.kind == "close":
        return (1 << 33) + rng.integers(-2000, 2000, shape)
    largest = 46 if CONFIG.numbers.fine else LOGIT_BITS
    return extremes(rng, largest if case.kind == "extremes" else 32, size).reshape(shape)


def golden_gate(logits: NDArray[INT64], case: Case, multiplier: int, shift: int) -> NDArray[INT64]:
    """[rows, top_k, 2]: expert and score, as edgemoe_golden.ops.gate has them, from logits."""
    chosen = top_k_experts(logits, case.top_k)
    weights = fine_exponential(requantise(logits, multiplier, shift, GATE_LOGIT_BITS))
    of_chosen = np.take_along_axis(weights, chosen, axis=1)
    total = (of_chosen if case.renormalise else weights).sum(axis=1, keepdims=True)
    scores = (of_chosen << SCORE_BITS) // total
    return np.stack([chosen, np.minimum(scores, (1 << SCORE_BITS) - 1)], axis=2)


async def send_logits(dut: Dut, logits: NDArray[INT64], offset: int, rng: np.random.Generator, idle: float) -> None:
    """Tile after tile, up to POST_ROWS rows a cycle, row r in lane (offset + r) mod POST_ROWS."""
    rows, experts = logits.shape
    for tile in range(-(-experts // OUT_PAR)):
        words = [pack(row[tile * OUT_PAR : (tile + 1) * OUT_PAR], LOGIT_BITS) for row in logits.tolist()]
        for _, group in groupby(range(rows), lambda row: (offset + row) // POST_ROWS):
            while rng.random() < idle:
                dut.logits_valid.value = 0
                await drive(dut)
            lanes = {(offset + row) % POST_ROWS: row for row in group}
            dut.logits_valid.value = sum(1 << lane for lane in lanes)
            dut.logits_row.value = pack((lanes.get(lane, 0) for lane in range(POST_ROWS)), 16)
            dut.logits_tile.value = tile
            noise = int(rng.integers(1 << 40))
            dut.logits.value = pack(
                (words[lanes[lane]] if lane in lanes else noise for lane in range(POST_ROWS)), OUT_PAR * LOGIT_BITS
            )
            await drive(dut)
    dut.logits_valid.value = 0


async def run(dut: Dut, check: Checker, rng: np.random.Generator, case: Case, idle: float) -> None:
    """One instruction from start to not busy: pushes in order, and ROUTING."""
    logits = logits_of(rng, case)
    source, destination = (int(row) for row in rng.integers(0, CONFIG.max_rows - case.rows, 2, endpoint=True))
    multiplier, shift = int(rng.integers(1 << 15, 1 << 16)), int(rng.choice([0, 20, 28, 30, 33, 35, 60]))
    fields = {
        "rows": case.rows, "source_row": source, "destination_row": destination, "experts": case.experts,
        "top_k": case.top_k, "multiplier": multiplier, "shift": shift, "renormalise": int(case.renormalise),
    }  # fmt: skip
    await drive(dut)
    for name, value in fields.items():
        getattr(dut, name).value = value
    dut.start.value = 1
    await drive(dut)
    dut.start.value = 0
    offset = int(rng.integers(POST_ROWS))
    sending = cocotb.start_soon(send_logits(dut, logits, offset, rng, idle))
    pushes: list[list[int]] = []
    routing: list[Any] = []
    names = ("push_expert", "push_source", "push_destination", "push_score")
    busy_cycles = 0
    while True:
        await ReadOnly()
        if not int(dut.busy.value):
            break
        busy_cycles += 1
        if int(dut.push_valid.value):
            pushes.append([int(getattr(dut, name).value) for name in names])
        if int(dut.routing_valid.value):
            words = unpack(int(dut.routing_entries.value), CONFIG.max_top_k, 32, signed=False)
            routing.append([int(dut.routing_row.value), *words])
        await drive(dut)
    assert sending.done(), f"{case}: not busy before the last logits"
    if not idle:
        tiles = -(-case.experts // OUT_PAR)
        limit = tiles * -(-(offset + case.rows) // POST_ROWS) + SIZES.gate_cycles * case.rows + LATENCY_LIMIT
        assert busy_cycles <= limit, f"{case}: {busy_cycles} cycles, more than {limit}"
    golden = golden_gate(logits, case, multiplier, shift)
    rows = np.arange(case.rows)[:, None].repeat(case.top_k, axis=1)
    expected = np.stack([golden[..., 0], source + rows, destination + rows, golden[..., 1]], axis=2)
    what = f"{case}, multiplier {multiplier}, shift {shift}"
    check.equal(np.array(pushes), expected.reshape(-1, 4), f"pushes of {what}")
    entries = np.zeros((case.rows, 1 + CONFIG.max_top_k), dtype=INT64)
    entries[:, 0] = destination + rows[:, 0]
    entries[:, 1 : 1 + case.top_k] = golden[..., 0] | golden[..., 1] << 16
    check.equal(np.array(routing), entries, f"ROUTING of {what}")
    dut._log.info("%s: %d cycles", case, busy_cycles)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle"])
@checked
async def instructions(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Instructions one after the other, without a reset between them, the last ones of any kind and size."""
    await reset(dut, start=0, logits_valid=0)
    drawn = []
    for _ in range(8):
        experts = int(rng.integers(1, CONFIG.max_experts, endpoint=True))
        top_k = int(rng.integers(1, min(experts, CONFIG.max_top_k), endpoint=True))
        drawn.append(Case(str(rng.choice(KINDS)), int(rng.integers(1, 40)), experts, top_k))
    if CONFIG.gate_forms:
        drawn += [replace(case, renormalise=True) for case in CASES + drawn]
    for case in CASES + drawn:
        await run(dut, check, rng, case, idle_rate(stalls))
