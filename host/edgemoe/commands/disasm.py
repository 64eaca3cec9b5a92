"""`edgemoe disasm`: a program, readably."""

from __future__ import annotations

import argparse

from edgemoe.commands.common import add_model_arguments, obtain_program
from edgemoe.compiler.listing import listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument("--words", action="store_true", help="also print the sixteen words of every instruction")


def main(options: argparse.Namespace) -> int:
    """Print; returns the exit status."""
    print("\n".join(listing(obtain_program(options), options.words)))
    return 0
