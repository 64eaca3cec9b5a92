"""Held-out scenes on an engine, each equal to golden: `make eval MODEL=tiny ENGINE=rtl`, or csim.

Every frame is compared with == in all outputs and all routing. A frame of the RTL engine takes many seconds, so each is
written down when it is there: build/reports/eval_ENGINE.json keeps it until the model, the shape or the sources change,
and an interrupted run goes on. With --workers or --scheduler, frames run side by side (`edgemoe.cluster`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import mean

from tabulate import tabulate

from benchmarks.evaluate import HARDWARE, TASKS, require_scenes_model, shape_for
from edgemoe.cluster import Cluster, add_cluster_arguments, cluster_of, run
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.devices.build_cache import digest_of
from edgemoe.devices.registry import open_device
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.measure import same_values
from edgemoe.session import Session
from edgemoe.spec.checkpoint import load_checkpoint
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.strict import to_dict
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene

ENGINES = ("rtl", "csim")
REPORTS = REPOSITORY / "build" / "reports"
SOURCES = ("golden/ops/*.py", "rtl/**/*.v", "rtl/**/*.vh", "sim/device/*", "hls/**/*.hpp", "hls/**/*.cpp",
           "host/edgemoe/spec/*.py", "host/edgemoe/compiler/*.py")  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One scene. cycles: counted by the engine, 0 where it counts none."""

    seed: int
    equal: bool
    cycles: int


def compared(folder: str, engine: str, hardware: HardwareConfig, seed: int) -> Frame:
    """One scene on the engine and on golden; sessions stay open in this process."""
    sessions = [_session(folder, name, hardware) for name in (engine, "golden")]
    model = sessions[0].program.manifest.model
    scene = draw_scene(seed, model.image_height, model.image_width)
    found, expected = (session.run(scene.image) for session in sessions)
    return Frame(seed, same_values(expected, found), found.counters.get("cycles", 0))


@lru_cache(maxsize=4)
def _session(folder: str, engine: str, hardware: HardwareConfig) -> Session:
    return Session(compile_checkpoint(Path(folder), list(TASKS), hardware), open_device(engine, hardware))


def key(folder: Path, engine: str, hardware: HardwareConfig) -> str:
    """Names all that a frame's integers and cycles depend on."""
    sources = sorted(path for pattern in SOURCES for path in REPOSITORY.glob(pattern) if path.is_file())
    return digest_of((engine, to_dict(hardware)), [*sorted(folder.glob("*.[js][sa]*")), *sources])


def remembered(report: Path, own: str) -> dict[int, Frame]:
    """Frames of earlier runs, by seed; {} where something has changed."""
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        return {each["seed"]: Frame(**each) for each in found["frames"]} if found["key"] == own else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def evaluate(
    folder: Path, engine: str, hardware: HardwareConfig, seeds: Sequence[int], cluster: Cluster, report: Path
) -> list[Frame]:
    """All frames, in the order of their seeds; each is in the report as soon as it is known.

    Raises CheckpointError, DeviceError, ClusterError.
    """
    own = key(folder, engine, hardware)
    known = remembered(report, own)
    waiting = [seed for seed in seeds if seed not in known]
    facts = {"key": own, "model": folder.name, "engine": engine, "hardware": hardware.name}

    def keep(number: int, frame: Frame) -> None:
        known[frame.seed] = frame
        frames = [asdict(known[seed]) for seed in sorted(known)]
        write_text(report, json.dumps({**facts, "frames": frames}, indent=1) + "\n")

    run(compared, [(str(folder), engine, hardware, seed) for seed in waiting], cluster, f"frames on {engine}", keep)
    return [known[seed] for seed in seeds]


def table(folder: Path, engine: str, hardware: HardwareConfig, frames: Sequence[Frame]) -> str:
    """One line, and what was predicted."""
    equal = sum(frame.equal for frame in frames)
    cycles = [frame.cycles for frame in frames if frame.cycles]
    predicted = sum(each.cycles for each in predicted_cycles(compile_checkpoint(folder, list(TASKS), hardware)))
    row = (folder.name, engine, hardware.name, len(frames), equal)
    spread = (min(cycles), round(mean(cycles)), max(cycles)) if cycles else (None, None, None)
    heads = ("model", "engine", "hardware", "frames", "equal to golden", "least cycles", "mean", "most", "predicted")
    return tabulate([(*row, *spread, predicted)], heads, intfmt=",")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, print; 1 when a frame differs."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_frames", description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=Path("models/mini"))
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--precision", choices=list(HARDWARE), default="w8a8")
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--out", type=Path, default=REPORTS)
    add_cluster_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        if not 1 <= options.scenes <= len(VALIDATION_SEEDS):
            raise ArgumentError(f"--scenes {options.scenes}: there are 1 … {len(VALIDATION_SEEDS)} held-out scenes")
        config, _ = load_checkpoint(options.model)
        require_scenes_model(config)
        hardware = shape_for(config, TASKS, options.precision)
        report = options.out / f"eval_{options.engine}.json"
        seeds = VALIDATION_SEEDS[: options.scenes]
        frames = evaluate(options.model.resolve(), options.engine, hardware, seeds, cluster_of(options), report)
    except EdgeMoeError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(options.model.resolve(), options.engine, hardware, frames))
    print(f"written to {report}")
    different = [frame.seed for frame in frames if not frame.equal]
    if different:
        print(f"NOT as golden: seeds {', '.join(map(str, different))}")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
