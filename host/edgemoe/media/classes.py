"""Classes of a picture: probabilities, and the most likely ones by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.task import TaskConfig

SHOWN = 5


@dataclass(frozen=True)
class ClassScore:
    """One class: its index, its name (`class 7` without labels), its softmax probability."""

    index: int
    label: str
    probability: float


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax of C logits: float64 C, sum 1."""
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(exponentials / exponentials.sum(), dtype=np.float64)


def top_classes(task: TaskConfig, logits: NDArray[np.float32], count: int = SHOWN) -> list[ClassScore]:
    """The most likely classes of one picture, best first, of equals the lowest index."""
    shares = probabilities(logits)
    order = np.argsort(-shares, kind="stable")[:count]
    return [ClassScore(int(i), task.labels[i] if task.labels else f"class {i}", float(shares[i])) for i in order]
