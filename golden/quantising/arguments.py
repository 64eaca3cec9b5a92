"""Arguments of `edgemoe calibrate` and of `python -m edgemoe_golden.calibrate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgemoe.errors import ArgumentError
from edgemoe_golden.quantising.options import STEPS
from edgemoe_golden.ranges import RULES

SCENES = 64
NARROW = ("none", "experts", "all")
REPORT_FOLDER = "report"
"""In the checkpoint's folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    steps = "; ".join(f"{name}: {text}" for name, text in STEPS.items())
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="folder of a checkpoint, such as `edgemoe import` writes, or a shipped model's name",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--pictures", type=Path, nargs="+", metavar="FOLDER", help="folders of pictures to look at")
    source.add_argument("--scenes", type=int, help=f"drawn scenes instead (default where trained on them: {SCENES})")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--without", default="", metavar="STEPS", help=f"steps to leave out, by commas: {steps}")
    how.add_argument("--rule", choices=list(RULES), help="no steps: ranges by this rule, weights as they are")
    how.add_argument("--keep", action="store_true", help="report on the ranges that are there, write no new ones")
    parser.add_argument(
        "--budget", metavar="SHARE", help="then choose activations for 16 bits within so many more cycles, as in 10%%"
    )
    parser.add_argument("--hardware", help="whose cycles count for --budget, a name or a JSON file (default: zcu102)")
    parser.add_argument("--narrow", choices=NARROW, default="none", help="layers with weights of 4 bits (%(default)s)")
    parser.add_argument("--again", action="store_true", help="replace the calibration that is there")
    parser.add_argument("--all", action="store_true", help="print every tensor, not only the worst")
    parser.add_argument(
        "--report", type=Path, help=f"folder for what each tensor loses (default: {REPORT_FOLDER} in the checkpoint's)"
    )


def chosen_steps(without: str) -> frozenset[str]:
    """All steps but those of a list separated by commas; raises ArgumentError for an unknown one."""
    left_out = [part.strip() for part in without.split(",") if part.strip()]
    for step in left_out:
        if step not in STEPS:
            raise ArgumentError(f"--without {step}: there is no such step; there are {', '.join(STEPS)}")
    return frozenset(STEPS) - frozenset(left_out)
