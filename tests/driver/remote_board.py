"""A board on the network: PYNQ's own gRPC services in front of one of our engines.

    python remote_board.py golden zcu102 127.0.0.1

Serves port 7967, as PYNQ.remote images do, until its standard input ends. Buffers have a processor's copy here, too, so
that only flush and invalidate move bytes between it and the engine.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
from pynq.remote import buffer_pb2, buffer_pb2_grpc, mmio_pb2, mmio_pb2_grpc, remote_device_pb2, remote_device_pb2_grpc

from edgemoe.devices.base import Device
from edgemoe.devices.registry import open_device
from edgemoe.pynq.simulated.board import simulated_ip
from edgemoe.pynq.simulated.ip import SimulatedIp
from edgemoe.pynq.simulated.parts import InterruptController, RegisterFile
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.processing_system import ULTRASCALE_PLUS
from edgemoe.spec.registers import REGISTER_SPACE

PORT = 7967
CONTROL_BASE = ULTRASCALE_PLUS.control_base
_CHUNK = 1 << 20
_FIRMWARE = "/sys/class/fpga_manager/fpga0/firmware"


class Files(remote_device_pb2_grpc.RemoteDeviceServicer):  # type: ignore[misc]
    """The few files that the client reads to learn what it talks to, and writes to load a bitstream."""

    def __init__(self, accelerator: SimulatedIp) -> None:
        self._accelerator = accelerator
        self._files = {
            "/proc/version": b"Linux version 6.6 aarch64",
            "/proc/device-tree/chosen/pynq_board": b"ZCU102\0",
            "/sys/class/fpga_manager/fpga0/state": b"operating\n",
            "/sys/class/fpga_manager/fpga0/flags": b"0\n",
        }

    def existsfile(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.ExistsFileResponse(exists=request.file_path in self._files)

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        yield remote_device_pb2.ReadFileResponse(data=self._files[request.file_path])

    def writefile(self, request_iterator: Iterator[Any], context: Any) -> Any:
        parts = list(request_iterator)
        self._files[parts[0].file_path] = b"".join(part.data for part in parts)
        if parts[0].file_path == _FIRMWARE:
            self._accelerator.reset()
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)


class Registers(mmio_pb2_grpc.MmioServicer):  # type: ignore[misc]
    """The accelerator at its address, and everything else as memory."""

    def __init__(self, accelerator: SimulatedIp) -> None:
        self._accelerator = accelerator
        self._others = RegisterFile(ULTRASCALE_PLUS.pll_factor << ULTRASCALE_PLUS.factor_low)

    def get_mmio(self, request: Any, context: Any) -> Any:
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=str(request.base_addr))

    def read(self, request: Any, context: Any) -> Any:
        address = int(request.mmio_id) + request.offset
        inside = 0 <= address - CONTROL_BASE < REGISTER_SPACE
        value = self._accelerator.read(address - CONTROL_BASE) if inside else self._others.read(address)
        try:
            return mmio_pb2.ReadResponse(status=True, data=value)
        except ValueError:  # PYNQ 3.1 has a signed number there
            return mmio_pb2.ReadResponse(status=True, data=value - (1 << 32))

    def write(self, request: Any, context: Any) -> Any:
        for at in range(0, len(request.data), 4):
            address = int(request.mmio_id) + request.offset + at
            value = int.from_bytes(request.data[at : at + 4], "little")
            if 0 <= address - CONTROL_BASE < REGISTER_SPACE:
                self._accelerator.write(address - CONTROL_BASE, value)
            else:
                self._others.write(address, value)
        return mmio_pb2.WriteResponse(status=True)


class Memory(buffer_pb2_grpc.RemoteBufferServicer):  # type: ignore[misc]
    """Buffers by number: address in the engine's memory, and the processor's copy."""

    def __init__(self, engine: Device) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self.buffers: dict[str, tuple[int, Any]] = {}

    def allocate(self, request: Any, context: Any) -> Any:
        name = str(next(self._numbers))
        self.buffers[name] = self._engine.allocate(request.size), np.full(request.size, 0x5A, dtype=np.uint8)
        return buffer_pb2.AllocateResponse(buffer_id=name)

    def write(self, request_iterator: Iterator[Any], context: Any) -> Any:
        parts = list(request_iterator)
        data = np.frombuffer(b"".join(part.data for part in parts), dtype=np.uint8)
        self.buffers[parts[0].buffer_id][1][: data.size] = data
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        data = self.buffers[request.buffer_id][1].tobytes()
        for at in range(0, len(data), _CHUNK):
            yield buffer_pb2.BufferReadResponse(data=data[at : at + _CHUNK])

    def flush(self, request: Any, context: Any) -> Any:
        address, copy = self.buffers[request.buffer_id]
        self._engine.write(address, copy.copy())
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, context: Any) -> Any:
        address, copy = self.buffers[request.buffer_id]
        copy[:] = self._engine.read(address, copy.size)
        return buffer_pb2.InvalidateResponse()

    def physical_address(self, request: Any, context: Any) -> Any:
        return buffer_pb2.AddressResponse(address=self.buffers[request.buffer_id][0])

    def freebuffer(self, request: Any, context: Any) -> Any:
        self._engine.free(self.buffers.pop(request.buffer_id)[0])
        return buffer_pb2.FreeBufferResponse()


def main(engine_name: str, hardware_name: str, address: str) -> None:
    """Serve; the last line is the number of buffers that were never freed."""
    engine = open_device(engine_name, load_hardware_config(hardware_name))
    accelerator, memory = simulated_ip(engine, InterruptController()), Memory(engine)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(Files(accelerator), server)
    mmio_pb2_grpc.add_MmioServicer_to_server(Registers(accelerator), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(memory, server)
    server.add_insecure_port(f"{address}:{PORT}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0)
    print(len(memory.buffers), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
