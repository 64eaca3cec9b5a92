"""A run's outputs: per frame a panel and its arrays, for the whole run a report and, when asked for, a video."""

from __future__ import annotations

import io
import json
import platform
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from edgemoe.media.canvas import RGBPicture
from edgemoe.media.classes import top_classes
from edgemoe.media.decode import decode
from edgemoe.media.errors import MediaError
from edgemoe.media.files import Names, write_whole
from edgemoe.media.panel import PanelStyle, default_span, draw_panel
from edgemoe.media.resize import Resized
from edgemoe.media.video import VideoWriter
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig
from edgemoe.version import version

REPORT = "run.json"
VIDEO = "panel.mp4"
_SPAN_FOLLOW = 0.1


@dataclass(frozen=True)
class RunOptions:
    """What a run writes: panels, arrays, and a video of the panels at `video_rate` frames per second (None: none)."""

    panels: bool = True
    arrays: bool = True
    video_rate: float | None = None
    style: PanelStyle = field(default_factory=PanelStyle)


class RunWriter:
    """Writes `<name>.panel.png`, `<name>.npz`, `run.json`, `panel.mp4` into `folder`, made with the first frame.

    Use it in a `with` block. The files of one frame appear together or not at all. Leaving the block writes the
    report and the video of the frames so far; after an error the report says `"complete": false`; Ctrl-C counts as
    a normal end. Without any frame nothing is written.
    """

    def __init__(
        self, folder: str | Path, model: ModelConfig, source: str = "", options: RunOptions | None = None
    ) -> None:
        self._folder = Path(folder)
        self._model = model
        self._source = source
        self._options = options or RunOptions()
        self._names = Names()
        self._frames: list[dict[str, Any]] = []
        self._spans: dict[str, tuple[float, float]] = {}
        rate = self._options.video_rate
        self._video = None if rate is None else VideoWriter(self._folder / VIDEO, rate)
        self._run: dict[str, Any] = {}

    def write(self, name: str, result: FrameResult, resized: Resized | None = None) -> list[Path]:
        """Write one frame; returns the files. Raises MediaError, or ArgumentError when result and model differ."""
        result.check(self._model)
        stem = self._names.take(name)
        contents: dict[str, bytes] = {}
        statement = resized.statement if resized else ""
        panel: RGBPicture | None = None
        if self._options.panels or self._video is not None:
            panel = draw_panel(result, self._model, name, statement, self._style(result))
        if self._options.panels and panel is not None:
            contents[f"{stem}.panel.png"] = png_bytes(panel)
        if self._options.arrays:
            contents[f"{stem}.npz"] = npz_bytes(frame_arrays(result, self._model))
        paths = write_whole(self._folder, contents) if contents else []
        self._run = {"engine": result.engine, "model": result.model, "hardware": result.hardware}
        report = _frame_report(name, list(contents), result, resized)
        self._frames.append(report | _classes(result, self._model) | _decoded(result))
        if self._video is not None and panel is not None:
            self._video.write(panel)
        return paths

    def close(self, error: BaseException | None = None) -> None:
        """Write the report and finish the video; `error` is what ended the run early, if anything did."""
        if not self._frames:
            self._discard_video()
            return
        try:
            if self._video is not None:
                self._video.close()
            report = self._report(error)
            text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
            write_whole(self._folder, {REPORT: text.encode()})
        except BaseException:
            self._discard_video()
            raise

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.close()
            return
        try:
            self.close(error)
        except MediaError:
            # The first error is the one to show; a full disk would only be reported twice.
            return

    def _style(self, result: FrameResult) -> PanelStyle:
        """The style with spans that follow the frames slowly, so that the colours of a video do not flicker."""
        for task in self._model.tasks:
            if task.kind != "regression" or task.name not in result.outputs:
                continue
            span = default_span(task, result.outputs[task.name])
            before = self._spans.get(task.name, span)
            follow = _SPAN_FOLLOW if self._video is not None else 1.0
            low, high = (old + (new - old) * follow for old, new in zip(before, span, strict=True))
            self._spans[task.name] = (low, high)
        style = self._options.style
        return replace(style, spans={**self._spans, **style.spans})

    def _discard_video(self) -> None:
        if self._video is not None:
            self._video.discard()

    def _report(self, error: BaseException | None) -> dict[str, Any]:
        totals = [frame["timings_ms"]["total"] for frame in self._frames if "total" in frame["timings_ms"]]
        summary: dict[str, Any] = {"frames": len(self._frames)}
        if totals:
            summary["total_ms"] = {
                "mean": float(np.mean(totals)),
                "median": float(np.median(totals)),
                "min": float(np.min(totals)),
                "max": float(np.max(totals)),
            }
        return {
            "complete": error is None,
            "error": None if error is None else str(error) or type(error).__name__,
            "source": self._source,
            **self._run,
            "model_hash": f"{self._model.hash():08x}",
            "tasks": [task.name for task in self._model.tasks],
            "versions": versions(),
            "summary": summary,
            "video": VIDEO if self._video is not None else None,
            "frames": self._frames,
        }


def frame_arrays(result: FrameResult, model: ModelConfig) -> dict[str, NDArray[np.generic]]:
    """The arrays of one `.npz`, by name.

    `frame` uint8 H×W×3; per task `output.<task>` float32 C×cells, `map.<task>` at the model's size (uint16 classes or
    float32 values; class probabilities; features); per MoE block `experts.<task>.<block>` uint16 and
    `scores.<task>.<block>` float32, tokens×k; `decoded.<name>` float32 of a host decoder.
    """
    arrays: dict[str, NDArray[np.generic]] = {"frame": result.frame}
    for task in model.tasks:
        if task.name in result.outputs:
            output = result.outputs[task.name]
            arrays[f"output.{task.name}"] = output
            arrays[f"map.{task.name}"] = decode(task, output, model.image_height, model.image_width)
    arrays |= {f"decoded.{name}": value for name, value in result.decoded.items()}
    for name, blocks in result.routing.items():
        for block, (experts, scores) in blocks.items():
            arrays[f"experts.{name}.{block}"] = experts
            arrays[f"scores.{name}.{block}"] = scores
    return arrays


def png_bytes(picture: RGBPicture) -> bytes:
    """Encode uint8 h×w×3 as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def npz_bytes(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """Encode arrays as a compressed `.npz` that needs no pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def versions() -> dict[str, str]:
    """Versions of what made the outputs."""
    numpy, pillow = np.__version__, PIL.__version__
    return {"edgemoe": version(), "python": platform.python_version(), "numpy": numpy, "pillow": pillow}


def _classes(result: FrameResult, model: ModelConfig) -> dict[str, Any]:
    """The most likely classes of every classification, for the report; empty without one."""
    found = {
        task.name: [asdict(each) for each in top_classes(task, result.outputs[task.name])]
        for task in model.tasks
        if task.kind == "classification" and task.name in result.outputs
    }
    return {"classes": found} if found else {}


def _decoded(result: FrameResult) -> dict[str, Any]:
    """Shape and span of what a host decoder gave, for the report; empty without one."""
    found = {
        name: {"shape": list(value.shape), "least": float(value.min()), "largest": float(value.max())}
        for name, value in result.decoded.items()
        if value.size
    }
    return {"decoded": found} if found else {}


def _frame_report(name: str, files: list[str], result: FrameResult, resized: Resized | None) -> dict[str, Any]:
    report: dict[str, Any] = {"name": name, "files": files}
    if resized is not None:
        report["resize"] = resized.statement
        report["box"] = list(resized.box)
    report["timings_ms"] = {key: float(value) for key, value in result.timings_ms.items()}
    report["counters"] = {key: int(value) for key, value in result.counters.items()}
    return report
