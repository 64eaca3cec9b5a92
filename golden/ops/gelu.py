"""GELU as ReLU minus a small table: GELU(x) = ReLU(x) − δ(|x|), δ(a) = a·(1 − Φ(a)) (Edge-MoE, GELU approximation).

δ is even in x, at most 0.17 and vanishes beyond a = 4 … 6, so a few hundred narrow entries replace erf. Error of the
table against exact GELU: at most 0.0042 (W8A8, nearest entry), 4·10⁻⁵ (W16A16, interpolated). Other activation
functions are other tables (`edgemoe.spec.tables.delta_table`).
"""

from __future__ import annotations

import numpy as np

from edgemoe.spec.isa import Activation
from edgemoe.spec.precision import Precision
from edgemoe.spec.tables import GELU_STEP_BITS, delta_table
from edgemoe_golden.ops.requantise import IntArray, round_shift, saturate_activations


def gelu_delta(magnitude: IntArray, precision: Precision, activation: Activation = Activation.GELU) -> IntArray:
    """δ(a) in Q.gelu_fraction; magnitude a ≥ 0 in the same format."""
    table = delta_table(precision, activation)
    entries = len(table) - int(precision.fine)
    step_bits = precision.gelu_fraction - GELU_STEP_BITS
    if not precision.fine:
        index = round_shift(magnitude, step_bits)
        return np.where(index < entries, table[np.minimum(index, entries - 1)], 0)
    index = magnitude >> step_bits
    low = np.minimum(index, entries - 1)
    slope = table[low + 1] - table[low]
    delta = table[low] + round_shift(slope * (magnitude & ((1 << step_bits) - 1)), step_bits)
    return np.where(index < entries, delta, 0)


def gelu(values: IntArray, precision: Precision, activation: Activation = Activation.GELU) -> IntArray:
    """GELU(x), or another activation function, in Q.gelu_fraction; values of gelu_bits in the same format."""
    return np.maximum(values, 0) - gelu_delta(np.abs(values), precision, activation)


def gelu_requantise(
    values: IntArray,
    multiplier: int,
    shift: int,
    zero: int,
    precision: Precision,
    wide: bool = False,
    activation: Activation = Activation.GELU,
) -> IntArray:
    """saturate(round_shift(GELU(x)·multiplier, shift) + zero): activations whose grid runs from GELU's minimum up.

    zero is the code of the real value 0; the following layer's bias takes zero·Σweight off again, exactly.
    """
    scaled = round_shift(gelu(values, precision, activation) * multiplier, shift) + zero
    return saturate_activations(scaled, wide, precision)
