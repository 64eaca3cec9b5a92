"""Session: a frame in, real values out; what goes wrong is said in words and leaves the device usable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import assert_same, frame_of, result_of

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.devices.base import FRAME_SECONDS, DeviceError
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden import device as golden_device
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.golden.program import decode_program
from edgemoe.devices.registry import open_device
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import FIELDS
from edgemoe.spec.memory import REGION_ALIGNMENT
from edgemoe.spec.registers import AP_IDLE, AP_START, CONTROL, OFFSETS

Compile = Callable[..., Program]


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16"])
def test_a_frame_gives_what_the_model_promises(compiled: Compile, hardware: str) -> None:
    program = compiled("micro", hardware)
    result = result_of(program)
    result.check(program.manifest.model)
    assert set(result.outputs) == {"semseg", "depth"}
    assert result.counters["experts_run"] + result.counters["segments_dropped"] == 4
    parts = ("cut_patches", "write_input", "engine", "read_output", "decode")
    assert result.timings_ms["total"] == pytest.approx(sum(result.timings_ms[part] for part in parts))


@pytest.mark.parametrize("model", ["micro", "mini"])
@pytest.mark.parametrize("precision", ["w8a8", "w16a16"])
def test_tasks_together_give_the_integers_of_each_alone(compiled: Compile, model: str, precision: str) -> None:
    hardware = "zcu102" if precision == "w8a8" else "zcu102_w16a16"
    together = result_of(compiled(model, hardware, ("depth", "semseg")))
    for task in ("semseg", "depth"):
        assert_same(together, result_of(compiled(model, hardware, (task,))), task)


@pytest.mark.parametrize("hardwares", [("zcu102", "micro", "kv260", "u50"), ("zcu102_w16a16", "micro_w16a16")])
def test_the_hardware_shape_does_not_change_the_integers(compiled: Compile, hardwares: tuple[str, ...]) -> None:
    first, *others = (result_of(compiled("micro", hardware)) for hardware in hardwares)
    for other in others:
        for task in ("semseg", "depth"):
            assert_same(first, other, task)


def test_frames_do_not_influence_each_other(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        first, other, again = (session.run(frame_of(program, seed)) for seed in (27, 28, 27))
    assert_same(first, again, "semseg")
    assert not np.array_equal(first.outputs["semseg"], other.outputs["semseg"])


def test_two_sessions_share_a_device(compiled: Compile) -> None:
    """Each keeps its own memory; the pointers are set for every run."""
    one, two = (compiled("micro", "micro", (task,)) for task in ("semseg", "depth"))
    frame = frame_of(one)
    with open_device("golden", one.manifest.hardware) as device, Session(one, device) as left:
        expected = left.run(frame)
        with Session(two, device) as right:
            assert_same(right.run(frame), result_of(two), "depth")
            assert_same(left.run(frame), expected, "semseg")
        assert_same(left.run(frame), expected, "semseg")


def test_closing_gives_all_memory_back(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled("micro", "micro")
    memory = FlatMemory()
    device = GoldenDevice(program.manifest.hardware)
    monkeypatch.setattr(device, "_memory", memory)
    session = Session(program, device)
    assert memory.allocated > program.stream.size
    session.close()
    session.close()
    assert memory.allocated == 0
    with pytest.raises(SessionError, match="session is closed"):
        session.run(frame_of(program))


def test_frames_have_one_place_and_those_of_a_stream_two(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Input and output of a frame; the next one is written while one runs, and no third."""
    program = compiled("micro", "micro")
    memory = FlatMemory()
    device = GoldenDevice(program.manifest.hardware)
    monkeypatch.setattr(device, "_memory", memory)
    frame, manifest = frame_of(program), program.manifest
    with Session(program, device) as session:
        opened = memory.allocated
        session.run(frame)
        assert memory.allocated == opened
        assert len(list(session.stream([frame] * 4))) == 4
        assert memory.allocated == opened + manifest.input_bytes + manifest.output_bytes


def test_a_device_of_another_identity_is_refused(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    device = GoldenDevice(program.manifest.hardware)
    device._output("identity", 7)
    with Session(program, device) as session, pytest.raises(SessionError, match="this project's identity"):
        session.run(frame_of(program))


def test_the_identity_is_asked_for_once(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each access costs a board's time."""
    program, asked = compiled("micro", "micro"), []
    device = GoldenDevice(program.manifest.hardware)
    read = device.read_register
    monkeypatch.setattr(device, "read_register", lambda offset: (asked.append(offset), read(offset))[1])
    with Session(program, device) as session:
        for _ in range(3):
            session.run(frame_of(program))
    assert asked.count(OFFSETS["identity"]) == 1


def test_counters_may_be_read_between_frames(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        for _ in range(2):
            assert session.run(frame_of(program)).counters == session.counters()


def test_the_clock_is_the_device_s_where_it_is_known(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    device = GoldenDevice(program.manifest.hardware)
    with Session(program, device) as session:
        assert session.run(frame_of(program)).clock_mhz == program.manifest.hardware.clock_mhz
        device.clock_mhz = 123.5
        assert session.run(frame_of(program)).clock_mhz == 123.5


def test_golden_decodes_a_program_once(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for every frame; again when the program is written anew."""
    program, decoded = compiled("micro", "micro"), []

    def counted(*arguments: Any) -> Any:
        decoded.append(arguments)
        return decode_program(*arguments)

    monkeypatch.setattr(golden_device, "decode_program", counted)
    with open_device("golden", program.manifest.hardware) as device:
        for count in (1, 2):
            with Session(program, device) as session:
                assert len([session.run(frame_of(program, seed)) for seed in (1, 2, 3)]) == 3
            assert len(decoded) == count


def test_memory_of_the_host_is_4_gib() -> None:
    with pytest.raises(DeviceError, match=r"4,294,967,297 bytes wanted, 4,294,967,296 of 4,294,967,296 left"):
        FlatMemory().allocate((4 << 30) + 1)


def test_memory_of_the_host_can_be_filled_and_not_more() -> None:
    memory = FlatMemory(limit=8192)
    first = memory.allocate(4096)
    memory.allocate(4096)
    with pytest.raises(DeviceError, match=r"out of memory: 1 bytes wanted, 0 of 8,192 left"):
        memory.allocate(1)
    memory.free(first)
    memory.allocate(4096)


def test_fresh_memory_is_aligned_apart_and_not_zero() -> None:
    memory, sizes = FlatMemory(), (1, REGION_ALIGNMENT, REGION_ALIGNMENT + 1, 1)
    begins = [memory.allocate(size) for size in sizes]
    assert [begin % REGION_ALIGNMENT for begin in begins] == [0] * len(sizes)
    assert all(begin + size < after for begin, size, after in zip(begins, sizes, begins[1:], strict=False))
    assert set(memory.view(begins[2], sizes[2]).tolist()) == {0xA5}
    memory.write(begins[1] + 8, np.arange(16, dtype=np.uint8))
    assert memory.view(begins[1] + 7, 4).tolist() == [0xA5, 0, 1, 2]
    for size in (0, -1):
        with pytest.raises(DeviceError, match=f"cannot allocate {size} bytes"):
            memory.allocate(size)


def test_too_little_memory_is_refused_and_nothing_is_kept(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled("micro", "micro")
    memory = FlatMemory(limit=program.stream.size)
    device = GoldenDevice(program.manifest.hardware)
    monkeypatch.setattr(device, "_memory", memory)
    with pytest.raises(DeviceError, match="out of memory"):
        Session(program, device)
    assert memory.allocated == 0


def test_a_program_for_other_hardware_is_refused(compiled: Compile) -> None:
    with (
        open_device("golden", load_hardware_config("kv260")) as device,
        pytest.raises(ProgramError, match=r"for hardware 'micro' .* device is 'kv260' .* compile for 'kv260'"),
    ):
        Session(compiled("micro", "micro"), device)


@pytest.mark.parametrize("wrong", [(32, 48), (48, 32, 3), (32, 48, 4), "float"])
def test_a_frame_of_another_shape_or_type_is_refused(compiled: Compile, wrong: tuple[int, ...] | str) -> None:
    program = compiled("micro", "micro")
    frame = np.zeros((32, 48, 3)) if wrong == "float" else np.zeros(wrong, dtype=np.uint8)
    with (
        open_device("golden", program.manifest.hardware) as device,
        Session(program, device) as session,
        pytest.raises(ValueError, match=r"model 'micro' takes uint8 \(32, 48, 3\)"),
    ):
        session.run(frame)  # type: ignore[arg-type]


def test_a_fault_names_the_instruction_and_the_next_run_is_good(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    at = program.manifest.labels.index("block 0 attention")
    words = program.words.copy()
    words[at, FIELDS["heads"].word] &= ~np.uint32(0xFF)
    with open_device("golden", program.manifest.hardware) as device:
        with (
            Session(replace(program, words=words), device) as session,
            pytest.raises(SessionError, match=rf"instruction {at} ATTENTION \(block 0 attention\) with ILLEGAL_FIELD"),
        ):
            session.run(frame_of(program))
        with Session(program, device) as session:
            assert_same(session.run(frame_of(program)), result_of(program), "depth")


class _Stuck(GoldenDevice):
    """Starts and never finishes."""

    def write_register(self, offset: int, value: int) -> None:
        if offset == CONTROL and value & AP_START:
            return
        super().write_register(offset, value)


class _Busy(GoldenDevice):
    """Works on something else."""

    def read_register(self, offset: int) -> int:
        value = super().read_register(offset)
        return value & ~AP_IDLE if offset == CONTROL else value


@pytest.mark.parametrize(("kind", "message"), [(_Stuck, r"did not finish within 0\.05 s"), (_Busy, "is busy")])
def test_a_device_that_never_finishes_or_is_busy_is_reported(
    compiled: Compile, kind: type[GoldenDevice], message: str
) -> None:
    program = compiled("micro", "micro")
    with (
        kind(program.manifest.hardware) as device,
        Session(program, device, timeout=0.05) as session,
        pytest.raises(SessionError, match=message),
    ):
        session.run(frame_of(program))


class _Slow(GoldenDevice):
    """Simulates every cycle."""

    seconds_per_cycle = 0.5


def test_who_simulates_every_cycle_is_given_time_for_each(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    with _Slow(program.manifest.hardware) as device:
        with Session(program, device) as session:
            cycles = session.run(frame_of(program)).estimated_cycles
            assert session.timeout == FRAME_SECONDS + 0.5 * cycles > FRAME_SECONDS
        with Session(program, device, timeout=7) as session:
            assert session.timeout == 7
    with GoldenDevice(program.manifest.hardware) as device, Session(program, device) as session:
        assert session.timeout == FRAME_SECONDS


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DeviceError, match=r"unknown device 'goldne'; there are golden, csim, "):
        open_device("goldne", load_hardware_config("micro"))
