"""Large units, of which Verilator makes several files, are compiled with its headers compiled ahead, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgemoe.devices.rtl.build import RTL_FOLDER, sources_of
from sim.common import verilate
from sim.common.runner import constants_of, specified
from sim.common.shapes import shape

FIFO = RTL_FOLDER / "parts" / "fifo.v"


def test_a_unit_of_several_files_is_compiled_with_headers_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verilate, "BUILD_ARGS", (*verilate.BUILD_ARGS, "--output-split", "300"))
    for name in ("PATH", "MAKEFLAGS"):  # which a unit's own process changes
        monkeypatch.setenv(name, os.environ.get(name, ""))
    for name in ("first", "second"):  # which finds headers that the first one has made, or found itself
        folder = tmp_path / name
        folder.mkdir()
        parameters = specified(FIFO, shape("micro"))
        verilate.compile_unit(folder, "fifo", sources_of(FIFO), constants_of("micro"), parameters, waves=False)
        assert (folder / "fifo").is_file()
        assert not (folder / "Vtop__ALL.cpp").exists(), "Verilator has made one file"
        if (folder / verilate.COMMON).exists():
            return
    pytest.fail("no unit has found headers compiled ahead")
