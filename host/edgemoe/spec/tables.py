"""The look-up tables of the arithmetic: exp2, GELU's δ, reciprocal square root.

Every engine uses exactly these integers; HLS and Verilog get them through the generated headers.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

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


@cache
def gelu_delta_table(precision: Precision) -> IntArray:
    """δ(a) = a·(1 − Φ(a)) at a = i/64 in Q.gelu_fraction; one more entry than intervals when interpolated.

    GELU(x) = ReLU(x) − δ(|x|) for either sign of x (Edge-MoE, "GELU as ReLU minus a small table").
    """
    entries = precision.gelu_entries + (1 if precision.fine else 0)
    scale, values = 2**precision.gelu_fraction, []
    for i in range(entries):
        a = i / 2**GELU_STEP_BITS
        values.append(round(scale * a * 0.5 * math.erfc(a / math.sqrt(2.0))))
    return _frozen(values)


@cache
def rsqrt_table(precision: Precision) -> IntArray:
    """First guess of 2^R/√x for x in [i/256, (i+1)/256), i = 64 … 255 (entry 0 belongs to i = 64)."""
    steps = 2**RSQRT_INDEX_BITS
    scale = 2**precision.rsqrt_fraction
    return _frozen([round(scale / math.sqrt((i + 0.5) / steps)) for i in range(steps // 4, steps)])
