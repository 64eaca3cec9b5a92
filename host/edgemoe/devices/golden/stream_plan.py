"""Which segment of the weight stream comes next, where REPEAT has parts of it streamed several times."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.devices.golden.program import MachineFaultError, Part
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import STREAM_LINE, Instruction
from edgemoe.spec.memory import MAX_PARTS


@dataclass
class StreamPlan:
    """Parts in the order of the stream; what comes after the last of them is streamed once.

    next_segment: number that an instruction with segments has to name. started: an instruction other than REPEAT ran.
    """

    stream_lines: int
    parts: list[Part]
    next_segment: int = 0
    started: bool = False
    _part: int = 0
    _passes: int = 0

    def add(self, i: Instruction) -> None:
        """Rule 7 for REPEAT; raises MachineFaultError."""
        first, begin = (self.parts[-1].end, self.parts[-1].end_line) if self.parts else (0, 0)
        end_line = i.address // STREAM_LINE
        if self.started:
            raise MachineFaultError(Fault.ILLEGAL_OPERAND)
        if len(self.parts) == MAX_PARTS:
            raise MachineFaultError(Fault.BUFFER_RANGE)
        if i.segment != first:
            raise MachineFaultError(Fault.SEGMENT_MISMATCH)
        if not begin < end_line <= self.stream_lines:
            raise MachineFaultError(Fault.ADDRESS_RANGE)
        self.parts.append(Part(first, first + i.segments, end_line, i.rows))

    def take(self, i: Instruction) -> None:
        """Rule 7 for all others: their segments are the next ones, and all of one part; raises MachineFaultError."""
        self.started = True
        if not i.segments:
            return
        end = i.segment + i.segments
        part = self.parts[self._part] if self._part < len(self.parts) else None
        if i.segment != self.next_segment or (part and end > part.end):
            raise MachineFaultError(Fault.SEGMENT_MISMATCH)
        self.next_segment = end
        if part and end == part.end:
            self._passes += 1
            if self._passes < part.times:
                self.next_segment = part.first
            else:
                self._part, self._passes = self._part + 1, 0
