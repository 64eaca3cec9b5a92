"""`edgemoe run INPUT`: pictures, a video or a camera through an engine; panels, arrays and a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from edgemoe.commands.common import add_model_arguments, obtain_program
from edgemoe.devices.registry import described_engines, open_device, require_engine
from edgemoe.errors import ArgumentError
from edgemoe.media.files import require_writable
from edgemoe.media.resize import MODES, resize
from edgemoe.media.sources import FrameSource, open_source
from edgemoe.media.writers import RunOptions, RunWriter
from edgemoe.session import Session

_VIDEO_RATE = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("input", help="a picture, a folder of pictures, a video file, or camera:0")
    add_model_arguments(parser)
    parser.add_argument("--device", default="golden", help=f"{described_engines()} (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for results (default: %(default)s)")
    parser.add_argument("--resize", choices=MODES, default="crop", help="fit of pictures (default: %(default)s)")
    parser.add_argument("--frames", type=int, help="stop after so many frames")
    parser.add_argument("--video", action="store_true", help="also write a video of the panels")
    parser.add_argument("--no-panels", action="store_true", help="write no panel pictures")
    parser.add_argument("--no-arrays", action="store_true", help="write no .npz files")


def main(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    if options.frames is not None and options.frames < 1:
        raise ArgumentError(f"--frames must be at least 1, found {options.frames}")
    require_engine(options.device)
    require_writable(options.out)
    source = open_source(options.input)
    program = obtain_program(options)
    manifest = program.manifest
    rate = (source.frames_per_second or _VIDEO_RATE) if options.video else None
    writes = RunOptions(panels=not options.no_panels, arrays=not options.no_arrays, video_rate=rate)
    with (
        open_device(options.device, manifest.hardware) as device,
        Session(program, device) as session,
        RunWriter(options.out, manifest.model, source.description, writes) as writer,
    ):
        if session.decoder_note:
            print(session.decoder_note, file=sys.stderr)
        frames, statement, milliseconds = _frames(source, options, session, writer)
    kinds = [kind for kind, wanted in (("panels", writes.panels), ("arrays", writes.arrays), ("video", rate)) if wanted]
    tasks, files = " and ".join(manifest.tasks), ", ".join([*kinds, "run.json"])
    print(
        f"{frames} frame{'s' if frames != 1 else ''} ({statement}) on '{options.device}' for {tasks}, "
        f"{milliseconds:.0f} ms each; {files} in {options.out}"
    )
    return 0


def _frames(
    source: FrameSource, options: argparse.Namespace, session: Session, writer: RunWriter
) -> tuple[int, str, float]:
    """Number of frames, what the resize did to the last, mean milliseconds of the engine's part."""
    model = session.program.manifest.model
    total = source.length if options.frames is None else min(options.frames, source.length or options.frames)
    count, statement, spent = 0, "", 0.0
    try:
        for name, picture in tqdm(source, total=total, desc=source.kind, unit="frame", file=sys.stderr):
            resized = resize(picture, model.image_height, model.image_width, options.resize)
            result = session.run(resized.frame)
            writer.write(name, result, resized)
            count, statement, spent = count + 1, resized.statement, spent + result.timings_ms["total"]
            if count == options.frames:
                break
    except KeyboardInterrupt:
        print("\nstopped by Ctrl-C; what was finished is kept", file=sys.stderr)
    return count, statement, spent / max(count, 1)
