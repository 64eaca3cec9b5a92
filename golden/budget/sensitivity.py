"""How much noise one other width takes away or adds, measured on the integers themselves.

Routing is forced to the float network's, so that noise adds up smoothly instead of jumping with a token that goes
elsewhere; noise that reaches a gate moves it, so the measure is a mean over the residual stream after all blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.quantise import Quantiser
from edgemoe.spec.calibrated import Calibrated
from edgemoe.spec.calibration import Calibration
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import W8A8
from edgemoe_golden.budget.fidelity import Reference, noise_ratio
from edgemoe_golden.budget.integer_network import IntArray, IntegerBlock, embedded


class Sensitivity:
    """One starting point: the network with the widths of `calibration`, run once and kept block by block."""

    def __init__(
        self,
        config: ModelConfig,
        tensors: Tensors,
        calibration: Calibration,
        found: Sequence[Reference],
        calibrated: Calibrated | None = None,
    ) -> None:
        self.config, self.tensors, self.calibration, self.references = config, tensors, calibration, found
        self.calibrated = calibrated
        model = Quantiser(config, tensors, calibration, W8A8, calibrated).model()
        self.scale = model.residual_scale
        self.blocks = [IntegerBlock(block, config, W8A8) for block in model.blocks]
        self.before = [[embedded(model, reference.frame)] for reference in found]
        noise = []
        for reference, kept in zip(found, self.before, strict=True):
            own = []
            for index, block in enumerate(self.blocks):
                kept.append(block.run(kept[-1], reference.task, reference.chosen[index]).residual)
                own.append(noise_ratio(kept[-1], reference.residuals[index], self.scale))
            noise.append(own)
        self._noise = np.array(noise)

    @property
    def noise(self) -> float:
        """Noise ratio, the geometric mean over pictures, tasks and blocks."""
        return _mean(self._noise)

    def with_widths(self, index: int, wide: Collection[str], narrow: Collection[str]) -> float:
        """The same when block `index` takes these further widths."""
        own = self.calibration
        mixed = replace(own, wide=(*own.wide, *wide), narrow=(*own.narrow, *narrow))
        quantiser = Quantiser(self.config, self.tensors, mixed, W8A8, self.calibrated)
        block = IntegerBlock(quantiser.block(index), self.config, W8A8)
        noise = self._noise.copy()
        for row, (reference, kept) in enumerate(zip(self.references, self.before, strict=True)):
            residual: IntArray = kept[index]
            for at, each in enumerate([block, *self.blocks[index + 1 :]], index):
                residual = each.run(residual, reference.task, reference.chosen[at]).residual
                noise[row, at] = noise_ratio(residual, reference.residuals[at], self.scale)
        return _mean(noise)


def _mean(noise: NDArray[np.float64]) -> float:
    """A decibel counts alike everywhere: in an early block, whose noise reaches the first gate, as in a late one."""
    return float(np.exp(np.log(noise).mean()))
