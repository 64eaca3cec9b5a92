"""Metrics of M³ViT's tasks, gathered picture by picture; edges need an external benchmark and are left out.

Every metric takes the prediction in the form that `edgemoe_golden.model.decoder.answers` gives.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgemoe_golden.data.samples import IGNORE, DataError

Array = NDArray[Any]
_TINY = 1e-9
SALIENCY_THRESHOLDS = np.linspace(0.2, 0.9, 15)


class Metric(Protocol):
    """Grows with every picture; `values` gives its figures by name, none before the first countable pixel."""

    def add(self, prediction: Array, target: Array) -> None:
        """Count one picture."""

    def values(self) -> dict[str, float]:
        """Figures over all pictures so far."""


def overlaps(hits: Array, union: Array, nothing: float) -> NDArray[np.float64]:
    """Intersection over union, pixels; `nothing` is the figure where there is neither truth nor prediction."""
    return np.where(union == 0, nothing, hits / np.maximum(union, 1))


class ClassMetric:
    """IoU of each class, of true and false pixels of all pictures, and their mean, mIoU.

    A class that is neither in the ground truth nor predicted counts as 0 and stays in the mean, as in M³ViT's own
    evaluation: on few pictures mIoU is lower than without such classes.
    """

    def __init__(self, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), dtype=np.int64)

    def add(self, prediction: Array, target: Array) -> None:
        """Classes H×W; 255 in the target is ignored. Raises DataError for a class that the model does not have."""
        classes = len(self._confusion)
        valid = target != IGNORE
        if valid.any() and target[valid].max() >= classes:
            raise DataError(f"class {target[valid].max()} in the ground truth; the model has {classes} classes")
        pairs = target[valid].astype(np.int64) * classes + prediction[valid]
        self._confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def by_class(self) -> NDArray[np.float64]:
        """IoU of every class."""
        hits = np.diag(self._confusion)
        return overlaps(hits, self._confusion.sum(0) + self._confusion.sum(1) - hits, nothing=0.0)

    def values(self) -> dict[str, float]:
        """mIoU."""
        return {"mIoU": float(self.by_class().mean())} if self._confusion.any() else {}


class DepthMetric:
    """RMSE of depth and of its logarithm, over all known pixels of all pictures."""

    def __init__(self) -> None:
        self._sums = np.zeros(3)

    def add(self, prediction: Array, target: Array) -> None:
        """Depth H×W, 0 unknown; a prediction of 0 or less is taken as 1e-9."""
        valid = target != 0
        found, truth = np.maximum(prediction[valid].astype(np.float64), _TINY), target[valid].astype(np.float64)
        logs = np.log(found) - np.log(np.maximum(truth, _TINY))
        self._sums += [((found - truth) ** 2).sum(), (logs**2).sum(), valid.sum()]

    def values(self) -> dict[str, float]:
        """RMSE, log RMSE."""
        squared, logs, count = self._sums
        return {"RMSE": float(np.sqrt(squared / count)), "log RMSE": float(np.sqrt(logs / count))} if count else {}


class NormalsMetric:
    """Mean angle in degrees over all known pixels of all pictures."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, prediction: Array, target: Array) -> None:
        """prediction uint8 H×W×3, (n + 1) · 255 / 2; target vectors, 0 unknown."""
        valid = (target != 0).any(-1)
        found = _unit(prediction[valid].astype(np.float64) * (2 / 255) - 1)
        cosine = (found * _unit(target[valid].astype(np.float64))).sum(-1)
        self._sum += float(np.degrees(np.arccos(cosine.clip(-1, 1))).sum())
        self._count += int(valid.sum())

    def values(self) -> dict[str, float]:
        """mean angle."""
        return {"mean angle": self._sum / self._count} if self._count else {}


class SaliencyMetric:
    """maxF and mIoU: best over 15 thresholds of figures averaged over pictures; F = 2PR / (P + R).

    A picture without anything salient, found to be so, has IoU 1.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, len(SALIENCY_THRESHOLDS)))
        self._count = 0

    def add(self, prediction: Array, target: Array) -> None:
        """prediction uint8 H×W of 0 … 255; target 0 or 1, 255 ignored."""
        valid = target != IGNORE
        salient = prediction[valid] / 255 > SALIENCY_THRESHOLDS[:, None]
        truth = target[valid] == 1
        hits = (salient & truth).sum(1)
        union = (salient | truth).sum(1)
        self._sums += [
            hits / np.maximum(salient.sum(1), 1),
            hits / max(truth.sum(), 1),
            overlaps(hits, union, nothing=1.0),
        ]
        self._count += 1

    def values(self) -> dict[str, float]:
        """maxF, mIoU."""
        if not self._count:
            return {}
        precision, recall, overlap = self._sums / self._count
        score = 2 * precision * recall / np.maximum(precision + recall, _TINY)
        return {"maxF": float(score.max()), "mIoU": float(overlap.max())}


def metric_of(task: str, channels: int) -> Metric | None:
    """The metric of a task, None when there is none here; channels: classes of a task that has them."""
    if task in ("semseg", "human_parts"):
        return ClassMetric(channels)
    single: dict[str, type[DepthMetric] | type[NormalsMetric] | type[SaliencyMetric]] = {
        "depth": DepthMetric,
        "normals": NormalsMetric,
        "sal": SaliencyMetric,
    }
    return single[task]() if task in single else None


def _unit(vectors: Array) -> Array:
    lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)
    return np.asarray(vectors / lengths)
