"""Control: registers in words, with no more accesses than needed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgemoe.control import Control
from edgemoe.devices.base import POLL_SECONDS, DeviceError, require_register
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, COUNTERS, IDENTITY, OFFSETS, REGISTER_SPACE


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


@pytest.mark.parametrize("cycles", [0, 1000, (1 << 24) - 1, 1 << 24, (1 << 25) - 1, 5 << 32])
def test_counters_are_whole_however_long_the_run_was(cycles: int) -> None:
    most = min(255 * cycles, (1 << 64) - 1)
    registers = Registers(cycles=cycles, bytes_read=most, experts_run=3)
    expected = {"cycles": cycles, "bytes_read": most, "experts_run": 3, "segments_dropped": 0}
    assert registers.control.counters() == {
        name: value for name, value in expected.items() if value or name == "segments_dropped"
    }


@pytest.mark.parametrize(("cycles", "accesses"), [(600_000, 1), ((1 << 24) - 1, 1), (1 << 24, 2)])
def test_counters_of_a_frame_take_one_access_each(cycles: int, accesses: int) -> None:
    """Of a run in which some could have more than 32 bits, two; the cycles, which tell, always."""
    registers = Registers(cycles=cycles)
    registers.control.counters()
    assert registers.reads == 2 + accesses * (len(COUNTERS) - 1)


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


def test_a_wait_lasts_as_long_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    now, left = [0.0], []

    def pause(seconds: float) -> None:
        left.append(seconds)
        now[0] += 0.25

    monkeypatch.setattr("edgemoe.control.time", SimpleNamespace(monotonic=lambda: now[0]))
    assert not Registers().control.wait(0.75, pause)
    assert left == [0.75, 0.5, 0.25]


def test_an_engine_is_asked_again_soon_and_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edgemoe.devices.base.time", SimpleNamespace(sleep=slept.append))
    device = GoldenDevice(load_hardware_config("micro"))
    for seconds in (60.0, POLL_SECONDS / 2, -1.0):
        device.pause(seconds)
    assert slept == [POLL_SECONDS, POLL_SECONDS / 2, 0.0]


@pytest.mark.parametrize("offset", [-4, 1, 2, 7, REGISTER_SPACE - 1, REGISTER_SPACE])
def test_a_register_is_a_word_of_the_map(offset: int) -> None:
    device = GoldenDevice(load_hardware_config("micro"))
    for ask in (lambda: require_register(offset), lambda: device.write_register(offset, 0)):
        with pytest.raises(DeviceError, match=f"register offset {offset:#x} lies outside the register map"):
            ask()
    assert [require_register(inside) for inside in (0, 4, REGISTER_SPACE - 4)] == [0, 4, REGISTER_SPACE - 4]


def test_the_registers_of_an_engine_are_those_of_the_map() -> None:
    """Pointers have two halves that are written apart; outputs are read alone, and what was never written is 0."""
    device = GoldenDevice(load_hardware_config("micro"))
    device.write_register(OFFSETS["input"], 0x1_2345_6780)
    device.write_register(OFFSETS["output"] + 4, 7)
    device.write_register(OFFSETS["watchdog_cycles"], 9)
    for name in ("identity", "config_hash", "cycles"):
        for half in (0, 4):
            device.write_register(OFFSETS[name] + half, 5)
    found = {name: [device.read_register(OFFSETS[name] + half) for half in (0, 4)]
             for name in ("input", "output", "program", "identity", "config_hash", "cycles")}  # fmt: skip
    assert found == {
        "input": [0x2345_6780, 0], "output": [0, 7], "program": [0, 0], "identity": [IDENTITY, 0],
        "config_hash": [device.hardware.hash(), 0], "cycles": [0, 0],
    }  # fmt: skip
    assert device.read_register(OFFSETS["watchdog_cycles"]) == 9


def test_that_an_engine_is_done_is_said_once() -> None:
    device = GoldenDevice(load_hardware_config("micro"))
    device.write_register(CONTROL, 0)
    assert device.read_register(CONTROL) == AP_IDLE
    header = device.allocate(64)
    device.write_register(OFFSETS["program"], header)
    device.write_register(CONTROL, AP_START)
    assert [device.read_register(CONTROL) for _ in range(3)] == [AP_DONE | AP_IDLE, AP_IDLE, AP_IDLE]
    for name in ("program_counter", "experts_run", "segments_dropped"):
        assert device.read_register(OFFSETS[name]) == 0, name
    assert device.read_register(OFFSETS["error_code"]) == Fault.BAD_PROGRAM_HEADER
