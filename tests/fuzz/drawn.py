"""A program that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgemoe.spec.memory import Bytes

Words = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True)
class Drawn:
    """A program: words uint32 [instructions, 16], the weight stream, a frame, and what its header may say instead."""

    words: Words
    stream: Bytes
    frame: Bytes
    header: dict[str, int]
