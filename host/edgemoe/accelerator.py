"""Accelerator: a model on an engine in three lines.

with Accelerator("csim") as accelerator:
    accelerator.load("models/mini")
    result = accelerator(frame, tasks=("semseg", "depth"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.base import Device
from edgemoe.devices.registry import open_device
from edgemoe.media.resize import resize
from edgemoe.media.results import FrameResult
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config


class Accelerator:
    """One engine with one model at a time.

    engine: a name of edgemoe.devices.registry. hardware: the configuration that programs are compiled for.
    Programs are compiled on first use of a choice of tasks and stay on the device until another model is loaded.
    Raises DeviceError for an unknown engine or one that cannot be built here, ConfigError for unknown hardware.
    """

    def __init__(self, engine: str = "golden", hardware: str | HardwareConfig = "zcu102") -> None:
        self.hardware = hardware if isinstance(hardware, HardwareConfig) else load_hardware_config(hardware)
        self._device: Device | None = open_device(engine, self.hardware)
        self._folder: Path | None = None
        self._sessions: dict[tuple[str, ...] | None, Session] = {}

    def load(self, folder: str | Path) -> None:
        """Use the checkpoint in `folder` from now on; checked when the first frame needs it."""
        self._drop_sessions()
        self._folder = Path(folder)

    def __call__(self, frame: NDArray[np.uint8], tasks: Sequence[str] | None = None) -> FrameResult:
        """One picture, uint8 height×width×3 RGB of any size (the centre is cropped to the model's aspect).

        tasks: None means all of the model's. Raises SessionError before `load` and for faults of the device;
        CheckpointError, ConfigError, ProgramError, DoesNotFitError for a model that cannot be used.
        """
        session = self._session(None if tasks is None else tuple(tasks))
        model = session.program.manifest.model
        return session.run(resize(frame, model.image_height, model.image_width).frame)

    def close(self) -> None:
        """Give back memory and device; harmless to repeat."""
        self._drop_sessions()
        if self._device is not None:
            self._device.close()
            self._device = None

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _session(self, tasks: tuple[str, ...] | None) -> Session:
        if self._device is None:
            raise SessionError("this accelerator is closed; make a new one")
        if self._folder is None:
            raise SessionError("no model is loaded; call load('models/mini') or another checkpoint folder first")
        if tasks not in self._sessions:
            self._sessions[tasks] = Session(compile_checkpoint(self._folder, tasks, self.hardware), self._device)
        return self._sessions[tasks]

    def _drop_sessions(self) -> None:
        while self._sessions:
            self._sessions.popitem()[1].close()
