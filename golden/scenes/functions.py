"""Functions of float32 arrays that are the same on every processor.

NumPy's own differ in the last bit from one instruction set to another, and with them a pixel of a scene now and then.
These compute in double, whose last bit is rounded away.
"""

from __future__ import annotations

import numpy as np

from edgemoe_golden.scenes.camera import Floats


def exponential(values: Floats) -> Floats:
    """e to the power of float32 values, as float32."""
    return np.exp(values.astype(np.float64)).astype(np.float32)


def power(values: Floats, exponent: float) -> Floats:
    """Float32 values, 0 or more, to the power of a number, as float32."""
    return np.asarray(values.astype(np.float64) ** exponent).astype(np.float32)


def arctangent(values: Floats) -> Floats:
    """Angles of float32 slopes, as float32 radians."""
    return np.arctan(values.astype(np.float64)).astype(np.float32)
