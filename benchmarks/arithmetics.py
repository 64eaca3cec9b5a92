"""The same weights and frames in four arithmetics: `python -m benchmarks.arithmetics --model models/mini`.

Float is the truth; Edge-MoE's released arithmetic (golden/edge_moe) is the yardstick; W16A16 and W8A8 are ours. Per
layer the signal over error against float, the share of tokens sent to the same experts, and task metrics. Edge-MoE has
no heads on its accelerator, so its tokens go through the float heads, while ours run their heads in integers.
Prints the tables and writes build/reports/arithmetics.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.agreement import agreement, subject
from benchmarks.evaluate import HARDWARE, TRAINING_SCENES, Figure, Tally, evaluate, table
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.edge_moe import EdgeMoe, Frame, to_real
from edgemoe_golden.model import M3ViT, head_maps, load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene
from edgemoe_golden.training.data import SceneStore

EDGE_MOE = "edge_moe"
ARITHMETICS = (EDGE_MOE, "w16a16", "w8a8")
PARTS = ("norm1", "query", "key", "value", "attention", "attention.residual", "norm2", "mlp.residual")

Floats = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Layer:
    """One tensor of one layer in one arithmetic, errors of all earlier layers included.

    sqnr_db: 10·log10(Σ float² / Σ error²), mean over scenes; least_db: the least of them.
    """

    arithmetic: str
    task: str
    tensor: str
    sqnr_db: float
    least_db: float


@dataclass(frozen=True)
class Report:
    """What was measured on one checkpoint; metrics and routing on `scenes` scenes, layers on `layer_scenes`.

    wrapped: tensor → number of weights that Edge-MoE's formats cannot hold. edge_moe_seconds: per frame and task.
    """

    model: str
    scenes: int
    layer_scenes: int
    layers: list[Layer]
    metrics: list[Figure]
    wrapped: dict[str, int]
    edge_moe_seconds: float


def float_values(model: M3ViT, task: str, frame: NDArray[np.uint8]) -> Floats:
    """All recorded activations; the key with its bias, as Edge-MoE has it."""
    recorder = TensorRecorder()
    with torch.inference_mode():
        model(torch.from_numpy(frame)[None], task, recorder)
    values = {name: _rows(value.double().numpy()) for name, value in recorder.values.items()}
    for index, block in enumerate(model.backbone.blocks):
        bias = block.attn.qkv.bias.detach().double().numpy()  # type: ignore[union-attr, operator]
        values[f"blocks.{index}.key"] = values[f"blocks.{index}.key"] + np.split(bias, 3)[1]
    return values


def _rows(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """[rows, features], heads side by side."""
    if value.ndim == 4:
        return np.asarray(value[0].swapaxes(0, 1).reshape(value.shape[2], -1))
    return value[0] if value.ndim == 3 else value


def edge_moe_decibels(frame: Frame, floats: Floats) -> Iterator[tuple[str, float]]:
    """(tensor, SQNR) of one traced frame."""
    traces = [(f"blocks.{index}.{part}", trace[part]) for index, trace in enumerate(frame.layers) for part in PARTS]
    for name, integers in [("embed.residual", frame.embedded), *traces]:
        error = to_real(integers) - floats[name]
        yield name, float(10 * np.log10((floats[name] ** 2).sum() / (error**2).sum()))


def layers(folder: Path, scenes: int) -> list[Layer]:
    """Every compared tensor of every task in all three arithmetics, in the order of the network."""
    model, edge_moe = load_checkpoint_model(folder), EdgeMoe.from_checkpoint(folder)
    ours = {name: subject(folder, load_hardware_config(hardware)) for name, hardware in HARDWARE.items()}
    size = model.config.image_height, model.config.image_width
    found: dict[tuple[str, str, str], list[float]] = {}
    for seed in tqdm(VALIDATION_SEEDS[:scenes], desc="layers", unit="scene"):
        image = draw_scene(seed, *size).image
        for task in (task.name for task in model.config.tasks):
            floats = float_values(model, task, image)
            for tensor, decibels in edge_moe_decibels(edge_moe.run(image, task, trace=True), floats):
                found.setdefault((EDGE_MOE, task, tensor), []).append(decibels)
            for name, of in ours.items():
                for record in agreement(of, task, image):
                    if record.sqnr_db is not None and (EDGE_MOE, task, record.tensor) in found:
                        found.setdefault((name, task, record.tensor), []).append(record.sqnr_db)
    return [Layer(*key, float(np.mean(values)), min(values)) for key, values in found.items()]


def edge_moe_metrics(folder: Path, scenes: int, baseline: float) -> tuple[list[Figure], float]:
    """Task metrics and routing of Edge-MoE's arithmetic with float heads, and seconds per frame and task."""
    model, edge_moe = load_checkpoint_model(folder), EdgeMoe.from_checkpoint(folder)
    config, tally, seconds = model.config, Tally(), 0.0
    for seed in tqdm(VALIDATION_SEEDS[:scenes], desc="Edge-MoE's arithmetic", unit="scene"):
        scene = draw_scene(seed, config.image_height, config.image_width)
        maps = {}
        for task in ("semseg", "depth"):
            start = time.perf_counter()
            frame = edge_moe.run(scene.image, task, trace=True)
            seconds += time.perf_counter() - start
            floats = float_values(model, task, scene.image)
            with torch.inference_mode():
                output = model.heads[task](torch.from_numpy(to_real(frame.tokens)).float()[None], TensorRecorder())
                maps[task] = head_maps(output, config)
            for block in config.moe_blocks:
                pair = frame.layers[block]["gate.experts"], floats[f"blocks.{block}.gate.experts"]
                same = np.equal(*(np.sort(experts, axis=1) for experts in pair)).all(axis=1).mean()
                tally.same.setdefault((task, block), []).append(float(same))
        tally.add(scene, maps["semseg"], maps["depth"])
    figures = [Figure(config.name, EDGE_MOE, "golden", *figure, scenes) for figure in tally.figures(scenes, baseline)]
    return figures, seconds / (2 * scenes)


def measure(folder: Path, scenes: int, layer_scenes: int, mean_map: NDArray[np.float32]) -> Report:
    """Everything; mean_map: of training scenes, on the cell grid."""
    metrics = evaluate(folder, scenes, mean_map, ["w16a16", "w8a8"])
    exact = {f.metric: f.value for f in metrics if f.precision == "float" and f.task == "depth"}
    theirs, seconds = edge_moe_metrics(folder, scenes, exact["RMSE"] / exact["ratio"])
    wrapped = EdgeMoe.from_checkpoint(folder).weights.wrapped
    name = metrics[0].model
    return Report(name, scenes, layer_scenes, layers(folder, layer_scenes), metrics + theirs, wrapped, seconds)


def is_theirs(layer: Layer) -> bool:
    """Whether a figure is of Edge-MoE's arithmetic."""
    return layer.arithmetic == EDGE_MOE


def beaten(found: Iterable[Layer], ours: str = "w16a16") -> list[tuple[Layer, Layer]]:
    """(Edge-MoE's, ours) wherever ours is not better on the mean or in the worst scene."""
    by_key = {(layer.arithmetic, layer.task, layer.tensor): layer for layer in found}
    pairs = [(t, by_key[ours, t.task, t.tensor]) for t in by_key.values() if is_theirs(t)]
    return [(a, b) for a, b in pairs if b.sqnr_db <= a.sqnr_db or b.least_db <= a.least_db]


def show(report: Report) -> None:
    """Print the tables."""
    print(f"\n{report.model}: residual stream, signal over error against float in dB, mean (least) of")
    print(f"{report.layer_scenes} scenes; the other tensors are in the report\n")
    by_key = {(layer.arithmetic, layer.task, layer.tensor): layer for layer in report.layers}
    rows = []
    for task, tensor in dict.fromkeys((layer.task, layer.tensor) for layer in report.layers):
        if tensor.endswith("residual"):
            cells = [by_key[name, task, tensor] for name in ARITHMETICS]
            rows.append((task, tensor, *(f"{cell.sqnr_db:.1f} ({cell.least_db:.1f})" for cell in cells)))
    print(tabulate(rows, ("task", "tensor", *ARITHMETICS), colalign=("left", "left", *["right"] * len(ARITHMETICS))))
    print(f"\n{report.scenes} held-out scenes (seeds {VALIDATION_SEEDS[0]} …)\n\n{table(report.metrics)}")
    lost = beaten(report.layers)
    margin = min(by_key["w16a16", t.task, t.tensor].sqnr_db - t.sqnr_db for t in report.layers if is_theirs(t))
    where = f"every one of {len(by_key) // len(ARITHMETICS)} tensors" if not lost else f"all but {len(lost)} tensors"
    print(f"\nW16A16 above Edge-MoE's arithmetic at {where}, by {margin:.1f} dB or more on the mean")
    for theirs, ours in lost:
        print(f"  {ours.task} {ours.tensor}: {ours.sqnr_db:.1f} dB against {theirs.sqnr_db:.1f}")
    wrapped = ", ".join(f"{name} ({count})" for name, count in report.wrapped.items()) or "none"
    print(f"weights beyond Edge-MoE's formats: {wrapped}")
    print(f"one frame and task in Edge-MoE's arithmetic: {report.edge_moe_seconds:.2f} s")


def main() -> None:
    """Measure, print, write build/reports/arithmetics.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/mini"))
    parser.add_argument("--scenes", type=int, default=50, help="for metrics and routing (default: %(default)s)")
    parser.add_argument("--layer-scenes", type=int, default=4, help="for the layers (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("build/scenes"))
    options = parser.parse_args()
    config = load_checkpoint_model(options.model).config
    mean_map = SceneStore(options.data, config, TRAINING_SCENES, 2).mean_inverse_depth()
    report = measure(options.model, options.scenes, options.layer_scenes, mean_map)
    show(report)
    path = Path("build/reports/arithmetics.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
