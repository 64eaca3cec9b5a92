"""`edgemoe calibrate`: pictures → ranges, moved zero points and scales, rounded weights of a checkpoint folder."""

from __future__ import annotations

import argparse

from edgemoe.errors import ArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from edgemoe_golden.quantising.arguments import add_arguments as add

    add(parser)


def main(options: argparse.Namespace) -> int:
    """Calibrate; returns the exit status."""
    try:
        from edgemoe_golden.quantising.command import calibrate_folder
    except ModuleNotFoundError as error:
        raise ArgumentError(f"calibrating needs {error.name}; install the 'train' extra of this package") from error
    print(calibrate_folder(options))
    return 0
