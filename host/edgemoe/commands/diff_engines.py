"""`edgemoe diff --engines A,B`: the first instruction at which two engines differ."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from edgemoe.commands.common import add_model_arguments, obtain_program, task_names
from edgemoe.devices.registry import described_engines, require_engine
from edgemoe.diff import compare_engines
from edgemoe.errors import ArgumentError
from edgemoe.media.resize import resize
from edgemoe.media.sources import open_source
from edgemoe.spec.model import ModelConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument("--engines", required=True, help=f"two of these, separated by a comma: {described_engines()}")
    parser.add_argument("--input", help="picture to run (default: seeded noise)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: %(default)s)")


def main(options: argparse.Namespace) -> int:
    """Compare; returns 0 when the engines agree, 1 when they differ."""
    names = task_names(options.engines) or ()
    if len(names) != 2:
        raise ArgumentError(f"--engines takes two names, such as golden,corrupted; found '{options.engines}'")
    for name in names:
        require_engine(name)
    program = obtain_program(options, trace=True)
    frame = _frame(options, program.manifest.model)
    found = compare_engines(program, frame, (names[0], names[1]))
    if found.difference is None:
        print(f"{names[0]} and {names[1]} agree: {found.values:,} values in {found.records} records")
        return 0
    print(f"{names[0]} and {names[1]} differ at {found.difference}")
    return 1


def _frame(options: argparse.Namespace, model: ModelConfig) -> NDArray[np.uint8]:
    if options.input is None:
        shape = (model.image_height, model.image_width, 3)
        return np.random.default_rng(options.seed).integers(0, 256, shape, dtype=np.uint8)
    return resize(next(iter(open_source(options.input))).picture, model.image_height, model.image_width).frame
