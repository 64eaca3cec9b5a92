"""Control: registers in words, with no more accesses than needed."""

from __future__ import annotations

import pytest

from edgemoe.control import Control
from edgemoe.spec.faults import Fault
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, COUNTERS, OFFSETS


class Registers:
    """A register file that counts its reads and lists its writes."""

    def __init__(self, **values: int) -> None:
        self.values = {}
        for name, value in values.items():
            self.values[OFFSETS[name]] = value & 0xFFFFFFFF
            self.values[OFFSETS[name] + 4] = value >> 32
        self.reads = 0
        self.writes: list[tuple[int, int]] = []

    def read(self, offset: int) -> int:
        self.reads += 1
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.writes.append((offset, value))

    @property
    def control(self) -> Control:
        return Control(self.read, self.write)


def test_a_start_sets_both_halves_of_every_pointer_first() -> None:
    registers = Registers()
    registers.control.start({"program": 0x1_2345_6000, "input": 0x7000})
    program, frame = OFFSETS["program"], OFFSETS["input"]
    expected = [(program, 0x2345_6000), (program + 4, 1), (frame, 0x7000), (frame + 4, 0), (CONTROL, AP_START)]
    assert registers.writes == expected


@pytest.mark.parametrize("cycles", [0, 1000, (1 << 24) - 1, 1 << 24, 5 << 32])
def test_counters_are_whole_however_long_the_run_was(cycles: int) -> None:
    most = min(255 * cycles, (1 << 64) - 1)
    registers = Registers(cycles=cycles, bytes_read=most, experts_run=3)
    expected = {"cycles": cycles, "bytes_read": most, "experts_run": 3, "segments_dropped": 0}
    assert registers.control.counters() == {
        name: value for name, value in expected.items() if value or name == "segments_dropped"
    }


def test_counters_of_a_frame_take_one_access_each() -> None:
    registers = Registers(cycles=600_000)
    registers.control.counters()
    assert registers.reads == len(COUNTERS) + 1


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Fault.NONE, None),
        (Fault.STREAM_END, "STREAM_END: the program ran past its last instruction"),
        (99, "unknown code 99"),
    ],
)
def test_faults_in_words(code: int, text: str | None) -> None:
    found = Registers(error_code=code).control.fault()
    assert found == text if text is None else found is not None and found.startswith(text)


@pytest.mark.parametrize("fault", list(Fault))
def test_after_most_faults_accesses_may_still_be_in_flight(fault: Fault) -> None:
    """A run that ended well, or before it asked memory for more than its header, has none."""
    quiet = fault in (Fault.NONE, Fault.BAD_PROGRAM_HEADER, Fault.CONFIG_MISMATCH)
    assert Registers(error_code=fault).control.quiet() == quiet


def test_waiting_ends_with_the_run_or_with_the_time() -> None:
    registers = Registers()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            registers.values[CONTROL] = AP_DONE | AP_IDLE

    assert registers.control.wait(60.0, pause)
    assert len(pauses) == 3
    assert all(0 < seconds <= 60.0 for seconds in pauses)
    assert registers.control.idle()
    assert not Registers().control.wait(0.0, pause)
    assert len(pauses) == 3
