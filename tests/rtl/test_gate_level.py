"""The whole machine as Yosys' netlist runs a program: every value that any instruction stores, and every cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgemoe.devices.base import Bytes, Device
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, RTL_FOLDER, TOP, sources_of
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.session import Session
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import OFFSETS
from sim.common.netlist import write_netlist
from tests.examples.program import small_program

PROGRAM = small_program(trace=True)


def netlist_of(hardware: HardwareConfig, folder: Path) -> Path:
    """edgemoe_top for a shipped configuration, one flat module."""
    headers = [*INCLUDE_FOLDER.glob("*.vh"), *(RTL_FOLDER / "generated" / hardware.name).glob("*.vh")]
    written = write_netlist(folder, TOP, sources_of(RTL_FOLDER / f"{TOP}.v"), headers, {})
    return written.rename(folder / f"{TOP}.v")


def output(device: Device) -> tuple[Bytes, int]:
    """The whole output region of one frame, and the cycles that it took."""
    model = PROGRAM.manifest.model
    shape = (model.image_height, model.image_width, 3)
    with device, Session(PROGRAM, device) as session:
        values = session.run_raw(np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8))
        return values, device.read_register(OFFSETS["cycles"])


@pytest.mark.slow
def test_a_program_on_the_netlist_of_the_machine_is_golden(tmp_path: Path) -> None:
    hardware = PROGRAM.manifest.hardware
    values, cycles = output(RtlDevice(hardware, top=netlist_of(hardware, tmp_path)))
    expected, _ = output(open_device("golden", hardware))
    source, as_written = output(open_device("rtl", hardware))
    assert np.array_equal(values, expected)
    assert np.array_equal(source, expected)
    assert cycles == as_written
