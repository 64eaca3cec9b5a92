"""Diff: the first instruction at which two engines differ, with the index and both bit patterns.

Both run a traced program, in which a STORE follows every instruction for each buffer that it wrote, on one frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Manifest, Program, ProgramError
from edgemoe.devices.base import Bytes
from edgemoe.devices.registry import open_device
from edgemoe.frames import read_rows
from edgemoe.session import Session


@dataclass(frozen=True)
class Difference:
    """The first value at which two engines differ.

    instruction: index in the traced program; label: its name. target: the buffer, or the head, that it wrote.
    row, feature: in that record. left, right: the values; bits: width of their patterns. count, size: how many
    values of the record differ, of how many.
    """

    instruction: int
    label: str
    target: str
    row: int
    feature: int
    left: int
    right: int
    bits: int
    count: int
    size: int

    def __str__(self) -> str:
        mask = (1 << self.bits) - 1
        left, right = (f"{value} = 0b{value & mask:0{self.bits}b}" for value in (self.left, self.right))
        return (
            f"instruction {self.instruction} ({self.label}): {self.target}[row {self.row}][feature {self.feature}]: "
            f"{left} against {right}; {self.count:,} of {self.size:,} values of this record differ"
        )


@dataclass(frozen=True)
class Comparison:
    """How a diff ended. values, records: what was compared, up to the first difference."""

    difference: Difference | None
    records: int
    values: int


@dataclass(frozen=True)
class _Record:
    """A stored piece of the output region, and which instruction it belongs to."""

    instruction: int
    label: str
    target: str
    address: int
    rows: int
    features: int
    dtype: str


def compare_engines(program: Program, frame: NDArray[np.uint8], engines: tuple[str, str]) -> Comparison:
    """Run one frame of a traced program on both engines and compare record by record, in program order.

    Raises DeviceError, SessionError; ProgramError for a program without trace.
    """
    if not program.manifest.trace:
        raise ProgramError("this program stores no traces; compile it with trace=True")
    regions = []
    for name in engines:
        with open_device(name, program.manifest.hardware) as device, Session(program, device) as session:
            regions.append(session.run_raw(frame))
    return compare_regions(program, regions[0], regions[1])


def compare_regions(program: Program, left: Bytes, right: Bytes) -> Comparison:
    """Compare two output regions of one traced program."""
    records = values = 0
    for record in sorted(_records(program.manifest), key=lambda each: each.instruction):
        place = record.address, record.rows, record.features, record.dtype
        ours, theirs = read_rows(left, *place), read_rows(right, *place)
        records, values = records + 1, values + ours.size
        wrong = ours != theirs
        if wrong.any():
            return Comparison(_difference(record, ours, theirs, wrong), records, values)
    return Comparison(None, records, values)


def _difference(
    record: _Record,
    ours: NDArray[np.signedinteger],
    theirs: NDArray[np.signedinteger],
    wrong: NDArray[np.bool_],
) -> Difference:
    row, feature = (int(index) for index in np.argwhere(wrong)[0])
    return Difference(
        instruction=record.instruction,
        label=record.label,
        target=record.target,
        row=row,
        feature=feature,
        left=int(ours[row, feature]),
        right=int(theirs[row, feature]),
        bits=8 * ours.dtype.itemsize,
        count=int(wrong.sum()),
        size=wrong.size,
    )


def _records(manifest: Manifest) -> Iterator[_Record]:
    for trace in manifest.trace:
        place = trace.address, trace.rows, trace.features, trace.value_type(manifest.hardware)
        yield _Record(trace.instruction, trace.label, trace.buffer, *place)
    for output in manifest.outputs:
        label = f"head {output.task}"
        parts = [n for n, text in enumerate(manifest.labels) if text == label or text.startswith(f"{label} rows ")]
        index = parts[-1]  # which writes all of it, or its last rows
        yield _Record(index, label, label, output.address, output.rows, output.features, "<i2")
