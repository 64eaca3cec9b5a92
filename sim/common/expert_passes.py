"""Fetches and passes of EXPERTS, for the benches of experts_sequence and sequencer."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.machine import Fetch, Left, PassKind
from sim.common.machine import FETCH, IN_PAR, OUT_PAR, Pass


@dataclass(frozen=True)
class Case:
    """One instruction; fault at the header of expert `faulty`."""

    lengths: tuple[int, ...]
    vectors: int
    hidden_vectors: int
    faulty: int | None = None
    fault: Fault = Fault.SEGMENT_MISMATCH
    narrow: int = 0
    wide: int = 0


@dataclass
class Seen:
    """What the sequence did."""

    fetches: list[int] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    gathered: list[int] = field(default_factory=list)
    ran: int = 0
    dropped: int = 0


def expected(case: Case, segment: int, lines: int) -> Seen:
    """Expert by expert; gathering runs ahead, so that after a fault it may have gone further."""
    seen = Seen()
    inner, outer = case.hidden_vectors * VECTOR, case.vectors * VECTOR
    for expert, length in enumerate(case.lengths):
        # What a command does not use is as in the others; only the kind, number and count of headers have a meaning.
        seen.fetches.append(FETCH.pack(kind=Fetch.HEADER, number=segment + expert, count=lines))
        if expert == case.faulty:
            break
        if not length:
            seen.fetches.append(FETCH.pack(kind=Fetch.SKIP, count=lines))
            seen.dropped += 1
            continue
        seen.ran += 1
        seen.gathered.append(expert)
        for inputs, outputs, kind, left in (
            (outer, inner, PassKind.GELU, Left.GATHERED_WIDE if case.wide else Left.GATHERED),
            (inner, outer, PassKind.WEIGHTED, Left.HIDDEN),
        ):
            tiles = {"output_tiles": outputs // OUT_PAR, "input_tiles": inputs // IN_PAR, "members": 1}
            seen.fetches.append(FETCH.pack(kind=Fetch.WEIGHTS, channels=1, narrow=case.narrow, **tiles))
            work = Pass(kind, left, 0, length, inputs // VECTOR, destination_vectors=outputs // VECTOR,
                        after_drain=int(kind == PassKind.WEIGHTED), expert=expert,
                        wide=int(case.wide and kind == PassKind.GELU), **tiles)  # fmt: skip
            seen.passes.append(work.word)
    return seen
