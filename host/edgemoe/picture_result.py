"""What `Accelerator` gives for a picture: the result of a session that knows its model and can show itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgemoe.errors import ArgumentError
from edgemoe.media.arrays import png_bytes
from edgemoe.media.colours import class_colours
from edgemoe.media.decode import decode
from edgemoe.media.figures import features_picture, regression_picture, segmentation_picture
from edgemoe.media.layout import Layout
from edgemoe.media.panel import PanelStyle, draw_panel
from edgemoe.media.resize import Resized
from edgemoe.media.sources import SourceFrame
from edgemoe.media.spans import default_span
from edgemoe.media.writers import RunOptions, RunWriter
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig


@dataclass(frozen=True, eq=False, repr=False)
class PictureResult(FrameResult):
    """A FrameResult with its model and the way of its picture to the model's size.

    config: the model. resized: how the picture was fitted; `resized.to_source` lays a map back over it. name: of the
    file, where the picture came from one. In a notebook it shows its panel.
    """

    config: ModelConfig | None = None
    resized: Resized | None = None
    name: str = ""

    @classmethod
    def of(cls, result: FrameResult, config: ModelConfig, resized: Resized, name: str = "") -> PictureResult:
        """The same result, with its model and picture."""
        values = {each.name: getattr(result, each.name) for each in fields(FrameResult)}
        return cls(**values, config=config, resized=resized, name=name)

    def map(self, task: str) -> NDArray[np.generic]:
        """What a task says, pixel by pixel at the model's size; see `edgemoe.media.decode.decode`.

        Raises ArgumentError for a task that was not run.
        """
        chosen, output = self._task(task)
        return decode(chosen, output, *self.frame.shape[:2])

    def picture(self, task: str) -> Image.Image:
        """What a task says, in colour as on the panel; raises ArgumentError for a task that has no picture."""
        chosen, output = self._task(task)
        model = self._model()
        layout, inner = Layout.of(model, 1, False), self.resized.inner if self.resized else None
        height, width = layout.height, layout.width
        if chosen.kind == "segmentation":
            table = class_colours(chosen.labels, chosen.channels)
            return Image.fromarray(segmentation_picture(self.frame, output, table, height, width, inner))
        if chosen.kind == "features":
            grid = (model.grid_height, model.grid_width)
            return Image.fromarray(features_picture(output[model.prefix_tokens :], grid, height, width))
        if chosen.kind == "classification":
            raise ArgumentError(f"task '{task}' is a classification and has no picture; panel() shows its classes")
        shown = output if chosen.channels == 3 else output[0]
        part = None if inner is None else (self.frame.shape[:2], inner)
        return Image.fromarray(regression_picture(shown, default_span(chosen, output), height, width, part))

    def panel(self, style: PanelStyle | None = None) -> Image.Image:
        """The page that `edgemoe run` writes: picture, every task's answer, experts and times."""
        statement, inner = (self.resized.statement, self.resized.inner) if self.resized else ("", None)
        return Image.fromarray(draw_panel(self, self._model(), self.name, statement, style, inner))

    def save(self, folder: str | Path, name: str = "") -> list[Path]:
        """Write panel, arrays, plain pictures and `run.json` into `folder`; returns the files of the frame.

        Raises MediaError.
        """
        stem = Path(name or self.name).stem or "frame"
        with RunWriter(folder, self._model(), self.name, RunOptions(pictures=True)) as writer:
            return writer.write(SourceFrame(stem, self.frame, self.name), self, self.resized)

    def _repr_png_(self) -> bytes:
        """Jupyter asks for this."""
        return png_bytes(np.asarray(self.panel()))

    def _model(self) -> ModelConfig:
        if self.config is None:
            raise ArgumentError("this result knows no model; PictureResult.of(result, config, resized) gives it one")
        return self.config

    def _task(self, name: str) -> tuple[TaskConfig, Any]:
        if name not in self.outputs:
            raise ArgumentError(f"task '{name}' was not run; there are {', '.join(self.outputs)}")
        model = self._model()
        return model.tasks[model.task_index(name)], self.outputs[name]
