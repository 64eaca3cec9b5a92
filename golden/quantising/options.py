"""What a run of the quantiser does: its steps, and the bits of activations and weights."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.calibration import activation_of, layer_of
from edgemoe.spec.precision import NARROW_LIMIT, W8A8

STEPS = {
    "ranges": "limits of 8-bit grids by the error in the next layer; without: by the rule",
    "zero-points": "per feature, where they are free: LayerNorm outputs that only layers read, keys, values",
    "equalise": "scales per feature moved from activations into weights",
    "gptq": "weights rounded by second-order error; without: to the nearest",
    "biases": "the mean error of a layer taken off its bias",
    "asymmetric": "weights of 4 bits moved towards what the float network gives, before they are rounded",
}
"""Name → what it does, in the order in which the table adds them."""


@dataclass(frozen=True)
class Options:
    """steps: names out of `STEPS`. wide, narrow: activations of 16 bits and layers of 4, as in `Calibration`."""

    steps: frozenset[str] = frozenset(STEPS)
    wide: frozenset[str] = frozenset()
    narrow: frozenset[str] = frozenset()

    @property
    def able(self) -> tuple[str, ...]:
        """The steps that have something to do, in the order of `STEPS`."""
        return tuple(name for name in STEPS if name in self.steps and (self.narrow or name != "asymmetric"))

    def activation_bits(self, tensor: str) -> int:
        """Bits of an activation tensor's grid."""
        return 16 if activation_of(tensor) in self.wide else W8A8.activation_bits

    def weight_limit(self, layer: str) -> int:
        """Largest integer weight of a layer, named as its tensors are."""
        return NARROW_LIMIT if layer_of(layer) in self.narrow else 2 ** (W8A8.weight_bits - 1) - 1
