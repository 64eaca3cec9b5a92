"""Accelerator: a model on an engine in three lines, the same on a PC and on a board.

with Accelerator("golden") as accelerator:
    accelerator.load()
    accelerator("street.jpg").panel().save("street.panel.png")
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.base import Device
from edgemoe.devices.exclusive import ExclusiveUse, Use
from edgemoe.devices.registry import open_device
from edgemoe.errors import ArgumentError
from edgemoe.fitting import PictureFit
from edgemoe.media.accept import as_picture
from edgemoe.media.resize import Resized
from edgemoe.picture_result import PictureResult
from edgemoe.results import FrameResult
from edgemoe.session import Session, SessionError
from edgemoe.shipped import model_folder
from edgemoe.spec.checkpoint import CONFIG_FILE
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import ModelConfig, load_model_config


class Accelerator:
    """One engine with one model at a time.

    engine: a name of edgemoe.devices.registry: an engine on this computer, or the board that it runs on.
    hardware: the configuration that programs are compiled for; None means what the board's bitstream was built for,
    and `zcu102` for an engine. timeout: seconds that one frame may take, None: see Session.
    Programs are compiled on first use of a choice of tasks and stay on the device until another model is loaded.
    It does one thing at a time: a call, a load or a second stream during a call or a stream, also from another thread
    or a signal handler, and anything in a forked child, is refused with SessionError before anything is written.
    Threads that share one take turns by a lock of their own. `close` alone may come during a stream; it ends it.
    Raises DeviceError for an unknown engine, one that cannot be built here or a board that cannot be used,
    OverlayError for a bitstream that cannot be used, ConfigError for unknown hardware.
    """

    def __init__(
        self, engine: str = "golden", hardware: str | HardwareConfig | None = None, timeout: float | None = None
    ) -> None:
        wanted = load_hardware_config(hardware) if isinstance(hardware, str) else hardware
        self._engine = engine
        self._device: Device | None = open_device(engine, wanted)
        self.hardware = self._device.hardware
        self._timeout = timeout
        self._folder: Path | None = None
        self._sessions: dict[tuple[str, ...] | None, tuple[Session, PictureFit]] = {}
        self._use = ExclusiveUse(f"the accelerator on '{self._device.name}'")

    @property
    def device(self) -> Device:
        """The device, for looking under the hood; raises SessionError when this is closed."""
        if self._device is None:
            raise SessionError("this accelerator is closed; make a new one")
        return self._device

    @property
    def model(self) -> ModelConfig:
        """Configuration of the model in use; raises SessionError before load(), ConfigError where it cannot be read."""
        return load_model_config(self._loaded() / CONFIG_FILE)

    def load(self, model: str | Path | None = None) -> Accelerator:
        """Use a model from now on; checked when the first frame needs it. Returns this accelerator.

        model: a checkpoint folder, or the name of a shipped model, such as mini; None: the shipped model that is
        preferred.
        Raises SessionError during a call or a stream, CheckpointError where there is no such folder or model.
        """
        folder = model_folder(model)
        use = Use("the loading of a model")
        try:
            self._take(use)
            self._drop_sessions()
            self._folder = folder
            return self
        finally:
            self._use.uses.pop(use, None)

    def __call__(self, frame: Any, tasks: Sequence[str] | None = None) -> PictureResult:
        """One picture of any size (the centre is cropped to the model's aspect).

        frame: a path, a Pillow image, or an array: uint8 height×width×3 RGB, ×4 RGBA, or height×width grey; see
        `edgemoe.media.accept.as_picture`. tasks: None means all of the model's, a string one of them.
        Raises ArgumentError for what is no picture, MediaError for a file that cannot be read, SessionError for faults
        of the device and while it is in use; CheckpointError, ConfigError, ProgramError, DoesNotFitError for a model
        that cannot be used.
        """
        use = Use("a frame")
        try:
            self._take(use)
            session, fit = self._session(tasks)
            resized = fit(as_picture(frame))
            return _shown(session, resized, frame, session.run(resized.frame))
        finally:
            self._use.uses.pop(use, None)

    def stream(self, frames: Iterable[Any], tasks: Sequence[str] | None = None) -> Iterator[PictureResult]:
        """Pictures of any size → results in order, two frames in flight; see Session.stream. Raises as a call does."""
        use = Use("the beginning of a stream")
        try:
            self._take(use)
            session, fit = self._session(tasks)
        finally:
            self._use.uses.pop(use, None)
        return _streamed(session, fit, frames)

    def close(self) -> None:
        """Give back memory and device; ends a stream, harmless to repeat.

        Raises SessionError, and gives nothing back, during a call or stream of another thread.
        """
        use = Use("the closing of the accelerator")
        try:
            refusal = self._use.take_to_close(use)
            if refusal is not None:
                raise SessionError(refusal)
            self._drop_sessions()
            if self._device is not None:
                self._device.close()
                self._device = None
        finally:
            self._use.uses.pop(use, None)

    def __repr__(self) -> str:
        state = "closed" if self._device is None else f"hardware '{self.hardware.name}', model {self._model_name()}"
        return f"<Accelerator on '{self._engine}': {state}>"

    def _model_name(self) -> str:
        return f"'{self._folder.name}'" if self._folder else "not loaded yet"

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, use: Use) -> None:
        """Begin to use this; SessionError while it, or a stream on its device, is in use."""
        refusal = self._use.take(use) or self.device.use.refusal()
        if refusal is not None:
            raise SessionError(refusal)

    def _session(self, names: Sequence[str] | None) -> tuple[Session, PictureFit]:
        tasks = _names_of(names)
        device = self.device
        folder = self._loaded()
        if tasks not in self._sessions:
            program = compile_checkpoint(folder, tasks, self.hardware)
            fit = PictureFit(program)
            self._sessions[tasks] = Session(program, device, self._timeout), fit
        return self._sessions[tasks]

    def _loaded(self) -> Path:
        if self._folder is None:
            raise SessionError("no model is loaded; call load() for the one of this package, or load('FOLDER')")
        return self._folder

    def _drop_sessions(self) -> None:
        for tasks in list(self._sessions):
            self._sessions[tasks][0].close()
            del self._sessions[tasks]


def _names_of(tasks: Sequence[str] | None) -> tuple[str, ...] | None:
    """Raises ArgumentError for what names no tasks."""
    names = (tasks,) if isinstance(tasks, str) else tasks
    if names is None:
        return None
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"tasks are named by strings, as in tasks=('semseg', 'depth'), found {tasks!r}")
    return tuple(names)


def _shown(session: Session, resized: Resized, frame: Any, result: FrameResult) -> PictureResult:
    name = Path(os.fspath(frame)).name if isinstance(frame, str | os.PathLike) else ""
    return PictureResult.of(result, session.program.manifest.model, resized, name)


def _streamed(session: Session, fit: PictureFit, frames: Iterable[Any]) -> Iterator[PictureResult]:
    waiting: deque[tuple[Resized, Any]] = deque()  # what is in flight

    def fitted() -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            resized = fit(as_picture(frame))
            waiting.append((resized, frame if isinstance(frame, str | os.PathLike) else None))
            yield resized.frame

    with closing(session.stream(fitted())) as results:
        for result in results:
            yield _shown(session, *waiting.popleft(), result)
