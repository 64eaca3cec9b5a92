"""Operands of a chain of multipliers: pairs of weights in one word, and elements that come late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.machine import Sizes
from sim.common.bench import hardware

HARDWARE = hardware()
BITS = HARDWARE.numbers.weight_bits
PACKED_BITS = Sizes(HARDWARE).packed_bits
INT64 = np.int64


def packed_pairs(weights: NDArray[INT64]) -> NDArray[INT64]:
    """Words of PACKED_BITS, unsigned, [beats, lanes] of weights [beats, 2, lanes]."""
    low, high = weights[:, 0], weights[:, 1]
    if HARDWARE.numbers.fine:
        return (low & ((1 << BITS) - 1)) + ((high & ((1 << BITS) - 1)) << BITS)
    shift = HARDWARE.dsp_block.pair_shift
    both = BITS + shift + 1
    return (((high << shift) + low) & ((1 << both) - 1)) + ((high & 3) << both)


def late(values: NDArray[INT64]) -> NDArray[INT64]:
    """[beats + lanes − 1, lanes] of [beats, lanes]: lane n is n beats late; 0 where there is nothing."""
    beats, lanes = values.shape
    found = np.zeros((beats + lanes - 1, lanes), values.dtype)
    for lane in range(lanes):
        found[lane : lane + beats, lane] = values[:, lane]
    return found
