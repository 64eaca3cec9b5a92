"""A board behind the device contract: overlay, driver, buffers and lock of one accelerator."""

from __future__ import annotations

import contextlib
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
from edgemoe.spec.interface import VLNV
from edgemoe.spec.isa import INSTRUCTION_BYTES
from edgemoe.spec.registers import IDENTITY, WEIGHT_PORTS

_REST_SECONDS = 1.0  # what a run that was given up may still take before the bitstream is loaded again
_PROBE_SECONDS = 5.0


class PynqDevice(Device):
    """One accelerator on a board, or on anything that PYNQ takes for one.

    files: the overlay, checked already. device: a `pynq.Device`, None for PYNQ's own choice.
    on_close: called last of all when the device is closed or has gone.
    Raises DeviceError: no board, in use by another process, or a bitstream that does not answer as its manifest says.
    """

    def __init__(self, files: OverlayFiles, device: Any = None, on_close: Callable[[], None] | None = None) -> None:
        self.name = files.manifest.board
        self.hardware = files.manifest.hardware
        self._manifest = files.manifest
        if device is None:
            device = _active_device()
        parts = _Parts(ProcessLock(_lock_name(device)), Buffers(device), on_close)
        self._parts = parts
        self._finalizer = weakref.finalize(self, parts.release)
        try:
            parts.overlay = _load(files, device)
            parts.ip = _driver(parts.overlay, self.name)
            self._configure()
            self._verify()
        except BaseException:
            self.close()
            raise

    @property
    def overlay(self) -> Any:
        """The `pynq.Overlay`, for looking under the hood."""
        return self._parts.overlay

    @property
    def ip(self) -> EdgeMoeIp:
        """The driver; raises DeviceError when the device is closed."""
        if self._parts.ip is None:
            raise DeviceError(f"device '{self.name}' is closed; open it again")
        return self._parts.ip

    @property
    def buffers(self) -> int:
        """Number of buffers in use."""
        return len(self._parts.buffers)

    def allocate(self, size: int) -> int:
        """See Device."""
        return self._parts.buffers.allocate(size)

    def free(self, address: int) -> None:
        """See Device."""
        self._parts.buffers.free(address)

    def write(self, address: int, data: Bytes) -> None:
        """See Device."""
        self._parts.buffers.write(address, data)

    def read(self, address: int, size: int) -> Bytes:
        """See Device."""
        return self._parts.buffers.read(address, size)

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
        """See Device; an accelerator that does not come to rest in a second is loaded afresh."""
        if self._parts.bring_to_rest():
            self._configure()

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
        """See Device."""
        self._finalizer()

    def _configure(self) -> None:
        """A watchdog of one second without any progress."""
        self.ip.configure(watchdog_cycles=min(self.hardware.clock_mhz * 1_000_000, 0xFFFFFFFF))

    def _verify(self) -> None:
        """Identity and configuration as the accelerator gives them, after a run of an empty program.

        The run makes the registers of HLS builds valid, and shows that the accelerator reads memory and ends.
        """
        address = self.allocate(INSTRUCTION_BYTES)
        try:
            self.write(address, np.zeros(INSTRUCTION_BYTES, dtype=np.uint8))
            names = ["program", "input", "output", *(f"weights_{port}" for port in range(WEIGHT_PORTS))]
            self.ip.start(dict.fromkeys(names, address))
            if not self.ip.control.wait(_PROBE_SECONDS, self.pause):
                self._parts.bring_to_rest()
                raise DeviceError(
                    f"the accelerator on '{self.name}' does not end an empty program; the bitstream is not what its "
                    f"manifest says, or its clock or memory ports do not run: {_rebuild(self._manifest)}"
                )
        finally:
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


class _Parts:
    """What is to be given back, apart from the device so that it can be done when that has gone."""

    def __init__(self, lock: ProcessLock, buffers: Buffers, on_close: Callable[[], None] | None) -> None:
        self.lock = lock
        self.buffers = buffers
        self.on_close = on_close
        self.overlay: Any = None
        self.ip: EdgeMoeIp | None = None

    def bring_to_rest(self) -> bool:
        """Wait for the end of a run, then load the bitstream again; True when that was needed."""
        if self.ip is None or self.ip.control.idle() or self.ip.control.wait(_REST_SECONDS, self.ip.pause):
            return False
        self.overlay.download()
        return True

    def release(self) -> None:
        """The accelerator first, so that it writes to no memory that others are given."""
        try:
            with contextlib.suppress(BoardGoneError):  # then its memory went with it
                self.bring_to_rest()
            self.ip = None
            self.buffers.free_all()
            if self.overlay is not None:
                self.overlay.free()
        finally:
            self.lock.release()
            if self.on_close is not None:
                self.on_close()


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


def _load(files: OverlayFiles, device: Any) -> Any:
    timing = files.manifest.timing
    if timing is not None and not timing.met:
        warnings.warn(
            f"the bitstream in {files.folder} did not meet its timing ({timing.worst_slack_ns:g} ns of slack at "
            f"{timing.clock_mhz:g} MHz); results may be wrong",
            stacklevel=4,
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
