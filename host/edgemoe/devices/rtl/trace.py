"""Cycles of each instruction, counted by the RTL engine itself: its trace says when each one began."""

from __future__ import annotations

import numpy as np

from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.spec.registers import OFFSETS


def counted_cycles(device: RtlDevice, instructions: int) -> list[int]:
    """Of the frame that has just run, the first since the device was opened or since its trace was taken.

    From an instruction's acceptance to that of the next one; the first counts from the start, the last to the end.
    Raises DeviceError when not every instruction began once.
    """
    names, trace = device.take_trace()
    columns = {name: trace[:, index].astype(np.int64) for index, name in enumerate(names)}
    if columns["trace_index"].tolist() != list(range(instructions)):
        raise DeviceError(f"{instructions} instructions, but a trace of {columns['trace_index'].tolist()}")
    ends = [*columns["cycles"][1:].tolist(), device.read_register(OFFSETS["cycles"])]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
