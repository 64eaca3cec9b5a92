"""A run's outputs: per frame a panel, arrays and plain pictures, for the run a report and, when asked for, a video."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from edgemoe.media.arrays import frame_arrays, npz_bytes, png_bytes
from edgemoe.media.canvas import RGBPicture
from edgemoe.media.classes import top_classes
from edgemoe.media.errors import MediaError
from edgemoe.media.files import Names, write_whole
from edgemoe.media.panel import PanelStyle, draw_panel
from edgemoe.media.plain import plain_pictures
from edgemoe.media.resize import Resized
from edgemoe.media.run_report import (
    REPORT,
    STOPPED,
    VIDEO,
    frame_entry,
    model_facts,
    results_in,
    summary_of,
    versions,
    why_ended,
)
from edgemoe.media.sources import Skipped, SourceFrame
from edgemoe.media.spans import Span, default_span, steady_span
from edgemoe.media.video_writer import VideoWriter
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig


@dataclass(frozen=True)
class RunOptions:
    """What a run writes.

    panels, arrays: a panel and an `.npz` per frame. pictures: the plain pictures of `plain_pictures`.
    video_rate: a video of the panels, at the time stamps of its frames or else at so many per second; None: no video.
    style: of the panels. steady: one scale and one legend for all frames, as frames of a video need; a video of the
    panels has them in any case.
    """

    panels: bool = True
    arrays: bool = True
    pictures: bool = False
    video_rate: float | None = None
    style: PanelStyle = field(default_factory=PanelStyle)
    steady: bool = False


class RunWriter:
    """Writes `<name>.panel.png`, `<name>.npz`, `run.json`, `panel.mp4` and others into `folder`, made with the first
    frame.

    Use it in a `with` block. The files of one frame appear together or not at all. Leaving the block writes the
    report and the video of the frames so far; after an error, after Ctrl-C and where something was skipped the report
    says `"complete": false`. Without any frame nothing is written. Results of earlier runs in the folder stay, and the
    report names them as such.
    """

    def __init__(
        self,
        folder: str | Path,
        model: ModelConfig,
        source: str = "",
        options: RunOptions | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.skipped: list[Skipped] = []
        self.stopped = False
        self._folder = Path(folder)
        self._model = model
        self._source, self._notes = source, notes
        self._options = options or RunOptions()
        self._steady = self._options.steady or self._options.video_rate is not None
        self._names = Names()
        self._frames: list[dict[str, Any]] = []
        self._spans: dict[str, Span] = {}
        self._before = results_in(self._folder)
        self._due, self._begun, self._origin = 0.0, 0.0, ""  # of the video: its last frame; of the source: its start
        rate = self._options.video_rate
        self._video = None if rate is None else VideoWriter(self._folder / VIDEO, rate)
        self._run: dict[str, Any] = {}

    def write(self, frame: SourceFrame | str, result: FrameResult, resized: Resized | None = None) -> list[Path]:
        """Write one frame; returns the files. frame: as its source gave it, or only its name.

        Raises MediaError, or ArgumentError when result and model differ.
        """
        result.check(self._model)
        name, source, seconds = _place(frame)
        stem = self._names.take(name)
        contents: dict[str, bytes] = {}
        inner = resized.inner if resized else None
        style = self._style(result, resized)
        panel: RGBPicture | None = None
        if self._options.panels or self._video is not None:
            statement = resized.statement if resized else ""
            panel = draw_panel(result, self._model, _title(name, source, seconds), statement, style, inner)
        if self._options.panels and panel is not None:
            contents[f"{stem}.panel.png"] = png_bytes(panel)
        if self._options.arrays:
            contents[f"{stem}.npz"] = npz_bytes(frame_arrays(result, self._model))
        if self._options.pictures:
            pictures = plain_pictures(result, self._model, style.spans, inner)
            contents |= {f"{stem}.{ending}": content for ending, content in pictures.items()}
        paths = write_whole(self._folder, contents) if contents else []
        self._run = {"engine": result.engine, "model": result.model, "hardware": result.hardware}
        entry = frame_entry(name, source, seconds, list(contents), result, resized)
        self._frames.append(entry | _classes(result, self._model) | _decoded(result))
        if self._video is not None and panel is not None:
            self._due = self._when_due(source, seconds)
            self._video.write(panel, self._due)
        return paths

    def skip(self, skipped: Skipped) -> None:
        """Note an input that could not be read; the run goes on, and is not complete."""
        self.skipped.append(skipped)

    def stop(self) -> None:
        """Note that the user has ended the run before its end."""
        self.stopped = True

    def close(self, error: BaseException | None = None) -> None:
        """Write the report and finish the video; `error` is what ended the run early, if anything did."""
        if not self._frames:
            self._discard_video()
            return
        try:
            if self._video is not None:
                self._video.close()
            text = json.dumps(self._report(error), indent=2, ensure_ascii=False) + "\n"
            write_whole(self._folder, {REPORT: text.encode(errors="backslashreplace")})
        except BaseException:
            self._discard_video()
            raise

    @property
    def earlier_results(self) -> list[str]:
        """Files of earlier runs that are still in the folder."""
        written = {name for frame in self._frames for name in frame["files"]}
        written |= {REPORT, *([VIDEO] if self._video is not None else [])}
        return sorted(name for name in self._before - written if (self._folder / Path(name).name).is_file())

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close(error)
        except MediaError:
            # The first error is the one to show; a full disk would only be reported twice.
            return

    def _style(self, result: FrameResult, resized: Resized | None) -> PanelStyle:
        """The style with the span of every regression."""
        for task in self._model.tasks:
            if task.kind != "regression" or task.name not in result.outputs:
                continue
            inner, size = (resized.inner if resized else None), result.frame.shape[:2]
            span = default_span(task, result.outputs[task.name], inner, size)
            before = self._spans.get(task.name)
            self._spans[task.name] = steady_span(task.unit, before, span) if self._steady else span
        style = self._options.style
        return replace(style, spans={**self._spans, **style.spans}, whole_legend=style.whole_legend or self._steady)

    def _when_due(self, source: str, seconds: float | None) -> float:
        """When a frame of the video is due: at the time stamps of its source, whose first frame follows at the rate."""
        following = self._due + 1 / (self._options.video_rate or 1) if self._frames[1:] else 0.0
        if seconds is None:
            return following
        if source != self._origin or not self._frames[1:]:
            self._origin, self._begun = source, following - seconds
        return max(self._begun + seconds, self._due)

    def _discard_video(self) -> None:
        if self._video is not None:
            self._video.discard()

    def _report(self, error: BaseException | None) -> dict[str, Any]:
        return {
            "complete": error is None and not self.skipped and not self.stopped,
            "error": STOPPED if self.stopped else why_ended(error),
            "source": self._source,
            "skipped": [asdict(each) for each in self.skipped],
            "notes": list(self._notes),
            **self._run,
            **model_facts(self._model),
            "versions": versions(),
            "summary": summary_of(self._frames),
            "video": VIDEO if self._video is not None else None,
            "earlier_results": self.earlier_results,
            "frames": self._frames,
        }


def _place(frame: SourceFrame | str) -> tuple[str, str, float | None]:
    """Name, source and time stamp."""
    return (frame, "", None) if isinstance(frame, str) else (frame.name, frame.source, frame.seconds)


def _title(name: str, source: str, seconds: float | None) -> str:
    """What a panel is called: the file with its suffix, and the time in a video."""
    if seconds is not None:
        minutes, rest = divmod(seconds, 60)
        return f"{Path(source).name}  ·  {int(minutes)}:{rest:05.2f}"
    return Path(source).name if Path(source).stem == name else name


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
