"""matmul with its queue of tiles, matmul_steps and matmul_lane: passes of every kind against integer products.

Here the bench is the stream of right tiles (late at times), the scratchpads, and the drain (slow at times): it frees
the ring of sums, writes scores, and writes HIDDEN group by group while the next pass is about to read it. Compared are
all sums of all rows of a pass, drain jobs, scales of softmax, and how many steps and passes were issued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.machine import TILE_QUEUE, Left, PassKind
from edgemoe.spec.precision import WIDE_LIMIT
from edgemoe_golden.ops.attention import row_scale
from edgemoe_golden.ops.softmax import exponential
from sim.common.array_passes import GROUPS, Group
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, extremes, idle_rate, pack, reset, unpack
from sim.common.machine import (
    CONFIG,
    FACTOR_BITS,
    IN_PAR,
    JOB,
    KEY_WORD_BITS,
    LOGIT_ROWS,
    NUMBERS,
    OUT_PAR,
    PASS,
    POST_ROWS,
    SLOTS,
    TOKEN_PAR,
    IntArray,
    Pass,
    score_row,
    split_digits,
)
from sim.common.pipeline import noise
from sim.common.rows import Banks, each_cycle
from sim.common.runs import Run

RUNS = [Run("micro"), Run("wide", slow=True), Run("wide_tokens", slow=True), Run("wide_tokens_pairs", slow=True)]
BITS, SCORE_BITS, ACC_BITS = NUMBERS.activation_bits, NUMBERS.score_bits, NUMBERS.accumulator_bits
DEPTH = 2 * (CONFIG.max_rows // TOKEN_PAR + 1)
GATHERED = Left.GATHERED_WIDE if CONFIG.wide_tokens else Left.GATHERED
BUFFERS = {"norm": Left.NORM, "hidden": Left.HIDDEN, "gate_input": Left.GATE_INPUT, "query": Left.QUERY,
           "gathered": GATHERED}  # fmt: skip
WIDE_BUFFERS = ("gate_input", "gathered") if CONFIG.wide_tokens else ("gate_input",)
# Around a full ring of sums: a group that just fits, of this pass and of the next; one of which a row does not.
EIGHTH = Pass(PassKind.HEAD, Left.NORM, 0, SLOTS // 8 * TOKEN_PAR, 1, 1, 9)
ONE = Pass(PassKind.HEAD, Left.NORM, 0, 1, 1, 1, 1)
RING = [
    Group([EIGHTH], fills=True),
    Group([replace(EIGHTH, output_tiles=7), replace(EIGHTH, output_tiles=1), ONE], fills=True),
    Group([ONE, replace(EIGHTH, output_tiles=8)], fills=True),
    Group([ONE, replace(EIGHTH, output_tiles=7), replace(EIGHTH, output_tiles=1)], fills=True),
]
COMING = 8  # cycles within which a tile has to follow tile_coming
SCORES_SETTLE = 7  # cycles from a score's write to scores_done, as in linear


class Bench:
    """What surrounds the array; every attribute with a clock in it is a coroutine for the whole test."""

    def __init__(self, dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
        self.dut, self.check, self.rng = dut, check, rng
        self.idle, self.backpressure = idle_rate(stalls), backpressure_rate(stalls)
        self.banks = {name: Banks(TOKEN_PAR, DEPTH, 16 if name in WIDE_BUFFERS else BITS) for name in BUFFERS}
        self.packed: dict[str, list[list[int]]] = {}
        for name in BUFFERS:
            self.fill(name)
        self.tiles: deque[int] = deque()
        self.right: dict[
            int, list[IntArray]
        ] = {}  # right operands [outputs, inputs] of the groups of a pass, by number
        self.room = TILE_QUEUE
        self.jobs: deque[dict[str, int]] = deque()
        self.ready = self.drained = self.steps = self.issued = self.scaled = 0
        self.written = 0  # jobs that are done, and of which job_written does not know
        self.slot = self.scores_done = self.contexts_done = 0
        self.scores: dict[int, IntArray] = {}  # of a block, while its P·V is to come
        self.passes: list[Pass] = []
        self.group = GROUPS[0]
        self.held = -1  # number of the pass whose drain waits until the ring is full

    def fill(self, name: str) -> None:
        """Any operands."""
        banks = self.banks[name]
        values = extremes(self.rng, banks.bits, banks.values.size).reshape(banks.values.shape)
        gate = name in WIDE_BUFFERS and not NUMBERS.fine
        banks.values = np.clip(values, -WIDE_LIMIT, WIDE_LIMIT) if gate else values
        self.packed[name] = [[pack(vector, banks.bits) for vector in bank] for bank in banks.values.tolist()]

    async def operands(self) -> None:
        """Scratchpads of every bank, 2 cycles after the depth."""
        dut = self.dut

        def respond(depths: int) -> None:
            for name, packed in self.packed.items():
                width, word = VECTOR * self.banks[name].bits, 0
                for lane in range(TOKEN_PAR):
                    depth = depths >> 16 * lane & 0xFFFF
                    if depth < DEPTH:
                        word |= packed[lane][depth] << lane * width
                getattr(dut, name).value = word

        await each_cycle(dut, 2, lambda: int(dut.read_depth.value), respond)

    def make_tiles(self, number: int, work: Pass) -> None:
        """Right operands of a pass, and its tiles in their order."""
        gate = work.kind == PassKind.LOGITS
        two = gate and not NUMBERS.fine
        self.right[number] = []
        for group in work.groups:
            shape = (work.input_tiles, len(group), OUT_PAR, IN_PAR)
            values = extremes(self.rng, 16 if gate else BITS, int(np.prod(shape))).reshape(shape)
            values = np.clip(values, -WIDE_LIMIT, WIDE_LIMIT) if two else values
            for tile in values.reshape(-1, OUT_PAR * IN_PAR):
                for digits in split_digits(tile) if two else (tile,):
                    self.tiles.append(pack(digits.tolist(), BITS))
            self.right[number].append(values.transpose(1, 2, 0, 3).reshape(len(group), OUT_PAR, -1))

    async def stream(self) -> None:
        """Tiles, as many as the queue has room for, as late after tile_coming as they may be."""
        dut = self.dut
        coming: deque[int | None] = deque([None] * int(self.rng.integers(COMING + 1) if self.idle else COMING))
        while True:
            await drive(dut)
            dut.job_written.value = int(self.written > 0)
            self.written -= self.written > 0
            comes = bool(self.tiles) and self.room > 0 and self.rng.random() >= self.idle
            dut.tile_coming.value = int(comes)
            coming.append(self.tiles.popleft() if comes else None)
            tile = coming.popleft()
            dut.tile_push.value = int(tile is not None)
            dut.tile.value = noise(self.rng, len(dut.tile)) if tile is None else tile
            await ReadOnly()
            self.room += int(dut.tile_done.value) - comes
            assert self.room <= TILE_QUEUE, "tile_done without a tile"
            self.steps += int(dut.step_issued.value)
            self.issued += int(dut.pass_issued.value)
            assert not (int(dut.waits_for_tile.value) and int(dut.waits_for_room.value)), "waits for two things"
            if int(dut.job_valid.value):
                self.jobs.append(JOB.unpack(int(dut.job.value)) | {"pass": int(dut.job.value) % (1 << PASS.bits)})
            self.ready += int(dut.job_ready.value)

    def left(self, work: Pass) -> IntArray:
        """Left operands [rows, inputs]."""
        if work.left == Left.EXPONENTIALS:
            weights = exponential(self.scores[work.block], NUMBERS)
            start = self.group.first_key % IN_PAR
            skipped = (work.first_key // IN_PAR - self.group.first_key // IN_PAR) * IN_PAR
            padded = np.zeros((work.rows, skipped + work.input_tiles * IN_PAR), dtype=np.int64)
            shown = padded[:, start : start + self.group.keys]
            shown[:] = weights[:, : shown.shape[1]]
            return padded[:, skipped:]
        if work.left == Left.GATHERED:
            rows = self.narrow_gathered(work)
        else:
            name = next(name for name, left in BUFFERS.items() if left == work.left)
            rows = self.banks[name].rows(work.first_row, work.rows, work.left_vectors)
        return rows[:, work.left_base * VECTOR :][:, : work.input_tiles * IN_PAR]

    def narrow_gathered(self, work: Pass) -> IntArray:
        """Tokens of activation_bits; where wide ones have room, they stand in the lower half of a vector."""
        rows = self.banks["gathered"].rows(work.first_row, work.rows, work.left_vectors)
        if not CONFIG.wide_tokens:
            return rows
        halves = rows.astype("<i2").view(np.int8).reshape(len(rows), -1, 2 * VECTOR)[:, :, :VECTOR]
        return halves.reshape(len(rows), -1).astype(np.int64)

    def sums(self, work: Pass, right: IntArray) -> IntArray:
        """Sums [rows, members, OUT_PAR] of one group; right: [output tiles, OUT_PAR, inputs]."""
        left = self.left(work)
        if work.wide:
            return np.stack([digits @ right[0].T for digits in split_digits(left)], axis=1)
        if work.kind != PassKind.LOGITS or LOGIT_ROWS == 1:
            every: IntArray = np.einsum("ri,moi->rmo", left, right)
            return every
        (high, low), (right_high, right_low) = split_digits(left), split_digits(right[0].T)
        return np.stack([high @ right_high, high @ right_low + low @ right_high, low @ right_low], axis=1)

    def write_hidden(self, work: Pass, output_tile: int, vectors: int) -> None:
        """Results of one group of GELU, where the next pass reads them."""
        banks, first = self.banks["hidden"], output_tile * OUT_PAR
        for row in range(work.rows):
            bank, depth = banks.place(work.destination_row + row, vectors, first // VECTOR)
            banks.values[bank, depth, first % VECTOR :][:OUT_PAR] = extremes(self.rng, BITS, OUT_PAR)
            self.packed["hidden"][bank][depth] = banks.packed(bank, depth)

    async def cycle(self) -> None:
        """To the next cycle of the drain; it stands still at times."""
        while True:
            await drive(self.dut)
            self.dut.score_write.value = self.dut.freed_valid.value = 0
            self.dut.job_room.value = int(len(self.jobs) < 30 and self.rng.random() >= self.backpressure)
            if self.rng.random() >= self.backpressure:
                return

    async def drain(self) -> None:
        """Jobs of all passes in their order."""
        number = 0
        while True:
            await self.cycle()
            if self.drained == self.ready:
                continue
            if number == self.held:
                await self.until_full()
            while not self.passes[number].has_jobs:
                number += 1
            work = self.passes[number]
            job = self.jobs[0]
            await self.drain_job(number, work, job)
            self.drained += 1
            if work.kind == PassKind.GELU:
                self.write_hidden(work, job["output_tile"], self.passes[number + 1].left_vectors)
            number += job["output_tile"] == work.job_of(0, work.groups[-1])["output_tile"]
            self.jobs.popleft()
            self.written += 1

    async def until_full(self) -> None:
        """The array has stood still for want of room for longer than any group takes."""
        self.held, still = -1, 0
        sizes = [work.ring_slots for work in self.passes if work.has_jobs for _ in work.groups]
        while still < 4 * max(work.token_tiles for work in self.passes):
            await self.cycle()
            await ReadOnly()
            still = still + 1 if int(self.dut.waits_for_room.value) else 0
            used = sum(sizes[self.drained : self.drained + len(self.jobs)])
            assert used <= SLOTS, f"{used} of {SLOTS} slots are used"
        following = sizes[self.drained + len(self.jobs)]
        assert used + following > SLOTS, f"{following} slots are not given, though only {used} of {SLOTS} are used"

    async def drain_job(self, number: int, work: Pass, job: dict[str, int]) -> None:
        """Sums of one group of output tiles."""
        dut, tiles = self.dut, work.token_tiles
        groups = [work.job_of(self.slot, group) for group in work.groups]
        group = next(n for n, each in enumerate(groups) if each["output_tile"] == job["output_tile"])
        what = f"pass {number}, {work}, group {group}"
        expected = self.sums(work, self.right[number][group])
        before = number
        while self.passes[before].goes_on and work.kind == PassKind.CONTEXT:
            before = next(n for n in reversed(range(before)) if self.passes[n].kind == PassKind.CONTEXT)
            expected = expected + self.sums(self.passes[before], self.right[before][group])
        members = expected.shape[1]
        wanted = groups[group] | {"pass": work.word, "members": members}
        self.check.equal([job[name] for name in wanted], list(wanted.values()), f"job of {what}")
        if work.kind == PassKind.CONTEXT and group == 0:
            await self.scales(work, what)
        found = np.zeros_like(expected)
        for tile in range(tiles):
            for member in range(members):
                await self.cycle()
                dut.drain_slot.value = (job["slot"] + member * tiles + tile) % SLOTS
                await ReadOnly()
                sums = int(dut.drain_sums.value)
                for lane, row in work.lanes_of(tile):
                    found[row, member] = unpack(sums >> lane * OUT_PAR * ACC_BITS, OUT_PAR, ACC_BITS)
        self.check.equal(found, expected, f"sums of {what}")
        if work.kind == PassKind.SCORES:
            await self.write_scores(work, job["output_tile"])
        await self.cycle()
        dut.freed_valid.value, dut.freed_slots.value = 1, work.ring_slots
        self.slot = work.ring_after(self.slot)
        if job["last"]:
            cocotb.start_soon(self.finished(work))

    async def finished(self, work: Pass) -> None:
        """Counts scores and contexts that are done, as late as linear does."""
        for _ in range(SCORES_SETTLE):
            await drive(self.dut)
        self.scores_done += work.kind == PassKind.SCORES
        self.contexts_done += work.kind == PassKind.CONTEXT
        self.dut.scores_done.value = self.scores_done % 256
        self.dut.contexts_done.value = self.contexts_done % 256

    async def write_scores(self, work: Pass, word: int) -> None:
        """Scores of one tile of keys, which have nothing to do with the sums; keys of others are noise."""
        dut, group = self.dut, self.group
        if word == 0:
            width = 1 << (NUMBERS.score_fraction + 3)
            self.scores[work.block] = self.rng.integers(-width, width, (work.rows, group.keys))
        keys = (group.first_key // OUT_PAR + word) * OUT_PAR + np.arange(OUT_PAR) - group.first_key
        inside = (keys >= 0) & (keys < group.keys)
        for tile in range(work.token_tiles):
            for lane, row in work.lanes_of(tile):
                await self.cycle()
                scores = self.scores[work.block][row, np.clip(keys, 0, group.keys - 1)]
                values = np.where(inside, scores, extremes(self.rng, SCORE_BITS, OUT_PAR))
                dut.score_write.value, dut.score_first.value = 1 << lane, int(word == 0)
                dut.score_address.value = score_row(work.block, tile) << KEY_WORD_BITS | word
                shift = lane % POST_ROWS * OUT_PAR * SCORE_BITS
                dut.scores.value = pack(values.tolist(), SCORE_BITS) << shift
                dut.score_mask.value = pack(inside.astype(int).tolist(), 1)

    async def scales(self, work: Pass, what: str) -> None:
        """Waits until every row of the pass has its scale, then compares them."""
        self.scaled += work.token_tiles
        while 0 < (self.scaled - int(self.dut.scaled_rows.value)) % 256 < 128:
            await self.cycle()
        multiplier, shift = int(self.dut.output_multiplier.value), int(self.dut.output_shift.value)
        totals = exponential(self.scores[work.block], NUMBERS).sum(axis=1)
        factors, shifts = row_scale(totals, multiplier, shift, NUMBERS)
        found = np.zeros((work.rows, 2), dtype=np.int64)
        for tile in range(work.token_tiles):
            await self.cycle()
            self.dut.scale_query.value = score_row(work.block, tile)
            await ReadOnly()
            for lane, row in work.lanes_of(tile):
                factor = int(self.dut.scale_factors.value) >> lane * FACTOR_BITS
                found[row] = factor % (1 << FACTOR_BITS), int(self.dut.scale_shifts.value) >> 6 * lane & 63
        self.check.equal(found, np.stack([factors, shifts], axis=1), f"scales of {what}")

    def begin(self, group: Group) -> Iterator[Pass]:
        """One instruction's passes with their tiles."""
        self.group = group
        self.held = len(self.passes) if group.fills else -1
        for work in group.passes:
            self.make_tiles(len(self.passes), work)
            self.passes.append(work)
            yield work


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def passes(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All groups, one after the other without a reset, the small ones twice."""
    await reset(dut, pass_valid=0, tile_coming=0, tile_push=0, job_room=0, freed_valid=0, freed_slots=0, job_written=0,
                scores_done=0, contexts_done=0, score_write=0, drain_slot=0, scale_query=0)  # fmt: skip
    bench = Bench(dut, check, rng, stalls)
    for coroutine in (bench.operands, bench.stream, bench.drain):
        cocotb.start_soon(coroutine())
    steps = 0
    for group in [*GROUPS, *RING, *(group for group in GROUPS[::-1] if group.keys < CONFIG.max_tokens)]:
        await drive(dut)
        dut.first_key.value, dut.end_key.value = group.first_key, group.first_key + group.keys
        dut.output_multiplier.value, dut.output_shift.value = int(rng.integers(1 << 16)), int(rng.integers(0, 20))
        for work in list(bench.begin(group)):
            dut.pass_valid.value = 1
            getattr(dut, "pass").value = work.word
            await ReadOnly()
            while not int(dut.pass_ready.value):
                await drive(dut)
                await ReadOnly()
            await drive(dut)
            dut.pass_valid.value = 0
            digits = 4 if work.kind == PassKind.LOGITS and not NUMBERS.fine else 2 if work.wide else 1
            steps += work.input_tiles * work.output_tiles * work.token_tiles * digits
        while int(dut.busy.value) or bench.jobs or bench.issued < len(bench.passes):
            await drive(dut)
        for _ in range(SCORES_SETTLE + 2):
            await drive(dut)
        check.equal([bench.steps, bench.issued], [steps, len(bench.passes)], f"steps and passes issued after {group}")
