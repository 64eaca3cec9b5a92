"""Accuracy on a real data set: `python -m benchmarks.evaluate_data FOLDER --model build/imported`.

FOLDER is Cityscapes as MTAN prepared it, NYUD-v2 or PASCAL-Context. Prints a table and writes
build/reports/eval_data.json in the form of eval.json. Pictures are resized to the model, its answers to the pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from tqdm import tqdm

from benchmarks.evaluate import HARDWARE, Figure, shape_for, table
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.errors import EdgeMoeError
from edgemoe.session import Session
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.data import DataError, metric_of, open_data
from edgemoe_golden.importing import ImportedModel, load_imported_model
from edgemoe_golden.model.decoder import answers
from edgemoe_golden.training.evaluate import full_size

Predictor = Callable[[NDArray[np.uint8]], dict[str, torch.Tensor]]


def fitted(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture at the model's size, bicubic as in M³ViT."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def resized_answer(task: str, answer: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """An answer at the picture's size: nearest for classes, bilinear for values."""
    if answer.shape[:2] == (height, width):
        return answer
    how = Image.Resampling.NEAREST if task in ("semseg", "human_parts") else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(answer).resize((width, height), how))


def evaluate_data(
    folder: Path, data: Path, split: str, precisions: list[str], limit: int | None = None, engine: str = "golden"
) -> list[Figure]:
    """Float, and each precision on `engine`, for the tasks that model and data set share; raises DataError."""
    model, samples = load_imported_model(folder), open_data(data, split)
    config = model.model.config
    tasks = [task for task in config.tasks if task.name in samples.tasks]
    channels = {task.name: _channels(model, task.name) for task in tasks}
    shared = [name for name in channels if metric_of(name, 1)]
    if not shared:
        names = ", ".join(task.name for task in config.tasks)
        raise DataError(
            f"{data}: has {', '.join(samples.tasks)}, model '{config.name}' has {names}; none is scored here"
        )
    count = min(len(samples), limit or len(samples))
    with ExitStack() as stack:
        predictors: dict[str, Predictor] = {"float": _float(model, shared)}
        for precision in precisions:
            predictors[precision] = _on_engine(model, folder, shared, precision, engine, stack)
        metrics = {name: {task: metric for task in shared if (metric := metric_of(task, channels[task]))}
                   for name in predictors}  # fmt: skip
        for sample in tqdm(islice(samples, count), total=count, desc=f"evaluating {config.name}", unit="picture"):
            frame = fitted(sample.image, config.image_height, config.image_width)
            for name, predict in predictors.items():
                for task, maps in predict(frame).items():
                    if task not in sample.targets:
                        continue
                    size = sample.image.shape[:2]
                    answer = answers(task, full_size(maps, config.image_height, config.image_width))[0]
                    metrics[name][task].add(resized_answer(task, answer, *size), sample.targets[task])
    return [
        Figure(config.name, name, "torch" if name == "float" else engine, task, label, value, count)
        for name, by_task in metrics.items()
        for task, metric in by_task.items()
        for label, value in metric.values().items()
    ]


def _channels(model: ImportedModel, task: str) -> int:
    config = model.model.config
    if task in model.decoders:
        last = model.decoders[task].get_submodule("conv_4")
        assert isinstance(last, nn.Conv2d)
        return last.out_channels
    return config.tasks[config.task_index(task)].channels


def _float(model: ImportedModel, tasks: list[str]) -> Predictor:
    def predict(frame: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            return {task: model(torch.from_numpy(frame.copy())[None], task) for task in tasks}

    return predict


def _on_engine(
    model: ImportedModel, folder: Path, tasks: list[str], precision: str, engine: str, stack: ExitStack
) -> Predictor:
    hardware = shape_for(model.model.config, tasks, precision)
    program = compile_checkpoint(folder, tasks, hardware)
    session = stack.enter_context(Session(program, stack.enter_context(open_device(engine, hardware))))

    def predict(frame: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
        outputs = session.run(frame).outputs
        with torch.inference_mode():
            return {task: model.decode(torch.from_numpy(value)[None], task) for task, value in outputs.items()}

    return predict


def main() -> None:
    """Evaluate and report."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=Path("models/mini"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--precisions", nargs="*", default=list(HARDWARE), choices=list(HARDWARE))
    parser.add_argument("--engine", default="golden")
    parser.add_argument("--pictures", type=int, help="look at this many only")
    options = parser.parse_args()
    try:
        figures = evaluate_data(
            options.model, options.data, options.split, options.precisions, options.pictures, options.engine
        )
    except EdgeMoeError as error:
        parser.exit(1, f"{error}\n")
    print(f"{options.data}, {figures[0].scenes} pictures\n\n{table(figures)}")
    path = Path("build/reports/eval_data.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
