"""Opening a board: what is missing, what does not belong together, and which side is to be renewed."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import BOARD

from edgemoe import Accelerator
from edgemoe.devices.base import DeviceError
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.registry import open_device
from edgemoe.overlay.manifest import BIT_FILE, HWH_FILE, MANIFEST_FILE, OverlayError, file_digest
from edgemoe.pynq.board import OVERLAY_VARIABLE, SIMULATED_VARIABLE
from edgemoe.pynq.simulated.board import SimulatedBoard
from edgemoe.pynq.simulated.install import write_simulated_overlay
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.registers import OFFSETS

MICRO = load_hardware_config("micro")


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An overlay folder that `Accelerator("zcu102")` finds; nothing is simulated unless a test says so."""
    folder = tmp_path / "overlay"
    folder.mkdir()
    write_simulated_overlay(folder, BOARD, MICRO)
    monkeypatch.setenv(OVERLAY_VARIABLE, str(folder))
    monkeypatch.delenv(SIMULATED_VARIABLE, raising=False)
    return folder


@pytest.fixture
def active(monkeypatch: pytest.MonkeyPatch) -> SimulatedBoard:
    """A simulated board as the one that PYNQ finds by itself."""
    board = SimulatedBoard(GoldenDevice(MICRO))
    monkeypatch.setattr(pynq.Device, "_active_device", board, raising=False)
    return board


def test_no_device(overlay: Path) -> None:
    """In a process of its own: PYNQ looks for devices once."""
    code = "from edgemoe.devices.registry import open_device; open_device('zcu102')"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "PYNQ finds no board (No Devices Found); on a board work as root with XILINX_XRT=/usr set" in last


class _NoDevices:
    """PYNQ where there is no board: a warning, then an error."""

    @property
    def active_device(self) -> object:
        warnings.warn("no board was found", stacklevel=2)
        raise RuntimeError("No Devices Found")


def test_what_pynq_warns_of_beside_its_error_is_not_said_twice(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynq, "Device", _NoDevices())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeviceError, match=r"PYNQ finds no board \(No Devices Found\)"):
            Accelerator(BOARD)


def test_no_bitstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERLAY_VARIABLE, raising=False)
    monkeypatch.setattr("edgemoe.pynq.board._CHECKOUT", Path("/nowhere"))
    with pytest.raises(OverlayError, match="no bitstream for board 'kv260'; none is shipped, so build one with `make"):
        Accelerator("kv260")


def test_a_good_overlay_opens(overlay: Path, active: SimulatedBoard, checkpoint: Path) -> None:
    """So the refusals below are due to what each of them changes."""
    with Accelerator(BOARD) as accelerator:
        assert accelerator.hardware == MICRO
        accelerator.load(checkpoint)
        assert set(accelerator(np.zeros((40, 60, 3), np.uint8)).outputs) == {"semseg", "depth"}
    assert active.buffers == 0


def test_a_pair_of_different_builds(overlay: Path, active: SimulatedBoard) -> None:
    (overlay / HWH_FILE).write_text((overlay / HWH_FILE).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(OverlayError, match=r"edgemoe.hwh is not the file that manifest.json describes"):
        Accelerator(BOARD)
    assert active.downloads == 0, "nothing is loaded before it is checked"


def change_handoff(overlay: Path, old: str, new: str) -> None:
    """Another .hwh, with a manifest that vouches for it."""
    text = (overlay / HWH_FILE).read_text(encoding="utf-8")
    assert old in text
    (overlay / HWH_FILE).write_text(text.replace(old, new), encoding="utf-8")
    manifest = json.loads((overlay / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["sha256"] = {name: file_digest(overlay / name) for name in (BIT_FILE, HWH_FILE)}
    (overlay / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")


def test_a_handoff_without_the_accelerator(overlay: Path, active: SimulatedBoard) -> None:
    change_handoff(overlay, "edgemoe.org:kernel:edgemoe:1.0", "somebody:else:kernel:1.0")
    with pytest.raises(DeviceError, match=r"names 0 blocks of type edgemoe.org.*it has .*somebody:else:kernel:1.0"):
        Accelerator(BOARD)
    with pytest.raises(DeviceError, match="names 0 blocks"):
        Accelerator(BOARD)  # not: in use by this process


def test_a_handoff_that_pynq_cannot_read(overlay: Path, active: SimulatedBoard) -> None:
    change_handoff(overlay, "<EDKSYSTEM", "<EDKSYSTEM <")
    with pytest.raises(DeviceError, match=r"PYNQ could not load .*edgemoe.bit: .* must be for this board"):
        Accelerator(BOARD)


@pytest.mark.parametrize(
    ("register", "message"),
    [
        ("identity", r"identity 0x00000007, not 0x454D4F45; \.hwh and bitstream do not belong together: build the"),
        ("config_hash", r"built for hardware 0x00000007, its manifest says 0x[0-9A-F]{8} \('micro'\): build the"),
    ],
)
def test_a_bitstream_that_is_not_what_its_manifest_says(
    overlay: Path, active: SimulatedBoard, register: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = active.engine.read_register
    changed = {OFFSETS[register]: 7, OFFSETS[register] + 4: 0}
    monkeypatch.setattr(active.engine, "read_register", lambda offset: changed.get(offset, real(offset)))
    with pytest.raises(DeviceError, match=message + r" bitstream again with `make bitstream BOARD=zcu102"):
        Accelerator(BOARD)
    assert active.buffers == 0
    monkeypatch.setattr(active.engine, "read_register", real)
    Accelerator(BOARD).close()


def test_a_bitstream_that_does_not_answer(overlay: Path, active: SimulatedBoard, monkeypatch: Any) -> None:
    monkeypatch.setattr("edgemoe.pynq.device._PROBE_SECONDS", 0.05)
    monkeypatch.setattr("edgemoe.pynq.resources._REST_SECONDS", 0.05)
    active.accelerator.stuck = True
    with pytest.raises(DeviceError, match="does not end an empty program; the bitstream is not what its manifest"):
        Accelerator(BOARD)
    assert (active.buffers, active.accelerator.running) == (0, False)


def test_timing_that_was_not_met_is_said(overlay: Path, active: SimulatedBoard) -> None:
    manifest = json.loads((overlay / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["timing"] = {"met": False, "clock_mhz": 300.0, "worst_slack_ns": -0.4}
    (overlay / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.warns(UserWarning, match=r"did not meet its timing \(-0.4 ns of slack at 300 MHz\)") as said:
        Accelerator(BOARD).close()
    assert said[0].filename == __file__, "it names the caller's line"


def test_another_board_or_other_hardware(overlay: Path, active: SimulatedBoard) -> None:
    with pytest.raises(OverlayError, match="built for board 'zcu102', not 'kv260'; run `make bitstream BOARD=kv260`"):
        Accelerator("kv260")
    with pytest.raises(OverlayError, match=r"the program for 'kv260' .* compile the model for 'micro'"):
        Accelerator(BOARD, "kv260")
    with pytest.raises(OverlayError, match="build the bitstream again with `make bitstream`"):
        Accelerator(BOARD, replace(MICRO, prefetch_bytes=MICRO.prefetch_bytes * 2))
    assert active.downloads == 0


def test_a_board_cannot_be_simulated_by_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIMULATED_VARIABLE, "kv260")
    with pytest.raises(DeviceError, match=r"can be simulated by golden, csim, .*not by 'kv260'"):
        open_device(BOARD)


def test_opening_warns_of_nothing(make_board: Callable[..., Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_board().close()
