"""Building the RTL engine: what Verilator has of its own is compiled once for all shapes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

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
