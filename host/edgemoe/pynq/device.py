"""A board behind the device contract: overlay, driver, buffers and lock of one accelerator."""

from __future__ import annotations

import contextlib
import sys
import warnings
import weakref
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pynq

from edgemoe.devices.base import Bytes, Device, DeviceError, require_register
from edgemoe.overlay.manifest import BitstreamManifest, OverlayFiles
from edgemoe.pynq.buffers import Buffers
from edgemoe.pynq.connection import BoardGoneError
from edgemoe.pynq.driver import EdgeMoeIp
from edgemoe.pynq.lock import ProcessLock
from edgemoe.pynq.power import power_rails
from edgemoe.pynq.resources import Resources
from edgemoe.spec.interface import VLNV
from edgemoe.spec.isa import INSTRUCTION_BYTES
from edgemoe.spec.registers import IDENTITY, WEIGHT_PORTS

_PROBE_SECONDS = 5.0


class PynqDevice(Device):
    """One accelerator on a board, or on anything that PYNQ takes for one.

    files: the overlay, checked already. device: a `pynq.Device`, None for PYNQ's own choice.
    on_close: called last of all when the device is closed or has gone.
    Raises DeviceError: no board, in use by another process, or a bitstream that does not answer as its manifest says.
    """

    def __init__(self, files: OverlayFiles, device: Any = None, on_close: Callable[[], None] | None = None) -> None:
        self.name = files.manifest.board
        super().__init__()
        self.hardware = files.manifest.hardware
        self.clock_mhz = files.manifest.timing.clock_mhz if files.manifest.timing else None
        self._manifest = files.manifest
        if device is None:
            device = _active_device()
        resources = Resources(ProcessLock(_lock_name(device)), Buffers(device), on_close)
        self._resources = resources
        weakref.finalize(self, resources.release)
        try:
            resources.overlay = _load(files, device)
            resources.ip = _driver(resources.overlay, self.name)
            self._configure()
            self._verify()
        except BaseException:
            self.close()
            raise

    @property
    def overlay(self) -> Any:
        """The `pynq.Overlay`, for looking under the hood."""
        return self._held().overlay

    @property
    def ip(self) -> EdgeMoeIp:
        """The driver; raises DeviceError when the device is closed, or belongs to the process this was forked from."""
        ip = self._held().ip
        if ip is None:
            raise DeviceError(f"device '{self.name}' is closed; open it again")
        return ip

    @property
    def buffers(self) -> int:
        """Number of buffers in use."""
        return len(self._resources.buffers)

    def allocate(self, size: int) -> int:
        """See Device."""
        return self._held().buffers.allocate(size)

    def free(self, address: int) -> None:
        """See Device."""
        self._held().buffers.free(address)

    def write(self, address: int, data: Bytes) -> None:
        """See Device."""
        self._held().buffers.write(address, data)

    def read(self, address: int, size: int) -> Bytes:
        """See Device."""
        return self._held().buffers.read(address, size)

    def write_register(self, offset: int, value: int) -> None:
        """See Device."""
        require_register(offset)
        self.ip.write_register(offset, value)

    def read_register(self, offset: int) -> int:
        """See Device."""
        return self.ip.read_register(offset)

    def pause(self, seconds: float) -> None:
        """See Device."""
        self.ip.pause(seconds)

    def stop(self) -> None:
        """See Device; an accelerator that is busy after a second, or had a fault, is loaded afresh.

        Raises DeviceError when that does not succeed. A board that has gone is taken to be at rest.
        """
        with contextlib.suppress(BoardGoneError):
            self._held().bring_to_rest()
            self._configure()  # in any case, because an earlier stop may have been interrupted in between

    def power_rails(self) -> dict[str, Callable[[], float]]:
        """See Device."""
        return {} if self._manifest.engine == "simulated" else power_rails()

    def facts(self) -> dict[str, object]:
        """See Device."""
        manifest = self._manifest
        simulated = manifest.engine == "simulated"
        return {
            "kind": "simulated board through PYNQ" if simulated else "board",
            "board": manifest.board,
            "pynq": str(pynq.__version__),
            "pynq_device": str(self.overlay.device.name),
            "interrupt": self.ip.has_interrupt,
            "clocks_mhz": {name: each["frequency"] for name, each in self.overlay.clock_dict.items() if each["enable"]},
            "bitstream": {
                "engine": manifest.engine,
                "config_hash": f"0x{manifest.config_hash:08X}",
                "revision": manifest.revision,
                "built": manifest.built,
                "tools": manifest.tools,
                "timing": None if manifest.timing is None else asdict(manifest.timing),
            },
        }

    def close(self) -> None:
        """See Device; in a forked child the board is left to its process.

        Raises DeviceError, and gives nothing back, when the accelerator cannot be stopped; call it again then.
        """
        self._resources.release()

    def _held(self) -> Resources:
        if self._resources.forked:
            raise DeviceError(self.use.refusal() or f"{self.use.name} belongs to another process")
        return self._resources

    def _configure(self) -> None:
        """A watchdog of one second without any progress."""
        self.ip.configure(watchdog_cycles=min(self.hardware.clock_mhz * 1_000_000, 0xFFFFFFFF))

    def _verify(self) -> None:
        """Identity and configuration as the accelerator gives them, after a run of an empty program.

        The run makes the registers of HLS builds valid, and shows that the accelerator reads memory and ends.
        """
        address = self.allocate(INSTRUCTION_BYTES)  # given back by `close` when the run is not seen to end
        self.write(address, np.zeros(INSTRUCTION_BYTES, dtype=np.uint8))
        names = ["program", "input", "output", *(f"weights_{port}" for port in range(WEIGHT_PORTS))]
        self.ip.start(dict.fromkeys(names, address))
        if not self.ip.control.wait(_PROBE_SECONDS, self.pause):
            raise DeviceError(
                f"the accelerator on '{self.name}' does not end an empty program; the bitstream is not what its "
                f"manifest says, or its clock or memory ports do not run: {_rebuild(self._manifest)}"
            )
        self.free(address)
        found = self.ip.control.value("identity")
        if found != IDENTITY:
            raise DeviceError(
                f"the block at the accelerator's address answers with identity 0x{found:08X}, not 0x{IDENTITY:08X}; "
                f".hwh and bitstream do not belong together: {_rebuild(self._manifest)}"
            )
        found = self.ip.control.value("config_hash")
        if found != self._manifest.config_hash:
            raise DeviceError(
                f"the bitstream was built for hardware 0x{found:08X}, its manifest says "
                f"0x{self._manifest.config_hash:08X} ('{self.hardware.name}'): {_rebuild(self._manifest)}"
            )


def _rebuild(manifest: BitstreamManifest) -> str:
    return f"build the bitstream again with `make bitstream BOARD={manifest.board} ENGINE={manifest.engine}`"


def _active_device() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the error below says it in a sentence
        try:
            return pynq.Device.active_device
        except RuntimeError as error:
            raise DeviceError(
                f"PYNQ finds no board ({error}); on a board work as root with XILINX_XRT=/usr set, over the network "
                f"set PYNQ_REMOTE_DEVICES to its address, on a PC use an engine such as Accelerator('csim')"
            ) from error


def _lock_name(device: Any) -> str:
    return f"{device.tag}-{getattr(device, 'ip_addr', 'here')}"


def _caller() -> int:
    """`stacklevel` of the first line outside this package, of whoever opens the board, for a warning of our caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == __package__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    return level


def _load(files: OverlayFiles, device: Any) -> Any:
    timing = files.manifest.timing
    if timing is not None and not timing.met:
        warnings.warn(
            f"the bitstream in {files.folder} did not meet its timing ({timing.worst_slack_ns:g} ns of slack at "
            f"{timing.clock_mhz:g} MHz); results may be wrong",
            stacklevel=_caller(),
        )
    try:
        return pynq.Overlay(str(files.bit.resolve()), device=device)
    except Exception as error:  # PYNQ raises whatever its layers do, even for plain causes
        raise DeviceError(
            f"PYNQ could not load {files.bit}: {type(error).__name__}: {error}; the .bit and .hwh must be for this "
            f"board, and the work must be done as root"
        ) from error


def _driver(overlay: Any, board: str) -> EdgeMoeIp:
    found = [path for path, facts in overlay.ip_dict.items() if facts["type"] == VLNV]
    if len(found) != 1:
        there = ", ".join(sorted(str(facts["type"]) for facts in overlay.ip_dict.values())) or "none"
        raise DeviceError(
            f"the .hwh for '{board}' names {len(found)} blocks of type {VLNV}, one is needed; it has {there}; "
            f"take the .hwh of the same build"
        )
    place = overlay
    for part in found[0].split("/"):
        place = getattr(place, part)
    if not isinstance(place, EdgeMoeIp):
        raise DeviceError(f"PYNQ bound {type(place).__name__} to the accelerator; another driver claims {VLNV}")
    return place
