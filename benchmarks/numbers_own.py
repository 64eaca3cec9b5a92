"""A model of ours for `make numbers`: drawn scenes to calibrate on, held-out ones to compare on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.evaluate import TASKS, Tally
from benchmarks.numbers_kept import Kept
from benchmarks.numbers_networks import FEWER_BUDGETS, Figures, Network, kept_for
from benchmarks.numbers_settings import Comparison, Setting
from edgemoe.spec.hardware import load_hardware_config
from edgemoe_golden.budget.command import mixing
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded, head_output
from edgemoe_golden.model import M3ViT, head_maps, load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.quantising.pictures import drawn_frames
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene
from edgemoe_golden.scenes.scene import Scene

CALIBRATING_SCENES = 8

Chosen = NDArray[np.int8]
"""Experts [MoE blocks, tokens, k] of one scene and task, in rising order."""


def own(folder: Path, scenes: int) -> Network:
    """A checkpoint folder's model on so many held-out scenes."""
    model = load_checkpoint_model(folder)
    frames = list(drawn_frames(model.config, CALIBRATING_SCENES))
    kept = kept_for(f"{model.config.name}_{scenes}", model, frames)
    in_float, routes = _float_network(model, scenes, kept)

    def judge(setting: Setting) -> Figures:
        quantised, tally, shares = setting.model(model), Tally(), []
        blocks = [IntegerBlock(block, model.config, setting.precision) for block in quantised.blocks]
        for index, scene in enumerate(tqdm(_drawn(model, scenes), setting.name[:40], scenes, leave=False)):
            maps = {}
            start = embedded(quantised, scene.image)
            for place, task in enumerate(TASKS):
                residual, expected = start, iter(routes[index, place])
                for block in blocks:
                    result = block.run(residual, model.config.task_index(task))
                    residual = result.residual
                    if result.chosen is not None:
                        same = np.sort(result.chosen, axis=1) == next(expected)
                        shares.append(float(same.all(axis=1).mean()))
                output = torch.from_numpy(head_output(quantised, task, residual)).float()
                maps[task] = head_maps(output[None], model.config)
            tally.add(scene, maps["semseg"], maps["depth"])
        return {**_tallied(tally, scenes), "same_experts": 100 * float(np.mean(shares))}

    shapes = mixing("zcu102"), load_hardware_config("zcu102_w16a16")
    heads = {"miou": "mIoU", "rmse": "depth RMSE", "same_experts": "same experts %"}
    comparison = Comparison(model, frames, *shapes, kept, budgets=FEWER_BUDGETS)
    title = f"our own '{model.config.name}' on held-out scenes"
    return Network(title, comparison, judge, heads, ("same_experts", "same experts, %"), scenes, in_float)


def _drawn(model: M3ViT, scenes: int) -> Iterator[Scene]:
    size = model.config.image_height, model.config.image_width
    return (draw_scene(seed, *size) for seed in VALIDATION_SEEDS[:scenes])


def _float_network(model: M3ViT, scenes: int, kept: Kept) -> tuple[Figures, Chosen]:
    """Figures of the float network, and whom its gates choose [scenes, tasks, MoE blocks, tokens, k]; computed once."""
    config, tally, routes = model.config, Tally(), []

    def figures() -> Figures:
        for scene in tqdm(_drawn(model, scenes), "float", scenes):
            maps = {}
            for task in TASKS:
                recorder = TensorRecorder()
                with torch.inference_mode():
                    output = model(torch.from_numpy(scene.image)[None], task, recorder)
                maps[task] = head_maps(output, config)
                chosen = [recorder.values[f"blocks.{block}.gate.experts"].numpy() for block in config.moe_blocks]
                routes.append(np.sort(np.stack(chosen), axis=2).astype(np.int8))
            tally.add(scene, maps["semseg"], maps["depth"])
        kept.keep_array("float routes", np.stack(routes).reshape(scenes, len(TASKS), *routes[0].shape))
        return _tallied(tally, scenes)

    return kept.value("float", figures), kept.array("float routes")


def _tallied(tally: Tally, scenes: int) -> Figures:
    return {"miou": tally.classes.values()["mIoU"], "rmse": float(np.sqrt(tally.squared / scenes))}
