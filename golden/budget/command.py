"""`edgemoe calibrate … --budget 10%`: measure, choose, write the widths into calibration.json, say what they buy."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from edgemoe.compiler.quantise import quantise
from edgemoe.errors import ArgumentError
from edgemoe.spec.calibrated import load_calibrated
from edgemoe.spec.calibration import Calibration, load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint
from edgemoe.spec.files import write_atomically, write_text
from edgemoe.spec.hardware import DEFAULT_HARDWARE, HardwareConfig, load_hardware_config
from edgemoe.spec.precision import W8A8
from edgemoe.spec.strict import to_dict
from edgemoe_golden.budget.fidelity import Frame, fidelity, references
from edgemoe_golden.budget.picture import draw_choice
from edgemoe_golden.budget.search import MOST, Chosen, Measured, Search, with_widths
from edgemoe_golden.calibration_picture import DrawingError
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.quantising.output import write_calibrated
from edgemoe_golden.quantising.recipe import Tuned

REMEMBERED_FILE = "widths.partial.json"
"""Measurements of a search under way, beside the calibration; a search that is called again goes on from there."""

MOST_FRAMES = 6
"""Pictures that the search measures on, the first of those given: gains of widths differ little between pictures."""


@dataclass(frozen=True)
class Wish:
    """budget: share of more cycles. hardware: shape whose cycles count. tasks: of one frame, () for the first alone."""

    budget: float
    hardware: HardwareConfig
    tasks: tuple[str, ...] = ()


def parse_budget(text: str) -> float:
    """`10%`, `10` or `0.1` → 0.1; raises ArgumentError."""
    number = text.strip().removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    share = value / 100 if text.strip().endswith("%") or value >= 1 else value
    if not 0 <= share <= MOST:
        raise ArgumentError(f"--budget {text}: expected 0 … {100 * MOST:.0f} % more cycles, as in --budget 10%")
    return share


def mixing(name: str | None) -> HardwareConfig:
    """A shape by name or file; one that cannot mix widths counts as if it could. Raises ConfigError."""
    hardware = load_hardware_config(name or DEFAULT_HARDWARE)
    if hardware.numbers.fine:
        raise ArgumentError(f"--hardware {hardware.name}: widths are for w8a8, this is {hardware.precision}")
    if hardware.wide_tokens:
        return hardware
    return replace(hardware, wide_tokens=True, wide_inner=True, narrow_weights=True)


def choose_widths(
    folder: Path,
    frames: Sequence[Frame],
    wish: Wish,
    report: Path,
    retune: Callable[[Sequence[str]], Tuned] | None = None,
    judge: Callable[[Sequence[str]], float] | None = None,
) -> str:
    """Choose and write; returns what was found, as text. frames: uint8 [H, W, 3 or 1] at the model's size.

    retune: takes the quantiser's steps again for other activations of 16 bits; None where ranges came by rule.
    judge: as in `Search`. Raises
    ConfigError, CheckpointError, ArgumentError. The calibration changes only when the search has ended.
    """
    config, tensors = load_checkpoint(folder)
    calibration = load_calibration(folder / CALIBRATION_FILE, config)
    # A grey picture is one whose three channels are equal.
    frames = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in frames]
    found = references(load_checkpoint_model(folder), frames[:MOST_FRAMES])
    tasks = wish.tasks or (config.tasks[0].name,)
    key = _key(calibration, frames, wish)
    remembered = folder / REMEMBERED_FILE
    with tqdm(desc="measuring widths", unit="change") as bar:

        def keep(rounds: dict[str, Measured]) -> None:
            write_text(remembered, json.dumps({"key": key, "rounds": rounds}) + "\n")

        plain = Tuned(calibration, load_calibrated(folder, config, tensors, calibration))
        if retune and calibration.wide:
            plain = retune(())
        search = Search(config, tensors, plain, wish.hardware, tasks, found, retune, judge,
                        _earlier(remembered, key), keep, lambda: bar.update() and None)  # fmt: skip
        chosen = search.choose(wish.budget)
    settings = {"8 bits": with_widths(plain, ()), "chosen": chosen.tuned}
    if chosen.tuned.stored is not None:
        settings = {
            "8 bits": settings["8 bits"],
            "chosen, steps as for 8 bits": with_widths(plain, chosen.tuned.calibration.wide),
            "chosen, steps taken again": chosen.tuned,
        }
    rows, facts = [], []
    for name, own in settings.items():
        wide = own.calibration.wide
        seen = fidelity(quantise(config, tensors, own.calibration, W8A8, own.calibrated), found)
        cycles = chosen.cycles if wide else chosen.base_cycles
        rows.append((name, len(wide), cycles, seen.sqnr_db, seen.worst_db, 100 * seen.same_experts))
        facts.append({"name": name, "wide": list(wide), "cycles": cycles, "sqnr_db": seen.sqnr_db,
                      "worst_db": seen.worst_db, "same_experts": seen.same_experts})  # fmt: skip
    _write(folder, chosen.tuned)
    remembered.unlink(missing_ok=True)
    written = _report(report, folder.name, config, wish, chosen, facts)
    heads = ("activations", "on 16 bits", "cycles predicted", "SQNR dB", "worst dB", "same experts %")
    table = tabulate(rows, heads, "plain", floatfmt=("", "", ",", ".1f", ".1f", ".2f"))
    more, count = 100 * (chosen.cycles / chosen.base_cycles - 1), len(chosen.tuned.calibration.wide)
    return (
        f"{table}\nmeasured on the pictures that the widths were chosen on; {more:.1f} % more cycles of the "
        f"{100 * wish.budget:g} % on {wish.hardware.name}\n{folder / CALIBRATION_FILE}: {count} activations on 16 "
        f"bits; {written}"
    )


def _write(folder: Path, tuned: Tuned) -> None:
    if tuned.stored is None:
        write_text(folder / CALIBRATION_FILE, json.dumps(to_dict(tuned.calibration), indent=1) + "\n")
    else:
        write_calibrated(folder, tuned.calibration, tuned.stored)


def _key(calibration: Calibration, frames: Sequence[Frame], wish: Wish) -> str:
    """Names everything that a measurement depends on."""
    digest = hashlib.sha256(json.dumps(to_dict(replace(calibration, wide=())), sort_keys=True).encode())
    for frame in frames:
        digest.update(frame.tobytes())
    digest.update(repr((wish.budget, wish.hardware, wish.tasks)).encode())
    return digest.hexdigest()


def _earlier(path: Path, key: str) -> dict[str, Measured]:
    """Measurements of an interrupted search for the same; {} when there are none, or they cannot be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] == key:
            return {
                str(name): {str(change): float(noise) for change, noise in gains.items()}
                for name, gains in content["rounds"].items()
            }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {}


def _report(folder: Path, name: str, config: Any, wish: Wish, chosen: Chosen, facts: list[dict[str, Any]]) -> str:
    path = folder / f"widths_{name}.json"
    content = {"model": name, "hardware": wish.hardware.name, "budget": wish.budget, "settings": facts}
    write_text(path, json.dumps(content, indent=1) + "\n")
    try:
        picture = draw_choice(config, chosen)
    except DrawingError as error:
        return f"figures in {path}, nothing drawn ({error})"
    drawn = path.with_suffix(".png")
    write_atomically(drawn, lambda temporary: picture.save(temporary, format="PNG"))
    return f"figures in {path}, the choice in {drawn}"
