"""Calibrate a checkpoint: `python -m edgemoe_golden.calibrate models/mini --scenes 64`, as `edgemoe calibrate`.

Runs the model on pictures, every task, chooses ranges, moves and rounds what is better moved and rounded, writes
`calibration.json` beside the weights, and says which tensors lose how much. See docs/evidence/calibration.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.calibration import Calibration
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.model import M3ViT
from edgemoe_golden.quantising.arguments import add_arguments
from edgemoe_golden.quantising.command import calibrate_folder
from edgemoe_golden.quantising.observed import (
    DEFAULT_RULE,
    FINE_MARGIN,
    RESIDUAL_MARGIN,
    Histograms,
    RangeRecorder,
    calibration_of,
    coarse_range,
    fine_range,
    observe,
)
from edgemoe_golden.quantising.pictures import (
    CALIBRATION_SEEDS,
    drawn_frames,
    picture_frames,
    scenes_provenance,
)

__all__ = [
    "CALIBRATION_SEEDS",
    "DEFAULT_RULE",
    "FINE_MARGIN",
    "RESIDUAL_MARGIN",
    "Histograms",
    "RangeRecorder",
    "calibrate",
    "calibration_of",
    "coarse_range",
    "drawn_frames",
    "fine_range",
    "observe",
    "picture_frames",
]


def calibrate(model: M3ViT, scenes: int) -> Calibration:
    """Calibration on drawn scenes by the default rule, without steps.

    Raises ArgumentError when no scene is asked for or an activation is not finite.
    """
    histograms = observe(model, drawn_frames(model.config, scenes), scenes)
    return calibration_of(model.config, histograms, scenes_provenance(scenes), DEFAULT_RULE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a calibration into a checkpoint folder, and the report."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe_golden.calibrate", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        done = calibrate_folder(options)
    except (EdgeMoeError, OSError) as error:
        parser.exit(1, f"{error}\n")
    print(done.text)
    if done.skipped:
        parser.exit(1, "".join(f"skipped: {each.reason}\n" for each in done.skipped))


if __name__ == "__main__":
    main()
