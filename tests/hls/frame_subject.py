"""What the tests of the HLS sources run: a program, a frame for it, and golden's output."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program


class Subject(NamedTuple):
    """expected: the output region that golden gives."""

    program: Program
    frame: NDArray[np.uint8]
    expected: NDArray[np.uint8]
