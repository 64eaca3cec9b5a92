"""One run of the command: pictures in, files and report out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from tqdm import tqdm

from edgemoe.errors import ArgumentError
from edgemoe.media.sources import Skipped
from edgemoe.spec.calibrated import CALIBRATED_FILE
from edgemoe.spec.calibration import Calibration, load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE
from edgemoe.spec.files import write_text
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import model_pixels
from edgemoe.spec.precision import W8A8, precision_named
from edgemoe.spec.strict import to_dict
from edgemoe_golden.budget.command import Wish, choose_widths, mixing, parse_budget
from edgemoe_golden.budget.search import narrow_layers
from edgemoe_golden.calibration_report import WORST_SHOWN, Loss, losses, table, weight_losses, write_report
from edgemoe_golden.model import M3ViT, load_checkpoint_model
from edgemoe_golden.model.variant import VARIANT_FILE
from edgemoe_golden.quantising.arguments import REPORT_FOLDER, SCENES, chosen_steps
from edgemoe_golden.quantising.gains import gains, kept_steps
from edgemoe_golden.quantising.gains import table as gains_table
from edgemoe_golden.quantising.observed import DEFAULT_RULE, Histograms, calibration_of, observe
from edgemoe_golden.quantising.options import Options
from edgemoe_golden.quantising.output import rounded_losses, tensors_of, write_calibrated
from edgemoe_golden.quantising.pictures import (
    FEW_PICTURES,
    Frames,
    Pictures,
    drawn_frames,
    pictures_provenance,
    read_folders,
    scenes_provenance,
)
from edgemoe_golden.quantising.recipe import Recipe, default_range, evenly
from edgemoe_golden.ranges import RULES


@dataclass(frozen=True)
class Subject:
    """A checkpoint with its pictures and what the float network did with them."""

    folder: Path
    model: M3ViT
    pictures: Pictures
    histograms: Histograms
    provenance: str
    report: Path

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    @property
    def frames(self) -> Frames:
        """The pictures as the model takes them."""
        return self.pictures.frames

    def recipe(self, options: Options) -> Recipe:
        """The quantiser for it."""
        state, frames = dict(self.model.state_dict()), evenly(self.config, self.frames)
        return Recipe(self.config, state, frames, self.histograms, options, self.provenance)


@dataclass(frozen=True)
class Done:
    """text: what was found and written. skipped: pictures that could not be read; the others were looked at."""

    text: str
    skipped: tuple[Skipped, ...]


def calibrate_folder(options: argparse.Namespace) -> Done:
    """Measure, write, and say what was written; options: of `arguments`. Raises EdgeMoeError, OSError."""
    torch.set_num_threads(1)
    path = options.checkpoint / CALIBRATION_FILE
    steps = chosen_steps(options.without)
    wish = None if options.budget is None else Wish(parse_budget(options.budget), mixing(options.hardware))
    if wish and path.exists() and not options.again:
        of = _subject(options)
        return Done(_widths(of, wish), of.pictures.skipped)
    if path.exists() and not (options.keep or options.again):
        raise ArgumentError(f"{path}: the model is calibrated already; --again replaces it, --keep reports on it")
    of = _subject(options)
    kept = _kept(path, of.config) if options.keep else None
    by_rule = kept or options.rule or not steps
    text = _by_rule(of, options, kept) if by_rule else _by_steps(of, options, steps)
    return Done(f"{text}\n\n{_widths(of, wish)}" if wish else text, of.pictures.skipped)


def _widths(of: Subject, wish: Wish) -> str:
    """Widths for the calibration that is there, whose steps are taken again for them."""
    calibration = load_calibration(of.folder / CALIBRATION_FILE, of.config)
    recipe = of.recipe(Options(frozenset(calibration.steps), narrow=frozenset(calibration.narrow)))
    if not calibration.tensors_sha256:
        return choose_widths(of.folder, of.frames, wish, of.report)
    judge = recipe.judged if len(recipe.frames) > 1 else None
    return choose_widths(of.folder, of.frames, wish, of.report, recipe.tuned, judge)


def _subject(options: argparse.Namespace) -> Subject:
    model = load_checkpoint_model(options.checkpoint)
    pictures, provenance = _pictures(options, model.config)
    if remark := pictures.remark(model.config):
        print(f"{remark}\n")
    seen = observe(model, pictures.frames, len(pictures.frames))
    report = options.report or options.checkpoint / REPORT_FOLDER
    return Subject(options.checkpoint, model, pictures, seen, provenance, report)


def _pictures(options: argparse.Namespace, config: ModelConfig) -> tuple[Pictures, str]:
    """Pictures as the model sees them, and where they come from."""
    folder: Path = options.checkpoint
    if options.pictures:
        pictures = read_folders(config, options.pictures)
        return pictures, pictures_provenance(options.pictures, len(pictures.frames))
    if options.scenes is None and (folder / VARIANT_FILE).is_file():
        raise ArgumentError(
            f"{folder}: an imported model was not trained on drawn scenes; name pictures of the kind that it will see "
            f"by --pictures FOLDER, or ask for scenes by --scenes {SCENES}"
        )
    count = SCENES if options.scenes is None else options.scenes
    drawn = [model_pixels(frame, config) for frame in drawn_frames(config, count)]
    return Pictures(drawn, (), 0), scenes_provenance(count)


def _kept(path: Path, config: ModelConfig) -> Calibration:
    calibration = load_calibration(path, config)
    if calibration.tensors_sha256:
        raise ArgumentError(
            f"{path}: its ranges are those of the tensors in {CALIBRATED_FILE}, which were reported on when they were "
            f"made; --keep reports on ranges by rule"
        )
    return calibration


def _by_rule(of: Subject, options: argparse.Namespace, kept: Calibration | None) -> str:
    """Ranges by a tensor's own distribution, all weights as they are."""
    rule, path = options.rule or DEFAULT_RULE, of.folder / CALIBRATION_FILE
    calibration = kept or calibration_of(of.config, of.histograms, of.provenance, rule)
    activations = losses(of.config, calibration, of.histograms)
    tensors = {name: value.numpy() for name, value in of.model.state_dict().items()}
    weights = [loss for name in calibration.ranges for loss in weight_losses(of.config, tensors, precision_named(name))]
    _print_tables(activations, weights, options.all)
    print(f"{gate_comparison(of.config, activations)}\n\n{rule_comparison(of.config, of.histograms)}\n")
    shown = write_report(of.report, of.folder.name, activations + weights, of.histograms, _skipped(of))
    count = len(calibration.ranges["w8a8"])
    if kept:
        return f"{path}: {count} ranges, kept as they are; {shown}"
    write_text(path, json.dumps(to_dict(calibration), indent=1) + "\n")
    (of.folder / CALIBRATED_FILE).unlink(missing_ok=True)
    return f"{path}: {count} ranges by rule '{rule}'; {shown}"


def _by_steps(of: Subject, options: argparse.Namespace, steps: frozenset[str]) -> str:
    """Ranges, rewrites, rounding and biases by those of `steps` that gain."""
    config = of.config
    recipe = of.recipe(Options(steps, narrow=frozenset(narrow_layers(config, options.narrow))))
    judged, found, parts = evenly(config, of.frames, judged=True), [], config.depth + len(config.tasks)
    with tqdm(desc="quantising", unit="part", total=parts * (1 + 2 * (len(recipe.options.able) + 1))) as bar:
        if len(judged) > 1:
            found = gains(
                config, recipe.state, judged, of.histograms["residual"], recipe.options, default_range,
                lambda: bar.update() and None
            )  # fmt: skip
            recipe = replace(recipe, options=replace(recipe.options, steps=kept_steps(found)))
        work = recipe.work(progress=lambda: bar.update() and None)
    tuned = recipe.result(work)
    calibration = write_calibrated(of.folder, tuned.calibration, tensors_of(work))
    coarse, fine = (replace(calibration, ranges={name: calibration.ranges[name]}) for name in ("w8a8", "w16a16"))
    seen = {**of.histograms, **work.result.histograms}
    activations = losses(config, coarse, seen) + losses(config, fine, of.histograms)
    weights = rounded_losses(work)
    _print_tables(activations, weights, options.all)
    if found:
        print(f"{gains_table(found, len(judged))}\n")
    for block, experts in work.result.unreached.items():
        print(_unreached(block, experts))
    if len(of.frames) < FEW_PICTURES:
        print(f"{len(of.frames)} pictures are few: from {FEW_PICTURES} on, ranges hold better for others\n")
    rows = [*({"kind": "step", **asdict(each)} for each in found), *_skipped(of)]
    shown = write_report(of.report, of.folder.name, activations + weights, seen, rows)
    names = ", ".join(calibration.steps) or "no step, because none gained"
    return f"{of.folder / CALIBRATION_FILE}, {CALIBRATED_FILE}: {len(work.result.layers)} layers by {names}; {shown}"


def _skipped(of: Subject) -> list[dict[str, object]]:
    """Rows of the report."""
    return [{"kind": "skipped", **asdict(each)} for each in of.pictures.skipped]


def _unreached(block: int, experts: Sequence[int]) -> str:
    one = len(experts) == 1
    names = ", ".join(map(str, experts))
    return (
        f"block {block}: no picture reaches expert{'s' * (not one)} {names}, so {'its' if one else 'their'} weights "
        f"are rounded to the nearest; more pictures may reach {'it' if one else 'them'}\n"
    )


def _print_tables(activations: list[Loss], weights: list[Loss], everything: bool) -> None:
    rows = None if everything else WORST_SHOWN
    print(f"activations\n{table(activations, rows)}\n\nweights\n{table(weights, rows)}\n")


def rule_comparison(config: ModelConfig, histograms: Histograms) -> str:
    """Least and mean SQNR of the 8-bit activations by every rule."""
    rows = []
    for rule in RULES:
        calibration = calibration_of(config, histograms, "", rule)
        coarse = [loss for loss in losses(config, calibration, histograms) if loss.precision == "w8a8"]
        own = [loss for loss in coarse if loss.bits == W8A8.activation_bits]
        sqnr, clipped = [loss.sqnr_db for loss in own], [loss.clipped for loss in own]
        rows.append((rule, min(sqnr), float(np.mean(sqnr)), 100 * float(np.mean(clipped))))
    heads = ("rule, w8a8 on 8 bits", "least dB", "mean dB", "clipped %")
    return tabulate(rows, heads, "plain", floatfmt=("", ".1f", ".1f", ".4f"))


def gate_comparison(config: ModelConfig, found: Sequence[Loss]) -> str:
    """What the gates' own 16-bit input saves over the experts' 8 bits of the same tensor."""
    sqnr = {loss.tensor: loss.sqnr_db for loss in found if loss.precision == "w8a8"}
    names = [(f"blocks.{block}.gate.input", f"blocks.{block}.norm2") for block in config.moe_blocks]
    rows = [(gate, sqnr[gate], sqnr[experts]) for gate, experts in names]
    return tabulate(rows, ("gate, w8a8", "on 16 bits, dB", "on 8, dB"), "plain", floatfmt=".1f")
