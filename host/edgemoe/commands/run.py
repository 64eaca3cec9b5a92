"""`edgemoe run INPUT …`: pictures, videos or a camera through an engine; panels, arrays, pictures and a report."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from edgemoe.commands.common import add_model_arguments, obtain_program
from edgemoe.devices.registry import described_engines, open_device, require_engine
from edgemoe.errors import ArgumentError
from edgemoe.fitting import PictureFit
from edgemoe.media.errors import MediaError
from edgemoe.media.files import require_writable
from edgemoe.media.inputs import open_sources
from edgemoe.media.panel import PanelStyle
from edgemoe.media.resize import MODES
from edgemoe.media.run_report import STOPPED
from edgemoe.media.sources import FrameSource
from edgemoe.media.spans import Span
from edgemoe.media.writers import RunOptions, RunWriter
from edgemoe.session import Session
from edgemoe.spec.model import ModelConfig

_VIDEO_RATE = 10.0
_SHOWN = 10
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@dataclass
class _Progress:
    """What has been run: statements of the resize in the order of their first coming, and engine milliseconds."""

    frames: int = 0
    milliseconds: float = 0.0
    statements: dict[str, int] = field(default_factory=dict)
    stopped: bool = False

    def in_words(self) -> str:
        """Number of frames, and what became of their sizes."""
        first, *others = self.statements
        more = f" and {len(others)} other size{'s' if len(others) != 1 else ''}" if others else ""
        return f"{self.frames} frame{'s' if self.frames != 1 else ''} ({first}{more})"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument(
        "input",
        nargs="+",
        help="pictures, folders of pictures, video files, patterns such as 'in/*.jpg'; or camera:0; or - for a picture "
        "that is piped in",
    )
    add_model_arguments(parser)
    parser.add_argument("--device", default="golden", help=f"{described_engines()} (default: %(default)s)")
    parser.add_argument("--out", default="out", help="folder for results (default: %(default)s)")
    parser.add_argument("--resize", choices=MODES, default="crop", help="fit of pictures (default: %(default)s)")
    parser.add_argument("--frames", type=int, help="stop after so many frames")
    parser.add_argument("--video", action="store_true", help="also write a video of the panels")
    parser.add_argument(
        "--pictures", action="store_true", help="also write masks, depth and overlays as PNG, without a panel"
    )
    parser.add_argument("--no-panels", action="store_true", help="write no panel pictures")
    parser.add_argument("--no-arrays", action="store_true", help="write no .npz files")
    parser.add_argument(
        "--span",
        action="append",
        default=[],
        metavar="TASK=LOW,HIGH",
        help="values at the ends of a task's colours, as in depth=0,0.25 (default: of each picture; of a video, those "
        "that hold for all of its frames so far)",
    )


def main(options: argparse.Namespace) -> int:
    """Run; returns the exit status: 0 when all of the input was run, 1 when some was skipped, 130 after Ctrl-C."""
    if options.frames is not None and options.frames < 1:
        raise ArgumentError(f"--frames must be at least 1, found {options.frames}")
    if not options.out.strip():
        raise ArgumentError("--out is empty; name a folder, or write --out . for the current one")
    folder = Path(options.out)
    require_engine(options.device)
    require_writable(folder)
    source = open_sources(options.input)
    program = obtain_program(options)
    manifest = program.manifest
    rate = (source.frames_per_second or _VIDEO_RATE) if options.video else None
    writes = RunOptions(
        panels=not options.no_panels,
        arrays=not options.no_arrays,
        pictures=options.pictures,
        video_rate=rate,
        style=PanelStyle(spans=_spans(options.span, manifest.model)),
        steady=source.kind in ("video", "camera"),
    )
    for note in source.notes:
        print(f"edgemoe: note: {note}", file=sys.stderr)
    with (
        open_device(options.device, manifest.hardware) as device,
        Session(program, device) as session,
        RunWriter(folder, manifest.model, source.description, writes, source.notes) as writer,
    ):
        if session.decoder_note:
            print(session.decoder_note, file=sys.stderr)
        progress = _run(source, options, session, writer)
        if progress.stopped:
            writer.stop()
        elif not progress.frames:
            raise MediaError(writer.skipped[0].reason if writer.skipped else f"{source.description} gave no frame")
    if progress.frames:
        print(_summary(progress, options, manifest.tasks, folder))
    _warn(writer, folder)
    return INTERRUPTED if progress.stopped else 1 if writer.skipped else 0


def _run(source: FrameSource, options: argparse.Namespace, session: Session, writer: RunWriter) -> _Progress:
    """Run every frame; Ctrl-C ends it, and what was finished is kept."""
    fit, progress = PictureFit(session.program), _Progress()
    if fit.note:
        print(fit.note, file=sys.stderr)
    total = source.length if options.frames is None else min(options.frames, source.length or options.frames)
    try:
        frames = source.open_frames(writer.skip)
        for frame in tqdm(frames, total=total, desc=source.kind, unit="frame", file=sys.stderr):
            resized = fit(frame.picture, options.resize)
            result = session.run(resized.frame)
            writer.write(frame, result, resized)
            progress.frames += 1
            progress.milliseconds += result.timings_ms["total"]
            progress.statements[resized.statement] = progress.statements.get(resized.statement, 0) + 1
            if progress.frames == options.frames:
                break
    except KeyboardInterrupt:
        progress.stopped = True
    return progress


def _spans(texts: list[str], model: ModelConfig) -> dict[str, Span]:
    """`depth=0,0.25` → {"depth": (0, 0.25)}; raises ArgumentError, ConfigError for a task that the model lacks."""
    spans: dict[str, Span] = {}
    for text in texts:
        task, _, ends = text.partition("=")
        try:
            low, high = (float(end) for end in ends.split(","))
        except ValueError:
            low = high = 0.0
        if not abs(high - low) > 0 or abs(high - low) == float("inf"):
            raise ArgumentError(f"--span {text}: expected TASK=LOW,HIGH with two different numbers, as in depth=0,0.25")
        model.task_index(task)
        spans[task] = (low, high)
    return spans


def _summary(progress: _Progress, options: argparse.Namespace, tasks: tuple[str, ...], folder: Path) -> str:
    wanted = {"panels": not options.no_panels, "arrays": not options.no_arrays, "pictures": options.pictures}
    kinds = [kind for kind, written in {**wanted, "video": options.video}.items() if written]
    return (
        f"{progress.in_words()} on '{options.device}' for {' and '.join(tasks)}, "
        f"{progress.milliseconds / progress.frames:.0f} ms each; {', '.join([*kinds, 'run.json'])} in {folder}"
    )


def _warn(writer: RunWriter, folder: Path) -> None:
    """Say on standard error what is not as one would think."""
    if writer.earlier_results:
        count = len(writer.earlier_results)
        print(f"edgemoe: note: {folder} still holds {count} result{'s' if count != 1 else ''} of earlier runs",
              file=sys.stderr)  # fmt: skip
    for skipped in writer.skipped[:_SHOWN]:
        print(f"edgemoe: skipped: {skipped.reason}", file=sys.stderr)
    if len(writer.skipped) > _SHOWN:
        print(f"edgemoe: skipped: {len(writer.skipped) - _SHOWN} more, named in run.json", file=sys.stderr)
    if writer.stopped:
        print(f"edgemoe: {STOPPED}; what was finished is kept, and run.json says that it is not all", file=sys.stderr)
