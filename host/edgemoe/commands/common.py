"""What the commands share: finding a model, compiling it with a progress bar, printing tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate
from tqdm import tqdm

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import MANIFEST_FILE, Program, ProgramError, load_program
from edgemoe.fitting import PictureFit
from edgemoe.media.sources import open_source
from edgemoe.shipped import model_folder
from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.hardware import DEFAULT_HARDWARE, hardware_names, load_hardware_config


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--model, --hardware, --task."""
    parser.add_argument(
        "--model",
        type=Path,
        help="checkpoint folder, program folder made by `edgemoe compile`, or a shipped model's name, such as mini",
    )
    names = ", ".join(hardware_names())
    parser.add_argument("--hardware", help=f"configuration to compile for: {names}, or a JSON file")
    parser.add_argument("--task", help="tasks, separated by commas (default: all of the model's)")


def task_names(text: str | None) -> tuple[str, ...] | None:
    """`semseg,depth` → names; None when nothing was asked."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def is_program(folder: Path) -> bool:
    """Whether a folder holds a compiled program."""
    return (folder / MANIFEST_FILE).is_file()


def obtain_program(options: argparse.Namespace, trace: bool = False) -> Program:
    """Load the program that the options name, or compile their checkpoint, with a progress bar.

    Raises CheckpointError, ConfigError, ProgramError, DoesNotFitError.
    """
    folder, tasks = model_folder(options.model), task_names(options.task)
    if is_program(folder):
        return _loaded(folder, tasks, options.hardware, trace)
    hardware = load_hardware_config(options.hardware or _usual_hardware(getattr(options, "device", None)))
    with tqdm(desc=f"compiling {folder.name} for {hardware.name}", unit="step", leave=False) as bar:

        def show(done: int, steps: int) -> None:
            bar.total = steps
            bar.update(done - bar.n)

        return compile_checkpoint(folder, tasks, hardware, trace, show)


def _usual_hardware(device: str | None) -> str:
    """What a board is usually built with; DEFAULT_HARDWARE for engines on this computer."""
    return load_board(device).hardware[0] if device in board_names() else DEFAULT_HARDWARE


def _loaded(folder: Path, tasks: tuple[str, ...] | None, hardware: str | None, trace: bool) -> Program:
    program = load_program(folder)
    manifest = program.manifest
    if hardware is not None and load_hardware_config(hardware).hash() != manifest.config_hash:
        raise ProgramError(
            f"{folder}: built for hardware '{manifest.hardware.name}', not '{hardware}'; compile the model again"
        )
    if tasks is not None and tasks != manifest.tasks:
        raise ProgramError(
            f"{folder}: built for tasks {','.join(manifest.tasks)}, not {','.join(tasks)}; compile the model again"
        )
    if trace and not manifest.trace:
        raise ProgramError(f"{folder}: stores no traces; compile the model with --trace")
    return program


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of text; numbers to the right, with thousands separated, floats with two digits."""
    names = [column for column in range(len(header)) if any(isinstance(row[column], str) for row in rows)]
    return tabulate(rows, header, intfmt=",", floatfmt=",.2f", disable_numparse=names)


def picture_of(source: str | None) -> NDArray[np.uint8] | None:
    """The first picture of a source, None where none is named; raises MediaError."""
    return None if source is None else next(iter(open_source(source))).picture


def frame_of(picture: NDArray[np.uint8] | None, program: Program, seed: int) -> NDArray[np.uint8]:
    """The picture as the program takes it, or seeded noise of that size; says where its preprocessing is missing."""
    model = program.manifest.model
    if picture is None:
        shape = (model.image_height, model.image_width, 3)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    fit = PictureFit(program)
    if fit.note:
        print(fit.note, file=sys.stderr)
    return fit(picture).frame
