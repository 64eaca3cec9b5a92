"""Accuracy on held-out scenes, float and integers side by side: `python -m benchmarks.evaluate models/tiny`.

Prints a table and writes build/reports/eval.json: a list of {model, precision, engine, task, metric, value, scenes}.
Depth is inverse depth in 1/m; `ratio` is its RMSE over that of the per-pixel mean of training maps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from tqdm import tqdm

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.devices.registry import open_device
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.results import FrameResult
from edgemoe.session import Session
from edgemoe.spec.checkpoint import load_checkpoint
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.strict import ConfigError
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.data.metrics import ClassMetric
from edgemoe_golden.model import M3ViT, head_maps, load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.scenes import LABELS, VALIDATION_SEEDS, Scene, draw_scene
from edgemoe_golden.training.data import SceneStore
from edgemoe_golden.training.evaluate import full_size

HARDWARE = {"w8a8": "zcu102", "w16a16": "zcu102_w16a16"}
LARGER = {"w8a8": ("u50",)}
"""Taken where HARDWARE does not hold the model; all shapes of a precision give the same integers."""
TASKS = ("semseg", "depth")
TRAINING_SCENES = 2000  # for the mean map
POINTS_BAR, RELATIVE_BAR = {"w8a8": 0.5, "w16a16": 0.1}, {"w8a8": 2.0}
SAME_BAR = {"w8a8": 0.95, "w16a16": 0.995}


@dataclass(frozen=True)
class Figure:
    """One number of the report."""

    model: str
    precision: str
    engine: str
    task: str
    metric: str
    value: float
    scenes: int


@dataclass
class Tally:
    """What one way of computing gathers over scenes; same: tokens with the same experts as in float, by task, block."""

    classes: ClassMetric = field(default_factory=lambda: ClassMetric(len(LABELS)))
    squared: float = 0.0
    same: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def add(self, scene: Scene, semseg: torch.Tensor, depth: torch.Tensor) -> None:
        """Head maps on the cell grid, [1, C, R, S]."""
        size = scene.label.shape
        self.classes.add(full_size(semseg, *size)[0].argmax(0).numpy(), scene.label)
        error = full_size(depth, *size)[0, 0] - torch.from_numpy(scene.inverse_depth)
        self.squared += float((error**2).mean())

    def figures(self, scenes: int, baseline: float) -> Iterator[tuple[str, str, float]]:
        """(task, metric, value)."""
        yield "semseg", "mIoU", self.classes.values()["mIoU"]
        for label, value in zip(LABELS, self.classes.by_class().tolist(), strict=True):
            yield "semseg", f"IoU {label}", value
        rmse = float(np.sqrt(self.squared / scenes))
        yield "depth", "RMSE", rmse
        yield "depth", "ratio", rmse / baseline
        for (task, block), shares in sorted(self.same.items()):
            yield task, f"same experts, block {block}", float(np.mean(shares))
        for block in sorted({block for _, block in self.same}):
            means = [np.mean(self.same[task, block]) for task in TASKS]
            yield "all", f"same experts, block {block}", float(np.mean(means))
        if self.same:
            yield "all", "same experts", float(np.mean([np.mean(shares) for shares in self.same.values()]))


def shape_for(config: ModelConfig, tasks: Sequence[str], precision: str) -> HardwareConfig:
    """The first hardware shape of a precision that holds the model; raises the last one's DoesNotFitError."""
    *others, last = (load_hardware_config(name) for name in (HARDWARE[precision], *LARGER.get(precision, ())))
    for hardware in others:
        with suppress(DoesNotFitError):
            require_fit(config, tuple(tasks), hardware)
            return hardware
    require_fit(config, tuple(tasks), last)
    return last


def require_scenes_model(config: ModelConfig) -> None:
    """Raise ConfigError unless the model answers what drawn scenes are labelled with."""
    channels = {task.name: task.channels for task in config.tasks}
    if channels.get("semseg") != len(LABELS) or channels.get("depth") != 1:
        found = ", ".join(f"{name} ({count})" for name, count in channels.items())
        raise ConfigError(
            f"model '{config.name}' has tasks {found}; drawn scenes need semseg ({len(LABELS)}: {', '.join(LABELS)}) "
            "and depth (1); for other data call with DATA=folder"
        )


def evaluate(
    folder: Path, scenes: int, mean_map: NDArray[np.float32], precisions: list[str], engine: str = "golden"
) -> list[Figure]:
    """Float, and each precision on `engine`, on the same scenes; mean_map: of training scenes, on the cell grid.

    Raises CheckpointError, ConfigError or DoesNotFitError, and ArgumentError for a number of scenes that there is not.
    """
    if not 1 <= scenes <= len(VALIDATION_SEEDS):
        raise ArgumentError(f"--scenes {scenes}: there are 1 … {len(VALIDATION_SEEDS)} held-out scenes")
    model = load_checkpoint_model(folder)
    config = model.config
    require_scenes_model(config)
    baseline_map = torch.from_numpy(mean_map)[None, None]
    size = config.image_height, config.image_width
    tallies = {name: Tally() for name in ("float", *precisions)}
    mean_squared = 0.0
    with ExitStack() as stack:
        sessions = {}
        for precision in precisions:
            hardware = shape_for(config, TASKS, precision)
            device = stack.enter_context(open_device(engine, hardware))
            program = compile_checkpoint(folder, list(TASKS), hardware)
            sessions[precision] = stack.enter_context(Session(program, device))
        for seed in tqdm(VALIDATION_SEEDS[:scenes], desc=f"evaluating {config.name}", unit="scene"):
            scene = draw_scene(seed, *size)
            mean_squared += float(((full_size(baseline_map, *size)[0, 0].numpy() - scene.inverse_depth) ** 2).mean())
            maps, chosen = _float(model, scene)
            tallies["float"].add(scene, maps["semseg"], maps["depth"])
            for precision, session in sessions.items():
                result = session.run(scene.image)
                outputs = {task: torch.from_numpy(value)[None] for task, value in result.outputs.items()}
                tallies[precision].add(scene, outputs["semseg"], outputs["depth"])
                _compare(tallies[precision], result, chosen)
    baseline = float(np.sqrt(mean_squared / scenes))
    return [
        Figure(config.name, name, "torch" if name == "float" else engine, *figure, scenes)
        for name, tally in tallies.items()
        for figure in tally.figures(scenes, baseline)
    ]


def _float(model: M3ViT, scene: Scene) -> tuple[dict[str, torch.Tensor], dict[tuple[str, int], NDArray[np.int64]]]:
    """Head maps, and the experts chosen by task and block."""
    maps, chosen = {}, {}
    image = torch.from_numpy(scene.image)[None]
    for task in TASKS:
        recorder = TensorRecorder()
        with torch.inference_mode():
            maps[task] = head_maps(model(image, task, recorder), model.config)
        for block in model.config.moe_blocks:
            chosen[task, block] = recorder.values[f"blocks.{block}.gate.experts"].numpy()
    return maps, chosen


def _compare(tally: Tally, result: FrameResult, chosen: dict[tuple[str, int], NDArray[np.int64]]) -> None:
    for (task, block), expected in chosen.items():
        experts = np.sort(result.routing[task][block][0].astype(np.int64), axis=1)
        share = (experts == np.sort(expected, axis=1)).all(axis=1).mean()
        tally.same.setdefault((task, block), []).append(float(share))


def table(figures: Sequence[Figure]) -> str:
    """One line per metric, one column per precision."""
    names = list(dict.fromkeys(figure.precision for figure in figures))
    rows = []
    for task, metric in dict.fromkeys((figure.task, figure.metric) for figure in figures):
        values = {f.precision: f.value for f in figures if (f.task, f.metric) == (task, metric)}
        rows.append((task, metric, *(values.get(name) for name in names)))
    return tabulate(rows, ("task", "metric", *names), floatfmt=".4f")


def losses(figures: Sequence[Figure]) -> str:
    """What each precision loses against float, beside its bar."""
    values = {(f.precision, f.task, f.metric): f.value for f in figures}
    lines = []
    for name in dict.fromkeys(figure.precision for figure in figures if figure.precision != "float"):
        points = 100 * (values[name, "semseg", "mIoU"] - values["float", "semseg", "mIoU"])
        relative = 100 * (values[name, "depth", "RMSE"] / values["float", "depth", "RMSE"] - 1)
        rmse = f"RMSE {relative:+.2f} %" + (f" (bar {RELATIVE_BAR[name]:g})" if name in RELATIVE_BAR else "")
        same = f"same experts {100 * values[name, 'all', 'same experts']:.2f} % (bar {100 * SAME_BAR[name]:g})"
        lines.append(f"{name}: mIoU {points:+.2f} points (bar {POINTS_BAR[name]:g}), {rmse}, {same}")
    return "\n".join(lines)


def main() -> None:
    """Evaluate and report."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=Path("models/mini"))
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--precisions", nargs="*", default=list(HARDWARE), choices=list(HARDWARE))
    parser.add_argument("--engine", default="golden")
    parser.add_argument("--data", type=Path, default=Path("build/scenes"))
    options = parser.parse_args()
    try:
        config, _ = load_checkpoint(options.model)
        require_scenes_model(config)
        mean_map = SceneStore(options.data, config, TRAINING_SCENES, 2).mean_inverse_depth()
        figures = evaluate(options.model, options.scenes, mean_map, options.precisions, options.engine)
    except EdgeMoeError as error:
        parser.exit(1, f"{error}\n")
    first, last = VALIDATION_SEEDS[0], VALIDATION_SEEDS[options.scenes - 1]
    print(f"{options.model}, {options.scenes} held-out scenes (seeds {first} … {last})\n")
    print(f"{table(figures)}\n\n{losses(figures)}")
    path = Path("build/reports/eval.json")
    write_text(path, json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
