"""The look-up tables of the arithmetic: exp2, GELU's δ, reciprocal square root.

Every engine uses exactly these integers; HLS and Verilog get them through the generated headers.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.isa import Activation
from edgemoe.spec.precision import GATE_EXPONENTIAL_BITS, GATE_FRACTION, Precision

IntArray = NDArray[np.int64]

RSQRT_INDEX_BITS = 8  # the table is indexed by the top 8 bits of the mantissa, 64 … 255
GELU_STEP_BITS = 6  # δ entries stand 1/64 apart
FINE_HALF_BITS = GATE_FRACTION // 2  # the fine exponential is a product of two 64-entry tables


def _frozen(values: list[int]) -> IntArray:
    table = np.array(values, dtype=np.int64)
    table.flags.writeable = False
    return table


@cache
def exp2_table(precision: Precision) -> IntArray:
    """W8A8's exponential: T[i] = round((2^E − 1)·2^(−i/2^f)), i < 2^f (f score_fraction, E exponential_bits)."""
    top, steps = 2**precision.exponential_bits - 1, 2**precision.score_fraction
    return _frozen([round(top * 2.0 ** (-i / steps)) for i in range(steps)])


@cache
def fine_exp2_high_table() -> IntArray:
    """Coarse factor of the fine exponential: round(65535·2^(−i/64)), i < 64."""
    top, steps = 2**GATE_EXPONENTIAL_BITS - 1, 2**FINE_HALF_BITS
    return _frozen([round(top * 2.0 ** (-i / steps)) for i in range(steps)])


@cache
def fine_exp2_low_table() -> IntArray:
    """Fine factor of the fine exponential: round(65536·2^(−i/4096)), i < 64; 17 bits."""
    return _frozen([round(65536 * 2.0 ** (-i / 2**GATE_FRACTION)) for i in range(2**FINE_HALF_BITS)])


def _rest(activation: Activation, a: float) -> float:
    """1 − g(a) of an activation function x·g(x) with g(x) + g(−x) = 1, a ≥ 0: what δ(a) = a·(1 − g(a)) is made of."""
    match activation:
        case Activation.GELU:
            return 0.5 * math.erfc(a / math.sqrt(2.0))
        case Activation.GELU_TANH:
            return 1 / (1 + math.exp(2 * math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))
        case Activation.QUICK_GELU:
            return 1 / (1 + math.exp(1.702 * a))
        case _:
            return 0.0


@cache
def delta_table(precision: Precision, activation: Activation) -> IntArray:
    """δ(a) at a = i/64 in Q.gelu_fraction; one more entry than intervals when interpolated.

    f(x) = ReLU(x) − δ(|x|) for either sign of x (Edge-MoE, "GELU as ReLU minus a small table"). It holds for every
    x·g(x) with g(x) + g(−x) = 1: GELU with erf or tanh, x·sigmoid(1.702·x), and ReLU itself, whose δ is 0.
    """
    intervals = precision.gelu_entries if activation == Activation.GELU else precision.activation_entries
    places = [i / 2**GELU_STEP_BITS for i in range(intervals + int(precision.fine))]
    return _frozen([round(2**precision.gelu_fraction * a * _rest(activation, a)) for a in places])


@cache
def delta_tables(precision: Precision) -> IntArray:
    """The tables of all activation functions, in the order of `Activation`, each filled up with 0 to one size."""
    size = precision.activation_entries + int(precision.fine)
    tables = [delta_table(precision, activation) for activation in Activation]
    return _frozen(np.concatenate([np.pad(table, (0, size - len(table))) for table in tables]).tolist())


@cache
def rsqrt_table(precision: Precision) -> IntArray:
    """First guess of 2^R/√x for x in [i/256, (i+1)/256), i = 64 … 255 (entry 0 belongs to i = 64)."""
    steps = 2**RSQRT_INDEX_BITS
    scale = 2**precision.rsqrt_fraction
    return _frozen([round(scale / math.sqrt((i + 0.5) / steps)) for i in range(steps // 4, steps)])
