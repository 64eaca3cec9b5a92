"""A simulated board with everything that belongs to it: engine, overlay files, and PYNQ told to use it."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import Any

import pynq

from edgemoe.devices.base import DeviceError
from edgemoe.devices.registry import ENGINES, open_device
from edgemoe.overlay.hardware_handoff import write_handoff
from edgemoe.overlay.manifest import (
    BIT_FILE,
    HWH_FILE,
    MANIFEST_VERSION,
    BitstreamManifest,
    OverlayFiles,
    file_digest,
    load_overlay,
    write_manifest,
)
from edgemoe.pynq.device import PynqDevice
from edgemoe.pynq.simulated.board import SimulatedBoard
from edgemoe.spec.board import load_board
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import ISA_VERSION


def open_simulated_board(board: str, engine: str, hardware: HardwareConfig | None = None) -> PynqDevice:
    """`engine` behind PYNQ, under the name of a board; hardware: None means the board's usual one."""
    if engine not in ENGINES or ENGINES[engine].board:
        there = ", ".join(name for name, each in ENGINES.items() if not each.board)
        raise DeviceError(f"a board can be simulated by {there}, not by '{engine}'")
    hardware = hardware or load_hardware_config(load_board(board).hardware[0])
    system = load_board(board).processing_system
    simulated = SimulatedBoard(open_device(engine, hardware), system=system)
    with tempfile.TemporaryDirectory(prefix="edgemoe-overlay-") as folder:
        files = write_simulated_overlay(Path(folder), board, hardware)
        return install(simulated, files)


def install(simulated: SimulatedBoard, files: OverlayFiles) -> PynqDevice:
    """Make a simulated board the one that PYNQ uses, until the device that is returned is closed."""
    before = getattr(pynq.Device, "_active_device", None)
    pynq.Device.active_device = simulated  # PYNQ's interrupts and clocks ask for it in this way only

    def end() -> None:
        simulated.close()
        if getattr(pynq.Device, "_active_device", None) is simulated:
            pynq.Device.active_device = before
            if before is None:
                del pynq.Device._active_device

    try:
        return PynqDevice(files, simulated, end)
    except BaseException:
        end()
        raise


def write_simulated_overlay(folder: Path, board: str, hardware: HardwareConfig) -> OverlayFiles:
    """An overlay without a bitstream: the .hwh of the specification, a .bit that holds only a header, a manifest."""
    write_handoff(folder / HWH_FILE, hardware, load_board(board))
    (folder / BIT_FILE).write_bytes(empty_bitstream((folder / HWH_FILE).read_bytes()))
    manifest = BitstreamManifest(
        manifest_version=MANIFEST_VERSION,
        board=board,
        engine="simulated",
        hardware=hardware,
        config_hash=hardware.hash(),
        isa_version=ISA_VERSION,
        tools={"pynq": str(pynq.__version__)},
        revision="none",
        built=datetime.date.today().isoformat(),
        sha256={name: file_digest(folder / name) for name in (BIT_FILE, HWH_FILE)},
    )
    write_manifest(folder, manifest)
    return load_overlay(folder)


def empty_bitstream(salt: Any) -> bytes:
    """A .bit whose header PYNQ accepts, with no configuration data but a digest.

    salt: bytes that the digest is made of; PYNQ keeps what it parsed by the hash of the .bit alone.
    """
    import hashlib

    def text(key: bytes, value: bytes) -> bytes:
        return key + (len(value) + 1).to_bytes(2, "big") + value + b"\0"

    body = hashlib.sha256(salt).digest()
    header = (9).to_bytes(2, "big") + bytes(9) + (1).to_bytes(2, "big")
    named = text(b"a", b"edgemoe;Version=0") + text(b"b", b"none") + text(b"c", b"2000/01/01") + text(b"d", b"00:00:00")
    return header + named + b"e" + len(body).to_bytes(4, "big") + body
