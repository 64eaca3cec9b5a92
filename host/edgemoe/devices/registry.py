"""Engines by name. A device module is imported only when it is asked for, so that one engine never needs another's."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from edgemoe.devices.base import Device, DeviceError
from edgemoe.spec.hardware import HardwareConfig


@dataclass(frozen=True)
class Engine:
    """Where an engine lives, and what it is in a few words."""

    module: str
    device: str
    text: str


ENGINES: dict[str, Engine] = {
    "golden": Engine("edgemoe.devices.golden", "GoldenDevice", "reference integers in NumPy"),
    "csim": Engine("edgemoe.devices.csim", "CsimDevice", "the HLS engine in C simulation"),
    "corrupted": Engine(
        "edgemoe.devices.corrupted", "CorruptedDevice", "golden with one bit flipped in the first attention, for tests"
    ),
}


def open_device(name: str, hardware: HardwareConfig) -> Device:
    """A fresh device of engine `name`; raises DeviceError when there is none, or when it cannot be built here."""
    if name not in ENGINES:
        raise DeviceError(f"unknown device '{name}'; there are {', '.join(ENGINES)}")
    engine = ENGINES[name]
    made: Device = getattr(importlib.import_module(engine.module), engine.device)(hardware)
    return made
