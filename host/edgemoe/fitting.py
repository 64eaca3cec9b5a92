"""Any picture → the frame that a program takes: resized, and by the network's own preprocessing where it brings some.

An imported ONNX graph may resize, crop or border its picture before the patches are embedded. That part comes with a
checkpoint as `preprocessor.onnx`, travels inside programs, and takes and gives bytes. It needs the extra `onnx`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.errors import ArgumentError
from edgemoe.host_graph import HostGraph
from edgemoe.media.resize import Resized, resize
from edgemoe.spec.model import ModelConfig

Frame = NDArray[np.uint8]
_BYTES = "tensor(uint8)"


class HostPreprocessor:
    """Frames [h, w, 3] of the size that the network takes → frames [H, W, 3] that its patches are cut from.

    size: (h, w). Raises ProgramError for a graph that does not fit the model.
    """

    def __init__(self, content: bytes, model: ModelConfig) -> None:
        called = f"preprocessor of model '{model.name}'"
        self._graph = HostGraph(
            content, called, rewrites=False
        )  # it moves transposes behind resizes that it then lacks
        self._wanted = (model.image_height, model.image_width, 3)
        shape, kind = self._graph.shape, self._graph.type
        if len(shape) != 4 or (shape[0], shape[3]) != (1, 3) or min(shape) < 1 or kind != _BYTES:
            raise ProgramError(f"{called} takes {kind} {list(shape)}; expected bytes [1, height, width, 3]")
        if len(self._graph.outputs) != 1:
            raise ProgramError(f"{called} has {len(self._graph.outputs)} outputs; expected one, the picture")
        self.size = (shape[1], shape[2])

    def __call__(self, frame: Frame) -> Frame:
        """The frame as the trunk takes it; raises ProgramError where the graph gives something else."""
        found: Any = self._graph.run(frame)[self._graph.outputs[0]]
        if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape != (1, *self._wanted):
            got = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise ProgramError(f"{self._graph.called} gave {got}; the model takes uint8 {(1, *self._wanted)}")
        return np.ascontiguousarray(found[0])


class PictureFit:
    """Brings pictures to what a program takes.

    note: why the network's own preprocessing cannot run here, or "". Raises ProgramError for a graph of no use.
    """

    def __init__(self, program: Program) -> None:
        self.model, self.note = program.manifest.model, ""
        self._preprocessor: HostPreprocessor | None = None
        if program.preprocessor:
            try:
                self._preprocessor = HostPreprocessor(program.preprocessor, self.model)
            except ArgumentError as error:
                size = f"{self.model.image_width}×{self.model.image_height}"
                self.note = f"{error}; pictures are brought to {size} without it"

    def __call__(self, picture: Frame, mode: str = "crop") -> Resized:
        """uint8 h×w×3 RGB → the model's size; modes: see edgemoe.media.resize. Raises as `resize` does."""
        model, own = self.model, self._preprocessor
        if own is None:
            return resize(picture, model.image_height, model.image_width, mode)
        height, width = own.size
        fitted = resize(picture, height, width, mode)
        rows, columns = model.image_height / height, model.image_width / width
        left, top, right, bottom = fitted.inner
        inner = (round(left * columns), round(top * rows), round(right * columns), round(bottom * rows))
        statement = f"{fitted.statement} → its own preprocessing to {model.image_width}×{model.image_height}"
        return replace(fitted, frame=own(fitted.frame), inner=inner, statement=statement)
