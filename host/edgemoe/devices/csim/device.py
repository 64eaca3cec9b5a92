"""C simulation of the HLS engine behind the device contract: the same memory, registers and program as a board."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.base import Bytes, DeviceError
from edgemoe.devices.csim.build import load_library
from edgemoe.devices.host_memory import SimulatedDevice
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import INSTRUCTION_BYTES, STREAM_LINE
from edgemoe.spec.program_header import ProgramHeader, decode_header
from edgemoe.spec.registers import IDENTITY, REGISTERS, WEIGHT_PORTS

OUTPUTS = tuple(register.name for register in REGISTERS if register.kind == "output")


class CsimDevice(SimulatedDevice):
    """The top function, called with pointers into this device's memory."""

    name = "csim"

    def __init__(self, hardware: HardwareConfig) -> None:
        super().__init__(hardware)
        self._library = load_library(hardware)

    def _run(self) -> None:
        program = self._memory.view(self._pointer("program"), INSTRUCTION_BYTES)
        regions = self._regions(self._header(program))
        weights = (ctypes.c_void_p * WEIGHT_PORTS)(*(_address(region) for region in regions.weights))
        registers = np.zeros(len(OUTPUTS), dtype=np.uint64)
        failed = self._library.edgemoe_run(
            ctypes.c_void_p(_address(program)),
            ctypes.c_void_p(_address(regions.input)),
            ctypes.c_void_p(_address(regions.output)),
            weights,
            ctypes.c_void_p(_address(registers)),
        )
        if failed:
            raise DeviceError("engine 'csim' read an empty stream; this is a defect of the engine, please report it")
        for name, value in zip(OUTPUTS, registers.tolist(), strict=True):
            self._output(name, value)

    def _header(self, program: Bytes) -> ProgramHeader | None:
        """The header when the engine will go on to use it, else None."""
        try:
            header = decode_header(program.view("<u4"), IDENTITY)
        except ValueError:
            return None
        return header if header.config_hash == self.hardware.hash() and header.instructions else None

    def _regions(self, header: ProgramHeader | None) -> _Regions:
        """All that a run may touch; raises DeviceError unless it lies inside allocated memory."""
        nothing = np.zeros(STREAM_LINE, dtype=np.uint8)
        if header is None:
            return _Regions(nothing, nothing, [nothing] * WEIGHT_PORTS)
        view = self._memory.view
        view(self._pointer("program"), (1 + header.instructions) * INSTRUCTION_BYTES)
        share = header.stream_lines * STREAM_LINE // self.hardware.ports
        weights = [
            view(self._pointer(f"weights_{port}"), share) if port < self.hardware.ports and share else nothing
            for port in range(WEIGHT_PORTS)
        ]
        sizes = (("input", header.input_bytes), ("output", header.output_bytes))
        frame, output = (view(self._pointer(name), size) if size else nothing for name, size in sizes)
        return _Regions(frame, output, weights)


class _Regions:
    """Views of memory, kept alive during a run."""

    def __init__(self, frame: Bytes, output: Bytes, weights: list[Bytes]) -> None:
        self.input = frame
        self.output = output
        self.weights = weights


def _address(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)
