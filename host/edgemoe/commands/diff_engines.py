"""`edgemoe diff --engines A,B`: the first instruction at which two engines differ."""

from __future__ import annotations

import argparse

from edgemoe.commands.common import add_model_arguments, frame_of, obtain_program, picture_of, task_names
from edgemoe.devices.registry import described_engines, require_engine
from edgemoe.diff import compare_engines
from edgemoe.errors import ArgumentError


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
    frame = frame_of(picture_of(options.input), program, options.seed)
    found = compare_engines(program, frame, (names[0], names[1]))
    if found.difference is None:
        print(f"{names[0]} and {names[1]} agree: {found.values:,} values in {found.records} records")
        return 0
    print(f"{names[0]} and {names[1]} differ at {found.difference}")
    return 1
