"""Opening a board by its name: finds the overlay, checks it, and hands it to PYNQ.

With EDGEMOE_SIMULATED_BOARD set to an engine (golden, csim, …) the board is simulated on this computer, through PYNQ.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from edgemoe.devices.base import Device, DeviceError
from edgemoe.overlay.manifest import MANIFEST_FILE, OverlayError, check_hardware, load_overlay
from edgemoe.spec.board import load_board
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.processing_system import ZYNQ_7000

SIMULATED_VARIABLE, OVERLAY_VARIABLE = "EDGEMOE_SIMULATED_BOARD", "EDGEMOE_OVERLAY"
_CHECKOUT = REPOSITORY
_LAST_OF_ZYNQ_7000 = 3  # PYNQ 4 cannot even set the clocks of one


def open_board(name: str, hardware: HardwareConfig | None = None) -> Device:
    """The accelerator on board `name`; hardware: None means whatever its bitstream was built for.

    Raises DeviceError without PYNQ or without a board, OverlayError for a bitstream that cannot be used.
    """
    _require_pynq(name)
    engine = os.environ.get(SIMULATED_VARIABLE)
    if engine:
        simulation = importlib.import_module("edgemoe.pynq.simulated.install")
        simulated: Device = simulation.open_simulated_board(name, engine, hardware)
        return simulated
    files = load_overlay(find_overlay(name))
    if files.manifest.board != name:
        raise OverlayError(
            f"overlay {files.folder}: built for board '{files.manifest.board}', not '{name}'; run `make bitstream "
            f"BOARD={name}`, or open '{files.manifest.board}'"
        )
    if hardware is not None:
        check_hardware(files.manifest, hardware)
    device: Any = importlib.import_module("edgemoe.pynq.device")
    opened: Device = device.PynqDevice(files)
    return opened


def find_overlay(board: str) -> Path:
    """The overlay folder for a board: what EDGEMOE_OVERLAY names, or else the newest manifest of a checkout.

    Raises OverlayError when there is none.
    """
    named = os.environ.get(OVERLAY_VARIABLE)
    if named:
        return Path(named)
    places = [_CHECKOUT / "bitstreams" / board, *(_CHECKOUT / "build" / "bitstreams").glob(f"{board}-*")]
    found = [place for place in places if (place / MANIFEST_FILE).is_file()]
    if not found:
        raise OverlayError(
            f"there is no bitstream for board '{board}'; none is shipped, so build one with `make bitstream "
            f"BOARD={board}` and set {OVERLAY_VARIABLE} to its folder (edgemoe.bit, edgemoe.hwh, {MANIFEST_FILE})"
        )
    return max(found, key=lambda place: (place / MANIFEST_FILE).stat().st_mtime)


def _require_pynq(board: str) -> None:
    try:
        pynq = importlib.import_module("pynq")
    except ImportError as error:
        raise DeviceError(
            f"board '{board}' needs PYNQ ({error}); on the board install this project with its extra 'board' into "
            f"PYNQ's own environment, on a PC use an engine such as Accelerator('csim')"
        ) from error
    if load_board(board).processing_system is ZYNQ_7000 and int(pynq.__version__.split(".")[0]) > _LAST_OF_ZYNQ_7000:
        raise DeviceError(
            f"board '{board}' has a Zynq-7000, which PYNQ {pynq.__version__} no longer drives; use its image of PYNQ "
            f"{_LAST_OF_ZYNQ_7000}.1"
        )
