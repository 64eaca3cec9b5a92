"""experts_sequence: headers, skips, weights, passes and gathering of EXPERTS, in order and not too early.

Here the bench answers headers, issues passes and gathers, each after a random time.
"""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.faults import Fault
from edgemoe.spec.machine import Fetch, Left
from sim.common.bench import Checker, Dut, backpressure_rate, checked, drive, idle_rate, pack, reset
from sim.common.expert_passes import Case, Seen, expected
from sim.common.machine import CONFIG, FETCH, PASS, TOKEN_PAR
from sim.common.runs import Run

RUNS = [Run()]
# A pass's last operands are read so many cycles after its last step was issued: 1 to leave, 5 to the read in lane 0,
# TOKEN_PAR − 1 to the last lane; what is written later is not read any more.
STILL_READING = 6 + TOKEN_PAR - 1


CASES = [
    Case((1,), 1, 1),
    Case((0,), 2, 3),
    Case((3, 0, 129, 1), 12, 6),
    Case((0, 0, 5, 0, 0), 2, 2),
    Case((4, 4, 4), 1, 2, faulty=1),
    Case((2, 0, 9), 3, 1, narrow=1),
    Case((0, 5, 1), 2, 2, wide=1),
    Case((2, 0), 1, 1, faulty=0, fault=Fault.STREAM_END),
    Case((1, 2, 3, 0, 5, 6, 7, 8, 0, 0, 11, 12, 13, 14, 15, 16)[: CONFIG.max_experts], 3, 2),
]


def meaning(command: int) -> list[int]:
    """The fields of a command that its kind uses."""
    fields = FETCH.unpack(command)
    used = {
        Fetch.HEADER: ("number", "count"),
        Fetch.SKIP: ("count",),
        Fetch.WEIGHTS: ("output_tiles", "input_tiles", "channels", "members", "narrow"),
    }[Fetch(fields["kind"])]
    return [fields["kind"], *(fields[name] if name in used else 0 for name in fields if name != "kind")]


async def run(dut: Dut, check: Checker, rng: np.random.Generator, case: Case, stalls: str) -> None:
    """One instruction."""
    segment, lines = int(rng.integers(1 << 31)), int(rng.integers(1, 1 << 20))
    await drive(dut)
    dut.experts.value = len(case.lengths)
    dut.vectors.value, dut.hidden_vectors.value, dut.narrow.value = case.vectors, case.hidden_vectors, case.narrow
    dut.wide.value = case.wide
    dut.segment.value, dut.expert_lines.value, dut.lengths.value = segment, lines, pack(case.lengths, 16)
    dut.start.value = 1
    await drive(dut)
    dut.start.value = 0
    seen, want = Seen(), expected(case, segment, lines)
    headers = 0
    header_due = gather_end = gather_begun = up_issued = -1
    issues: deque[tuple[int, bool]] = deque()  # when a pass is issued, and whether it reads GATHERED
    slow = 30 if idle_rate(stalls) else 3
    for cycle in range(100_000):
        dut.fetch_room.value = int(rng.random() >= backpressure_rate(stalls))
        dut.pass_room.value = int(rng.random() >= backpressure_rate(stalls))
        dut.header_done.value = int(cycle == header_due)
        faulty = cycle == header_due and headers - 1 == case.faulty
        dut.header_fault.value = int(case.fault) if faulty else 0 if cycle == header_due else int(rng.integers(32))
        dut.gather_busy.value = int(gather_begun < cycle <= gather_end)
        issued = bool(issues) and issues[0][0] <= cycle
        dut.pass_issued.value = int(issued)
        if issued and issues.popleft()[1]:
            up_issued = cycle
        await ReadOnly()
        if not int(dut.busy.value):
            break
        seen.ran += int(dut.ran.value)
        seen.dropped += int(dut.dropped.value)
        if int(dut.fetch_push.value):
            seen.fetches.append(int(dut.fetch.value))
            if seen.fetches[-1] & 7 == Fetch.HEADER:
                headers, header_due = headers + 1, cycle + 4 + int(rng.integers(slow))
        if int(dut.pass_push.value):
            seen.passes.append(int(getattr(dut, "pass").value))
            of_gathered = PASS.unpack(seen.passes[-1])["left"] in (Left.GATHERED, Left.GATHERED_WIDE)
            assert not of_gathered or (gather_begun >= 0 and cycle > gather_end), f"{case}: a pass before its tokens"
            after = max([cycle, *(due for due, _ in issues)])
            issues.append((after + 3 + int(rng.integers(slow)), of_gathered))
        if int(dut.start_gather.value):
            ups = sum(PASS.unpack(word)["left"] in (Left.GATHERED, Left.GATHERED_WIDE) for word in seen.passes)
            assert ups == len(seen.gathered), f"{case}: tokens are gathered over those of an expert that waits"
            assert not any(reads for _, reads in issues), f"{case}: tokens are gathered while they are read"
            assert up_issued < 0 or cycle > up_issued + STILL_READING, f"{case}: gathered too early"
            seen.gathered.append(int(dut.gather_expert.value))
            gather_begun, gather_end = cycle, cycle + 2 + int(rng.integers(slow))
        await drive(dut)
    ahead = len(want.gathered) + (case.faulty is not None)
    tokens = [expert for expert, length in enumerate(case.lengths) if length]
    for what, fields in (("fetches", meaning), ("passes", PASS.values)):
        found, wanted = ([fields(word) for word in getattr(some, what)] for some in (seen, want))
        check.equal(found, wanted, f"{what} of {case}")
    assert len(want.gathered) <= len(seen.gathered) <= ahead, f"{case}: gathered {seen.gathered}"
    check.equal(seen.gathered, tokens[: len(seen.gathered)], f"gathered experts of {case}")
    fault = 0 if case.faulty is None else int(case.fault)
    check.equal([seen.ran, seen.dropped, int(dut.fault.value)], [want.ran, want.dropped, fault], f"end of {case}")
    await drive(dut)
    for name in ("header_done", "pass_issued", "gather_busy"):
        getattr(dut, name).value = 0


@cocotb.test()
@cocotb.parametrize(stalls=["none", "idle", "backpressure", "both"])
@checked
async def sequences(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All cases twice, in any order, without a reset."""
    await reset(dut, start=0, header_done=0, pass_issued=0, gather_busy=0, fetch_room=0, pass_room=0)
    for index in [*range(len(CASES)), *rng.permutation(len(CASES)).tolist()]:
        await run(dut, check, rng, CASES[index], stalls)
