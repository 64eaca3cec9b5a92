"""Boards by name, on a computer without PYNQ: what is missing is said, and the right overlay is found."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgemoe import Accelerator
from edgemoe.commands.common import _usual_hardware
from edgemoe.devices.base import DeviceError
from edgemoe.devices.registry import ENGINES
from edgemoe.overlay.manifest import MANIFEST_FILE, OverlayError
from edgemoe.pynq import board
from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.hardware import DEFAULT_HARDWARE


def test_every_board_is_an_engine() -> None:
    assert sorted(name for name, engine in ENGINES.items() if engine.board) == board_names()


@pytest.mark.parametrize("name", board_names())
def test_without_pynq_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(
        DeviceError, match=rf"board '{name}' needs PYNQ .* with its extra 'board' .* Accelerator\('csim'"
    ):
        Accelerator(name)


@pytest.mark.parametrize("name", ["pynq_z1", "pynq_z2"])
def test_a_pynq_without_the_boards_series_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", SimpleNamespace(__version__="4.0.0"))
    with pytest.raises(DeviceError, match=rf"board '{name}' has a Zynq-7000, which PYNQ 4\.0\.0 .* PYNQ 3\.1"):
        Accelerator(name)


@pytest.mark.parametrize(("name", "version"), [("pynq_z2", "3.1.2"), ("kv260", "4.0.0"), ("kv260", "10.2")])
def test_other_pairs_of_board_and_pynq_are_not(name: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing then is the bitstream."""
    monkeypatch.setitem(sys.modules, "pynq", SimpleNamespace(__version__=version))
    monkeypatch.delenv(board.SIMULATED_VARIABLE, raising=False)
    monkeypatch.delenv(board.OVERLAY_VARIABLE, raising=False)
    monkeypatch.setattr(board, "_CHECKOUT", Path("/nowhere"))
    with pytest.raises(OverlayError, match=f"no bitstream for board '{name}'"):
        Accelerator(name)


def test_the_overlay_that_is_named_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(board.OVERLAY_VARIABLE, str(tmp_path))
    assert board.find_overlay("zcu102") == tmp_path


def test_or_else_the_newest_manifest_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(board.OVERLAY_VARIABLE, raising=False)
    monkeypatch.setattr(board, "_CHECKOUT", tmp_path)
    with pytest.raises(OverlayError, match="no bitstream for board 'zcu102'"):
        board.find_overlay("zcu102")
    names = ("bitstreams/zcu102", "build/bitstreams/zcu102-zcu102-rtl", "build/bitstreams/zcu102-zcu102-hls")
    for age, name in enumerate((*names, "build/bitstreams/kv260-kv260-rtl")):
        (tmp_path / name).mkdir(parents=True)
        manifest = tmp_path / name / MANIFEST_FILE
        manifest.write_text("{}", encoding="utf-8")
        os.utime(manifest, (1000 + age, 1000 + age))
    (tmp_path / "build/bitstreams/zcu102-unfinished").mkdir()
    assert board.find_overlay("zcu102") == tmp_path / names[2]


def test_the_command_line_compiles_for_the_board() -> None:
    for name in board_names():
        assert _usual_hardware(name) == load_board(name).hardware[0]
    assert _usual_hardware("csim") == _usual_hardware(None) == DEFAULT_HARDWARE
