"""Readers with one fault each, which the fuzzer has to find; and an engine with one wrong bit."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgemoe.devices.golden.corrupted import CorruptedDevice
from edgemoe.errors import EdgeMoeError
from tests.fuzz.engines import attempt, build, make
from tests.fuzz.readers import reader
from tests.fuzz.target import Rng, Target

MENDED = "EDGEMOE_FUZZ_MENDED"
"""While this is set in the environment, there is no fault."""


def _valid(folder: Path, _: Rng) -> None:
    (folder / "x.bin").write_bytes(bytes(16))


def _planted(name: str, fault: Callable[[Path, Path], object]) -> Target:
    """A reader that takes files of 16 zeros, and meets other files of that length with a fault."""

    def read(given: Path, out: Path) -> None:
        content = (given / "x.bin").read_bytes()
        if len(content) != 16:
            raise EdgeMoeError(f"{len(content)} bytes; expected 16")
        if any(content) and MENDED not in os.environ:
            fault(given, out)

    return replace(reader(f"{__name__}:{name}", _valid, read, group="planted"), seconds=0.5)


def _raise(error: BaseException) -> None:
    raise error


def _leave_half(_: Path, out: Path) -> None:
    (out / "half").write_bytes(b"")
    raise EdgeMoeError("refused too late")


def _for_ever(_: Path, __: Path) -> None:
    while True:
        pass


TRACEBACK = _planted("TRACEBACK", lambda given, out: {}["no such key"])
MEMORY = _planted("MEMORY", lambda given, out: bytearray(8 << 30))
ENDLESS = _planted("ENDLESS", _for_ever)
HALF_WRITTEN = _planted("HALF_WRITTEN", _leave_half)
NO_SENTENCE = _planted("NO_SENTENCE", lambda given, out: _raise(EdgeMoeError("no " * 1000)))
SYSTEM_EXIT = _planted("SYSTEM_EXIT", lambda given, out: _raise(SystemExit(3)))
KILLED = _planted("KILLED", lambda given, out: os.abort())
INPUT_CHANGED = _planted("INPUT_CHANGED", lambda given, out: (given / "y.bin").write_bytes(b""))
WARNING = _planted("WARNING", lambda given, out: warnings.warn("overflow", RuntimeWarning, stacklevel=1))

READERS = {
    TRACEBACK: "KeyError: 'no such key'", MEMORY: "MemoryError", HALF_WRITTEN: "refused, but it left half",
    NO_SENTENCE: "no sentence", SYSTEM_EXIT: "SystemExit: 3", INPUT_CHANGED: "its input was changed",
    WARNING: "RuntimeWarning: overflow", ENDLESS: "took too long", KILLED: "SIGABRT",
}  # fmt: skip
"""Reader → what the fuzzer says of its fault; those that end the process come last, after the others' cases."""

WRONG_BIT = Target(
    f"{__name__}:WRONG_BIT",
    make(build("w8a8")),
    attempt(build("w8a8"), lambda hardware, _: CorruptedDevice(hardware)),
    "wrong bit",
    memory_mib=None,
)
