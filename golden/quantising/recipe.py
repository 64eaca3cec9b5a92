"""The quantiser on one checkpoint and its pictures: the same steps for any widths."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.calibrated import Calibrated, merged
from edgemoe.spec.calibration import Calibration, Range, calibrated_tensors
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.observed import DEFAULT_RULE, Histograms, coarse_range, fine_range
from edgemoe_golden.quantising.options import Options
from edgemoe_golden.quantising.output import calibration_of, tensors_of
from edgemoe_golden.quantising.quantiser import quantise_network
from edgemoe_golden.quantising.rewrites import State
from edgemoe_golden.quantising.work import Frames, Work, halves
from edgemoe_golden.ranges import Histogram

MOST_ROWS = 32_768
"""Rows over tasks, pictures and tokens that steps look at, evenly chosen pictures of many. Ranges of W16A16 and of the
residual stream come from all."""

JUDGED_ROWS = 4096
"""Rows that the gain of steps is judged on: every step is taken twice for it."""


@dataclass(frozen=True)
class Tuned:
    """What a run found: its calibration, the contents of `calibrated.safetensors`, and the tensors with these in place.

    calibrated, stored: None where ranges came by rule and all tensors are the checkpoint's own.
    """

    calibration: Calibration
    calibrated: Calibrated | None = None
    stored: Mapping[str, NDArray[np.generic]] | None = None


@dataclass(frozen=True)
class Recipe:
    """state: float tensors. frames: pictures, those of `evenly`. histograms: of the float network on all pictures.
    options: steps and layers of 4 bits. provenance: where the pictures come from.
    """

    config: ModelConfig
    state: State
    frames: Frames
    histograms: Histograms
    options: Options
    provenance: str

    def work(self, wide: Collection[str] = (), progress: Callable[[], None] = lambda: None) -> Work:
        """A run with these activations on 16 bits; progress: called per block and head."""
        options = Options(self.options.steps, frozenset(wide), self.options.narrow)
        residual = self.histograms["residual"]
        return quantise_network(self.config, self.state, self.frames, residual, options, default_range, (), progress)

    def tuned(self, wide: Collection[str] = ()) -> Tuned:
        """What a run with these activations on 16 bits leaves."""
        return self.result(self.work(wide))

    def judged(self, wide: Collection[str], progress: Callable[[], None] = lambda: None) -> float:
        """What a run with these activations on 16 bits gives pictures that it has not seen, in dB: the stream's SQNR,
        mean over blocks and pictures, learned on every other picture and measured on those in between, both ways round.
        """
        options, residual = (
            Options(self.options.steps, frozenset(wide), self.options.narrow),
            self.histograms["residual"],
        )
        found = []
        for learned, unseen in halves(self.frames):
            work = quantise_network(
                self.config, self.state, learned, residual, options, default_range, unseen, progress
            )
            found.append(np.mean(work.unseen_db))
        return float(np.mean(found))

    def result(self, work: Work) -> Tuned:
        """What a run leaves."""
        fine = {name: fine_range(name, self.histograms[name]) for name in calibrated_tensors(self.config)}
        scores = {name: span for name, span in fine.items() if name.endswith(".scores")}
        calibration, stored = calibration_of(work, scores, fine, self.provenance), tensors_of(work)
        tensors = {name: value.numpy() for name, value in self.state.items()}
        return Tuned(calibration, merged(self.config, tensors, calibration, stored), stored)


def default_range(name: str, histogram: Histogram) -> Range:
    """Range of a tensor without the step `ranges`."""
    return coarse_range(name, histogram, DEFAULT_RULE)


def evenly(config: ModelConfig, frames: Frames, judged: bool = False) -> Frames:
    """Pictures to take steps on, or to judge them on: all, or evenly chosen ones of too many."""
    most = max(2, (JUDGED_ROWS if judged else MOST_ROWS) // (config.tokens * len(config.tasks)))
    if len(frames) <= most:
        return frames
    return [frames[int(index)] for index in np.linspace(0, len(frames) - 1, most)]
