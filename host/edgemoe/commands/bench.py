"""`edgemoe bench`: latency, frame rate and, on a board, power; a table and a JSON file."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from edgemoe.commands.common import (
    add_model_arguments,
    frame_of,
    is_program,
    obtain_program,
    picture_of,
    table,
    task_names,
)  # fmt: skip
from edgemoe.compiler.program import Manifest, Program
from edgemoe.devices.registry import described_engines, open_device, require_engine
from edgemoe.errors import ArgumentError
from edgemoe.measure import Measurement, Rails, measure, same_values
from edgemoe.media.files import require_writable, write_whole
from edgemoe.session import Session
from edgemoe.shipped import model_folder
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config

_SEED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument("--device", default="golden", help=f"{described_engines()} (default: %(default)s)")
    parser.add_argument("--input", help="a picture to run (default: noise from a fixed seed)")
    parser.add_argument("--frames", type=int, default=20, help="single frames for the latency (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="length of the stream, and of each pause (default: %(default)s)"
    )
    parser.add_argument("--rails", help="power rails to count, separated by commas (default: all that there are)")
    parser.add_argument("--check", action="store_true", help="also compare with the golden engine")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write; 1 when values differ from frame to frame or from golden."""
    if options.frames < 1 or not 0 < options.seconds < 86400:
        raise ArgumentError(f"--frames and --seconds must be positive, found {options.frames} and {options.seconds:g}")
    require_engine(options.device)
    if options.out is not None:
        require_writable(options.out.parent)
    picture = picture_of(options.input)
    ready = obtain_program(options) if is_program(model_folder(options.model)) else None
    with open_device(options.device, _hardware(options, ready)) as device:
        rails = _rails(device.power_rails(), options.rails)
        options.hardware = options.hardware or device.hardware.name
        program = ready or obtain_program(options)
        frame = frame_of(picture, program, _SEED)
        with (
            Session(program, device) as session,
            tqdm(
                total=options.frames, desc=f"bench on {device.name}", unit="frame", file=sys.stderr, leave=False
            ) as bar,
        ):
            found, result = measure(session, frame, options.frames, options.seconds, rails, bar.update)
        facts = device.facts()
    equal = None
    if options.check:
        with open_device("golden", program.manifest.hardware) as golden, Session(program, golden) as session:
            equal = same_values(session.run(frame), result)
    shown = options.input or f"noise, seed {_SEED}"
    report = _report(options.device, program.manifest, found, shown, facts, equal)
    print(_printed(report, found))
    if options.out is not None:
        write_whole(options.out.parent, {options.out.name: (json.dumps(report, indent=1) + "\n").encode()})
        print(f"written to {options.out}")
    return 0 if found.steady and equal is not False else 1


def _hardware(options: argparse.Namespace, ready: Program | None) -> HardwareConfig | None:
    """None leaves it to the device."""
    if ready is not None:
        return ready.manifest.hardware
    return None if options.hardware is None else load_hardware_config(options.hardware)


def _rails(there: Rails, wanted: str | None) -> Rails:
    if wanted is None:
        return there
    names = task_names(wanted) or ()
    for name in names:
        if name not in there:
            raise ArgumentError(f"no power rail '{name}'; there are {', '.join(there) or 'none'}")
    return {name: there[name] for name in names}


def _report(
    device: str, manifest: Manifest, found: Measurement, shown: str, facts: dict[str, object], equal: bool | None
) -> dict[str, Any]:
    return {
        "device": device,
        "facts": facts,
        "model": manifest.model.name,
        "hardware": manifest.hardware.name,
        "precision": manifest.hardware.precision,
        "tasks": list(manifest.tasks),
        "input": shown,
        **asdict(found),
        "power_note": "measured" if found.power else "not measured: this device has no power rails to read",
        "equal_to_golden": equal,
        "host": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def _printed(report: dict[str, Any], found: Measurement) -> str:
    rows = [
        (name, spread.median, spread.shortest, spread.p95, spread.longest)
        for name, spread in (("frame", found.latency_ms), ("engine's part", found.engine_ms))
    ]
    lines = [
        f"{report['model']} ({', '.join(report['tasks'])}) on '{report['device']}', {report['facts']['kind']}, "
        f"hardware '{report['hardware']}'",
        table(("ms", "median", "shortest", "95 %", "longest"), rows),
        f"{found.frames_per_second:.2f} frames per second with two in flight, over {found.streamed} frames",
    ]
    if "cycles" in found.counters:
        lines.append(f"{found.counters['cycles']:,} cycles counted by the accelerator")
    if found.power is None:
        lines.append(f"power {report['power_note']}")
    else:
        power = found.power
        lines.append(
            table(("rail", "W at rest", "W busy"), [(n, power.rested[n], power.busy[n]) for n in power.rested])
        )
        lines.append(
            f"{power.busy_watts:.2f} W busy, {power.rested_watts:.2f} W at rest; "
            f"{power.joules_per_frame * 1e3:.2f} mJ per frame above rest"
        )
    if not found.steady:
        lines.append("VALUES DIFFER from frame to frame although the frame is the same")
    if report["equal_to_golden"] is not None:
        lines.append(f"values are {'equal to' if report['equal_to_golden'] else 'DIFFERENT from'} the golden engine's")
    return "\n".join(lines)
