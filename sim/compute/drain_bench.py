"""drain: steps of jobs of every kind against the loops written down here; what it waits for is late at times."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.machine import JOB_QUEUE, QUERY_TILES, Left, PassKind
from sim.common.array_passes import GROUPS, SECOND, attention
from sim.common.bench import STALLS, Checker, Dut, backpressure_rate, checked, drive, idle_rate, reset
from sim.common.machine import CONFIG, DRAIN, JOB, LOGIT_ROWS, OUT_PARTS, POST_ROWS, SLOTS, TOKEN_PAR, Pass, score_row
from sim.common.runs import Run

RUNS = [Run("micro"), Run("zcu102")]
LATE = 2.4  # times the rate of idling: sums and scales are later than what is done with them
PASSES = [
    *(
        work
        for group in GROUPS
        for work in group.passes
        if work.kind not in (PassKind.QKV, PassKind.SCORES, PassKind.CONTEXT)
    ),
    Pass(PassKind.QKV, Left.NORM, SECOND, 31, 2, 1, 6 * OUT_PARTS, destination_row=2, destination_vectors=2),
    Pass(PassKind.QKV, Left.NORM, 1, 1, 1, 1, 9 * OUT_PARTS, destination_row=7, destination_vectors=3),
    Pass(PassKind.GELU, Left.NORM, 3, 2, 1, 1, 2 * OUT_PARTS, destination_row=SECOND, destination_vectors=2),
    Pass(PassKind.HEAD, Left.NORM, SECOND, 67, 1, 1, 3),
    *attention(SECOND, 29, 12, 1).passes,
    *attention(SECOND, TOKEN_PAR * 8 + 3, 2, 2).passes,
    *attention(5, TOKEN_PAR * 8 + 3, 1, 1, 5, CONFIG.max_tokens).passes,
]


def jobs_of(passes: list[Pass]) -> list[tuple[Pass, dict[str, int]]]:
    """Jobs as the array makes them, group after group round the ring of sums."""
    slot, jobs = 0, []
    for work in passes:
        for group in work.groups if work.has_jobs else ():
            jobs.append((work, work.job_of(slot, group) | {"members": sums_of(work, group)}))
            slot = work.ring_after(slot)
    return jobs


def sums_of(work: Pass, group: range) -> int:
    """Members of a job: output tiles, or the sums of the gate's one, or of wide tokens."""
    return LOGIT_ROWS if work.kind == PassKind.LOGITS else 2 if work.wide else len(group)


def steps_of(work: Pass, job: dict[str, int]) -> list[dict[str, int]]:
    """Rows by POST_ROWS, aligned unless rows go to scattered places; members of the group in each."""
    scattered = work.kind == PassKind.WEIGHTED
    stride = 1 if scattered else POST_ROWS
    skipped = work.job_of(0, work.groups[0])["output_tile"]
    group = next(group for group in work.groups if group.start == job["output_tile"] - skipped)
    first = work.first_row // stride * stride
    starts = range(first, work.first_row + work.rows, stride)
    steps = []
    for start in starts:
        rows = [0 <= start + row - work.first_row < work.rows for row in range(stride)]
        token_tile = start // TOKEN_PAR - work.first_row // TOKEN_PAR
        for member in range(job["members"]):
            tile = skipped + group.start + (0 if work.kind == PassKind.LOGITS or work.wide else member)
            # A logit's sums go nowhere, those of wide tokens with the last one.
            vector, part = divmod(tile if work.wide else skipped + group.start + member, OUT_PARTS)
            goes = not work.wide or member == 1
            third, vector = divmod(vector, work.destination_vectors) if work.kind == PassKind.QKV else (0, vector)
            steps.append(
                {
                    "rows": sum(valid << row for row, valid in enumerate(rows)) if goes else 0,
                    "kind": work.kind,
                    "lane": start % TOKEN_PAR,
                    "slot": (job["slot"] + member * job["tiles"] + token_tile) % SLOTS,
                    "index": (start - work.first_row) % (1 << 16),
                    "row": (work.destination_row + start - work.first_row) % (1 << 16),
                    "vectors": work.destination_vectors,
                    "vector": work.destination_base + vector,
                    "part": part,
                    "third": third,
                    "expert": work.expert,
                    "tile": tile,
                    "query": score_row(work.block, token_tile % QUERY_TILES),
                    "job_ends": int(start == starts[-1] and member == job["members"] - 1),
                    "pass_ends": int(start == starts[-1] and member == job["members"] - 1 and job["last"]),
                    "first": int(member == 0),
                    "last": int(member == job["members"] - 1),
                }
            )
    return steps


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def jobs(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All passes in any order, their sums ready late, scales late, the head full."""
    await reset(dut, job_valid=0, job_ready=0, head_full=0, scaled_rows=0)
    idle, backpressure = idle_rate(stalls), backpressure_rate(stalls)
    waiting = deque(jobs_of([PASSES[index] for index in [*range(len(PASSES)), *rng.permutation(len(PASSES))]]))
    sent: deque[tuple[Pass, dict[str, int]]] = deque()  # whose sums are not ready yet
    give = False
    ready: deque[dict[str, int]] = deque()  # steps that may come
    freed: deque[int] = deque()
    scales = ready_jobs = 0  # scales given; jobs that are ready and have not been freed
    scale_jobs: deque[int] = deque()  # rows of lanes to be scaled, by pass
    used_scales = 0
    found: list[list[int]] = []
    expected: list[list[int]] = []
    undone = held = 0
    room = False  # as it was when the job's last step was issued
    holds_back = bool(backpressure)  # until the queue is full
    while waiting or sent or ready:
        await drive(dut)
        gave, give = give, bool(waiting) and room and rng.random() >= idle
        dut.job_valid.value = int(give)
        if give:
            work, job = waiting.popleft()
            dut.job.value = work.word | JOB.pack(**job)
            sent.append((work, job))
            undone += 1
            if work.kind == PassKind.CONTEXT and job["output_tile"] == 0:
                scale_jobs.append(work.token_tiles)
        holds_back = holds_back and room and bool(waiting)
        finish = len(sent) > give + gave and not holds_back and rng.random() >= LATE * idle
        dut.job_ready.value = int(finish)
        if finish:
            work, job = sent.popleft()
            of_job = steps_of(work, job)
            ready.extend(of_job)
            freed.append(work.ring_slots)
            ready_jobs += 1
        wanted = not backpressure or bool(ready and ready[0]["kind"] == PassKind.CONTEXT)
        if scale_jobs and wanted and rng.random() >= LATE * backpressure:
            scales += 1
            scale_jobs[0] -= 1
            if not scale_jobs[0]:
                scale_jobs.popleft()
        dut.scaled_rows.value = scales % 256
        full_before = held
        held = int(rng.random() < backpressure)
        dut.head_full.value = held
        await ReadOnly()
        room = bool(int(dut.job_room.value))
        assert room or undone >= JOB_QUEUE - 4, f"no room with {undone} jobs"
        if int(dut.step_valid.value):
            step = DRAIN.unpack(int(dut.step.value))
            assert ready, f"a step before the sums are ready: {step}"
            want = ready.popleft()
            if want["kind"] == PassKind.HEAD:
                assert not full_before, "a step of HEAD while the head is full"
            if want["kind"] == PassKind.CONTEXT:
                tile = want["query"] % 8
                assert tile < scales - used_scales, f"P·V of token tile {tile} before its scale"
                used_scales += (tile + 1) if want["pass_ends"] else 0
            found.append([step[name] for name in want])
            expected.append([int(value) for value in want.values()])
        if int(dut.freed_valid.value):
            check.equal(int(dut.freed_slots.value), freed.popleft(), "slots that are freed")
            undone -= 1
            ready_jobs -= 1
    check.equal(np.array(found), np.array(expected), "steps")
    for _ in range(2):
        await drive(dut)
        dut.job_valid.value = dut.job_ready.value = 0
    await ReadOnly()
    check.equal(int(dut.all_issued.value), 1, "all_issued at the end")
    assert not freed, f"{len(freed)} jobs were not freed"
