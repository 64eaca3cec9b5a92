"""Engines by name. A device module is imported only when it is asked for, so that one engine never needs another's."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from edgemoe.devices.base import Device, DeviceError
from edgemoe.spec.hardware import DEFAULT_HARDWARE, HardwareConfig, load_hardware_config


@dataclass(frozen=True)
class Engine:
    """Where an engine lives, and what it is in a few words.

    device: in `module`, takes a HardwareConfig; for a board also its name, and None for its bitstream's hardware.
    """

    module: str
    device: str
    text: str
    board: bool = False


ENGINES: dict[str, Engine] = {
    "golden": Engine("edgemoe.devices.golden.device", "GoldenDevice", "reference integers in NumPy"),
    "csim": Engine("edgemoe.devices.csim.device", "CsimDevice", "the HLS engine in C simulation"),
    "rtl": Engine("edgemoe.devices.rtl.device", "RtlDevice", "the Verilog, simulated cycle by cycle"),
    "corrupted": Engine(
        "edgemoe.devices.golden.corrupted",
        "CorruptedDevice",
        "golden with one bit flipped, to see comparisons fail",
    ),
    "zcu102": Engine("edgemoe.pynq.board", "open_board", "a ZCU102 board, through PYNQ", board=True),
    "kv260": Engine("edgemoe.pynq.board", "open_board", "a KV260 board, through PYNQ", board=True),
    "pynq_zu": Engine("edgemoe.pynq.board", "open_board", "a PYNQ-ZU board, through PYNQ", board=True),
    "zcu104": Engine("edgemoe.pynq.board", "open_board", "a ZCU104 board, through PYNQ", board=True),
    "ultra96": Engine("edgemoe.pynq.board", "open_board", "an Ultra96-V2 board, through PYNQ", board=True),
    "pynq_z2": Engine("edgemoe.pynq.board", "open_board", "a PYNQ-Z2 board, through PYNQ", board=True),
    "pynq_z1": Engine("edgemoe.pynq.board", "open_board", "a PYNQ-Z1 board, through PYNQ", board=True),
}


def require_engine(name: str) -> None:
    """Raises DeviceError for a name that no engine has."""
    if name not in ENGINES:
        raise DeviceError(f"unknown device '{name}'; there are {', '.join(ENGINES)}")


def described_engines() -> str:
    """All names, each with what it is, for the help of a command."""
    return "; ".join(f"{name}: {engine.text}" for name, engine in ENGINES.items())


def open_device(name: str, hardware: HardwareConfig | None = None) -> Device:
    """A fresh device of engine `name`.

    hardware: None means what a board's bitstream was built for, and `zcu102` for an engine on this computer.
    Raises DeviceError when there is none, or when it cannot be built or opened here.
    """
    require_engine(name)
    engine = ENGINES[name]
    make = getattr(importlib.import_module(engine.module), engine.device)
    made: Device = make(name, hardware) if engine.board else make(hardware or load_hardware_config(DEFAULT_HARDWARE))
    return made
