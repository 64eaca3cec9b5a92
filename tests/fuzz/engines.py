"""Random programs on golden and on another engine: the same end, at the same instruction, and the same bytes stored.

csim runs under the address and undefined-behaviour sanitizers, rtl with a memory that stalls.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.devices.base import Device, DeviceError
from edgemoe.devices.csim.build import FLAGS_VARIABLE
from edgemoe.devices.csim.device import CsimDevice
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import DecodedProgram
from edgemoe.devices.rtl.device import MemoryModel, RtlDevice
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import OPTIONS, STREAMING, WIDE_INNER
from edgemoe.spec.legality import static_fault
from edgemoe.spec.memory import Bytes, unpack_linear
from edgemoe.spec.precision import MAX_SHIFT, PRECISIONS
from edgemoe.spec.registers import OFFSETS
from sim.examples.machine import Bench, Outcome, encoded, program, small_hardware
from tests.fuzz.programs import Drawn, Generator, illegal
from tests.fuzz.segments import INPUT_BYTES, OUTPUT_BYTES
from tests.fuzz.target import Rng, Target

SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer"
SUPPRESSIONS = Path(__file__).resolve().parents[1] / "hls" / "sanitizer.supp"
COUNTERS = ("experts_run", "segments_dropped")
_FACTS = "facts.json"


class WatchedProgram(DecodedProgram):
    """Notes whether a channel record breaks the stream's precondition (docs/memory.md)."""

    unspecified = False

    def _prepare(self, payload: Bytes, outputs: int, inputs: int, narrow: int) -> Any:
        weights = unpack_linear(payload, outputs, inputs, self.hardware, narrow)
        limit = 1 << self.hardware.numbers.bias_bits
        if (weights.shift > MAX_SHIFT).any() or (np.abs(weights.bias) >= limit).any():
            self.unspecified = True
        return super()._prepare(payload, outputs, inputs, narrow)


class WatchedGolden(GoldenDevice):
    """Golden, and whether the last run's integers are specified."""

    watched: WatchedProgram | None = None

    def _machine(self, program: DecodedProgram) -> GoldenMachine:
        self.watched = WatchedProgram(**vars(program) | {"prepared": {}})
        return super()._machine(self.watched)

    @property
    def unspecified(self) -> bool:
        """Of the last run."""
        return self.watched is not None and self.watched.unspecified


def make(hardware: HardwareConfig) -> Callable[[Path, Rng], None]:
    """One case in three is legal throughout."""

    def write(folder: Path, rng: Rng) -> None:
        legal = bool(rng.random() < 1 / 3)
        drawn = Generator(hardware, rng).legal()
        if not legal:
            drawn = illegal(drawn, rng)
        for name, content in (("words", drawn.words), ("stream", drawn.stream), ("frame", drawn.frame)):
            (folder / f"{name}.bin").write_bytes(content.tobytes())
        memory = {"first_beat_cycles": int(rng.integers(0, 80)), "extra_latency": int(rng.integers(0, 40))}
        memory |= {"stall_share": float(rng.random() * 0.6), "seed": int(rng.integers(1, 1 << 31))}
        facts = {"legal": legal, "header": drawn.header, "memory": memory | {"outstanding": int(rng.integers(1, 17))}}
        (folder / _FACTS).write_text(json.dumps(facts))

    return write


def attempt(
    hardware: HardwareConfig, device: Callable[[HardwareConfig, MemoryModel], Device]
) -> Callable[[Path, Path], str]:
    """Compare one case; returns the fault that it ends with."""

    def compare(folder: Path, _: Path) -> str:
        facts = json.loads((folder / _FACTS).read_text())
        words, stream, frame = (
            np.fromfile(folder / f"{name}.bin", dtype=kind)
            for name, kind in (("words", np.uint32), ("stream", np.uint8), ("frame", np.uint8))
        )
        case = Drawn(words.reshape(-1, 16), stream, frame, facts["header"])
        golden = WatchedGolden(hardware)
        expected = _run(golden, case)
        _check_against_specification(case, hardware, expected, facts["legal"])
        with device(hardware, MemoryModel(**facts["memory"])) as other:
            try:
                found = _run(other, case)
            except DeviceError as error:
                raise AssertionError(f"the engine itself fails: {error}") from error
            if golden.unspecified:
                return "unspecified"
            ends = [f"{each.fault.name} at {each.program_counter}" for each in (expected, found)]
            assert ends[0] == ends[1], f"golden {ends[0]}, {other.name} {ends[1]}"
            different = np.flatnonzero(expected.output != found.output)
            assert not different.size, f"{different.size} bytes of the output differ, the first at {different[0]}"
            counted = [[each.read_register(OFFSETS[name]) for name in COUNTERS] for each in (golden, other)]
            assert counted[0] == counted[1], f"{COUNTERS}: golden {counted[0]}, {other.name} {counted[1]}"
            _check_nothing_is_left(other, hardware)
        return "ended" if expected.fault == Fault.NONE else expected.fault.name.lower().replace("_", " ")

    return compare


def _run(device: Device, case: Drawn) -> Outcome:
    bench = Bench(device.hardware, device, case.frame, OUTPUT_BYTES)
    return bench.run(case.words, case.stream, **case.header)


def _check_against_specification(case: Drawn, hardware: HardwareConfig, expected: Outcome, legal: bool) -> None:
    """What the rules say without running anything."""
    if legal:
        assert (expected.fault, expected.program_counter) == (Fault.NONE, len(case.words) - 1)
        return
    sizes = (case.header.get("input_bytes", INPUT_BYTES), case.header.get("output_bytes", OUTPUT_BYTES))
    faults = [static_fault(row, hardware, *sizes) for row in case.words]
    first = next((index for index, fault in enumerate(faults) if fault != Fault.NONE), len(faults))
    assert expected.program_counter <= first
    if expected.program_counter == first and not case.header.keys() & {"config_hash", "instructions"}:
        assert expected.fault == faults[first]


def _check_nothing_is_left(device: Device, hardware: HardwareConfig) -> None:
    """The next program on the same device gives what it gives on a fresh golden one."""
    after, fresh = Bench(hardware, device).run(encoded(program())), _on_fresh_golden(hardware)
    assert after.fault == fresh.fault, "a program left a fault behind"
    assert np.array_equal(after.output, fresh.output), "a program left something behind"


@cache
def _on_fresh_golden(hardware: HardwareConfig) -> Outcome:
    return Bench(hardware).run(encoded(program()))


def sanitizers() -> Mapping[str, str]:
    """What a process needs to load csim under the sanitizers, whose runtimes must be there before Python starts."""
    compiler = shutil.which("g++")
    runtimes = []
    for name in ("libasan.so", "libubsan.so") if compiler else ():
        found = subprocess.run([str(compiler), f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        runtimes.append(found.stdout.strip())
    return {
        FLAGS_VARIABLE: SANITIZED,
        "LD_PRELOAD": " ".join([*runtimes, os.environ.get("LD_PRELOAD", "")]).strip(),
        "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=4096",
        "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:suppressions={SUPPRESSIONS}",
        "OMP_NUM_THREADS": "1",
    }


def _csim(hardware: HardwareConfig, _: MemoryModel) -> Device:
    return CsimDevice(hardware)


def build(precision: str, options: Sequence[str] = ()) -> HardwareConfig:
    """The small machine of the machine tests, with options (`edgemoe.spec.isa.OPTIONS`)."""
    base = small_hardware(precision)
    initials = ("".join(word[0] for word in option.split("_")) for option in options)  # a name has 64 letters
    return replace(base, name="_".join((base.name, *initials)), **dict.fromkeys(options, True))


TAKEN: dict[str, tuple[str, ...]] = {
    "csim": OPTIONS,
    "rtl": tuple(name for name in OPTIONS if name not in (WIDE_INNER, STREAMING)),
}
"""Options that an engine takes; a test sees that there are no others."""

BUILDS = [
    (engine, precision, options)
    for engine, taken in TAKEN.items()
    for precision, options in (*((precision, ()) for precision in PRECISIONS), *([("w8a8", taken)] if taken else ()))
]


def _engine(engine: str, hardware: HardwareConfig) -> Target:
    what = " ".join((engine, hardware.precision, *hardware.options))
    if engine == "csim":
        tried = attempt(hardware, _csim)
        return Target(what, make(hardware), tried, engine, None, sanitizers, memory_mib=None, weight=8.0)
    tried = attempt(hardware, RtlDevice)
    return Target(what, make(hardware), tried, engine, memory_mib=2048, seconds=60.0, weight=8.0)


ENGINES: tuple[Target, ...] = tuple(_engine(engine, build(*which)) for engine, *which in BUILDS)
