"""Placing the steps of a schedule: segments in the weight stream, addresses in the output region."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from edgemoe.compiler.program import OutputRecord, RoutingRecord, TraceRecord
from edgemoe.compiler.step import Step
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Instruction, Opcode
from edgemoe.spec.legality import Rows, element_bytes
from edgemoe.spec.memory import Bytes, round_up, row_pitch, segment


@dataclass
class Repeat:
    """A part of the stream that is taken several times. first: its first segment; times: how often it has begun."""

    part: int
    first: int
    times: int = 0
    _taken: int = 0
    end: int = 0

    def take(self, turn: int, count: int) -> int:
        """Number of the next `count` segments of this turn."""
        if turn == self.times:
            self.times, self._taken = turn + 1, 0
        number = self.first + self._taken
        self._taken += count
        self.end = max(self.end, number + count)
        return number


@dataclass
class Placement:
    """Everything that grows while steps are placed."""

    hardware: HardwareConfig
    instructions: list[Instruction] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    segments: list[Bytes] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)
    routing: list[RoutingRecord] = field(default_factory=list)
    trace: list[TraceRecord] = field(default_factory=list)
    output_bytes: int = 0
    repeats: list[Repeat] = field(default_factory=list)
    _addresses: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, label: str, instruction: Instruction) -> None:
        """Append an instruction."""
        self.instructions.append(instruction)
        self.labels.append(label)

    def numbered(self, step: Step) -> Instruction:
        """The step's instruction with its segments, which are appended where they are new."""
        if not step.payloads:
            return step.instruction
        begun = self.repeats[-1] if self.repeats and self.repeats[-1].part == step.part else None
        if step.part and begun is None:
            begun = Repeat(step.part, len(self.segments))
            self.repeats.append(begun)
        number = begun.take(step.turn, len(step.payloads)) if begun else len(self.segments)
        if step.turn == 0:
            for kind, make in step.payloads:
                self.segments.append(segment(len(self.segments), kind, make()))
        return replace(step.instruction, segment=number)

    def rows_at(self, key: tuple[str, int], step: Step, features: int, bytes_each: int) -> tuple[int, int]:
        """(address, address of the whole) for rows of a task that come in one piece or in several."""
        if step.rows_before == 0:
            self._addresses[key] = self.reserve(step.rows_of_all or step.instruction.rows, features, bytes_each)
        whole = self._addresses[key]
        return whole + step.rows_before * row_pitch(features, bytes_each), whole

    def reserve(self, rows: int, features: int, bytes_each: int) -> int:
        """Address of a fresh piece of the output region, aligned to 64 bytes."""
        address = self.output_bytes
        self.output_bytes += round_up(rows * row_pitch(features, bytes_each), 64)
        return address

    def store(self, label: str, what: Rows, address: int | None = None) -> int:
        """Append a STORE of some rows, to a fresh place unless told; returns their address."""
        if address is None:
            address = self.reserve(what.rows, what.features, element_bytes(what.buffer, self.hardware, what.wide))
        instruction = Instruction(
            Opcode.STORE,
            source=what.buffer,
            wide_source=int(what.wide),
            rows=what.rows,
            in_features=what.features,
            source_row=what.first,
            address=address,
        )
        self.add(label, instruction)
        return address

    def declare_repeats(self) -> None:
        """Put REPEAT before all other instructions, for each part up to the last that is streamed several times."""
        ends = np.cumsum([each.size for each in self.segments])
        declared: list[Instruction] = []
        number = 0
        for repeat in self.repeats:
            if repeat.times == 1:
                continue
            for first, end, times in ((number, repeat.first, 1), (repeat.first, repeat.end, repeat.times)):
                if end > first:
                    part = Instruction(Opcode.REPEAT, rows=times, segment=first, segments=end - first)
                    declared.append(replace(part, address=int(ends[end - 1])))
            number = repeat.end
        self.instructions[:0] = declared
        self.labels[:0] = [f"segments {i.segment}…{i.segment + i.segments - 1}" for i in declared]
        self.trace = [replace(each, instruction=each.instruction + len(declared)) for each in self.trace]
