"""`edgemoe calibrate`: pictures → ranges, moved zero points and scales, rounded weights of a checkpoint folder."""

from __future__ import annotations

import argparse
import sys

from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.shipped import model_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from edgemoe_golden.quantising.arguments import add_arguments as add

    add(parser)


def main(options: argparse.Namespace) -> int:
    """Calibrate; returns the exit status: 1 when pictures were skipped."""
    try:
        from edgemoe_golden.quantising.command import calibrate_folder
    except ModuleNotFoundError as error:
        raise ArgumentError(f"calibrating needs {error.name}; run: {how_to_install('train')}") from error
    options.checkpoint = model_folder(options.checkpoint)
    done = calibrate_folder(options)
    print(done.text)
    for each in done.skipped:
        print(f"edgemoe: skipped: {each.reason}", file=sys.stderr)
    return 1 if done.skipped else 0
