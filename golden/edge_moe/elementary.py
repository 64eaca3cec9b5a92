"""Exponential, reciprocal, square root and GELU in Q10.22.

The first three are the floor of the exact value: the vendor's last bit is not known (head of the notes). Floating point
gives a candidate only; where it lies too close to an integer to be sure, the exact value decides.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from edgemoe.errors import EdgeMoeError
from edgemoe_golden.edge_moe.fixed import FEATURE, ONE, IntArray, wrap

_FRACTION = FEATURE.fraction
_DOUBT = 2.0**-20  # float64's exp is off by at most 2^-28 at this scale
_DIGITS = 300  # e^512 has 223 digits before the point, Q10.22 needs 7 behind it

DELTA_STEP_BITS = 5  # entries stand 1/32 apart
DELTA_ENTRIES = 177  # 0 … 5.5


class UndefinedError(EdgeMoeError, ArithmeticError):
    """A case in which Edge-MoE's own arithmetic has no defined result: a root of a negative number, division by 0."""


def exponential(values: IntArray) -> IntArray:
    """⌊e^x·2^22⌋, wrapped, for x in Q10.22."""
    candidate = np.exp(np.minimum(values, 0) / ONE) * ONE
    result: IntArray = np.floor(candidate).astype(np.int64)
    doubtful = (values > 0) | ((np.abs(candidate - np.rint(candidate)) < _DOUBT) & (candidate > 0.5) & (values < 0))
    if doubtful.any():
        distinct, place = np.unique(values[doubtful], return_inverse=True)
        result[doubtful] = np.array([exact_exponential(int(value)) for value in distinct], dtype=np.int64)[place]
    return result


@cache
def exact_exponential(value: int) -> int:
    """The same for one value, by decimal arithmetic."""
    with localcontext() as context:
        context.prec = _DIGITS
        whole = int((Decimal(value) / ONE).exp() * ONE)
    return int(wrap(np.array([whole % (1 << FEATURE.bits)]))[0])


def reciprocal(values: IntArray) -> IntArray:
    """⌊1/x⌋ in Q10.22, wrapped; raises UndefinedError for 0."""
    if (values == 0).any():
        raise UndefinedError("a sum of exponentials wrapped to 0, and Edge-MoE divides by it")
    return wrap((1 << 2 * _FRACTION) // values)


def square_root(values: IntArray) -> IntArray:
    """⌊√x⌋ in Q10.22; raises UndefinedError below 0."""
    if (values < 0).any():
        raise UndefinedError("a variance came out negative, and Edge-MoE takes its root")
    scaled = values << _FRACTION
    root = np.sqrt(scaled.astype(np.float64)).astype(np.int64)
    root -= root * root > scaled
    root += (root + 1) * (root + 1) <= scaled
    return root


@cache
def _gelu_table() -> IntArray:
    table = gelu_delta_table()
    table.flags.writeable = False
    return table


def gelu_delta_table() -> IntArray:
    """δ(a) = a − GELU(a) = a·erfc(a/√2)/2 at a = i/32, i = 0 … 176, to the nearest 2^-22 (B6, "GELU")."""
    points = (i / 2.0**DELTA_STEP_BITS for i in range(DELTA_ENTRIES))
    return np.array([round(ONE * a * math.erfc(a / math.sqrt(2)) / 2) for a in points], dtype=np.int64)


def gelu(values: IntArray) -> IntArray:
    """ReLU(x) − δ(|x|), δ interpolated with a single cut: ⌊a + t·(b − a)⌋; ReLU alone from |x| = 5.5 on (B6)."""
    table, bits = _gelu_table(), _FRACTION - DELTA_STEP_BITS
    magnitude = np.abs(values)
    index = np.minimum(magnitude >> bits, DELTA_ENTRIES - 2)
    slope = table[index + 1] - table[index]
    delta = table[index] + ((slope * (magnitude & ((1 << bits) - 1))) >> bits)
    beyond = magnitude >= (DELTA_ENTRIES - 1) << bits
    return np.maximum(values, 0) - np.where(beyond, 0, delta)
