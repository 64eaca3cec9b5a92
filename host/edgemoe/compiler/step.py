"""One step of a schedule: an instruction still without stream and memory positions, and how to make its segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgemoe.compiler.quantised import QuantisedFeedForward
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Instruction
from edgemoe.spec.legality import Rows, writes
from edgemoe.spec.memory import Bytes, SegmentKind, pack_linear

Payload = tuple[SegmentKind, Callable[[], Bytes]]


@dataclass(frozen=True)
class Step:
    """One instruction still without stream and memory positions.

    label: its name. payloads: how to make its segments. queued: rows that EXPERTS updates, which its queues name and no
    field of it does. task, block: of gates and heads. rows_before, rows_of_all: of those, where they take the rows of a
    task part by part, the rows taken before, and how many there are; 0: the instruction's own. part, turn: number of a
    part of the stream that is streamed several times, from 1, and which time it is; payloads count in the first.
    """

    label: str
    instruction: Instruction
    payloads: tuple[Payload, ...] = ()
    queued: tuple[Rows, ...] = ()
    task: str = ""
    block: int = -1
    rows_before: int = 0
    rows_of_all: int = 0
    part: int = 0
    turn: int = 0

    @property
    def writes(self) -> list[Rows]:
        """Which rows it leaves behind."""
        return [*writes(self.instruction), *self.queued]


def pack_expert(expert: QuantisedFeedForward, hardware: HardwareConfig) -> Bytes:
    """Both layers of one expert, one segment."""
    return np.concatenate([pack_linear(expert.up, hardware), pack_linear(expert.down, hardware)])
