"""One program with every instruction on the netlist, against golden: every byte of its output region."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from sim.examples.machine import Bench, Outcome, encoded, program


def is_golden(hardware: HardwareConfig, machine: Path) -> bool:
    """Whether the Verilog of the top in a file gives golden's bytes. Raises DeviceError when it does not build."""
    golden, found = _outcome(hardware, None), _outcome(hardware, machine)
    return golden.fault == found.fault == Fault.NONE and np.array_equal(golden.output, found.output)


def _outcome(hardware: HardwareConfig, machine: Path | None) -> Outcome:
    bench = Bench(hardware, "golden" if machine is None else RtlDevice(hardware, top=machine))
    with bench.device:
        return bench.run(encoded(program()))
