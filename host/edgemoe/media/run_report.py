"""`run.json`: what a run did, with which files, from which sources, and whether that was all."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from edgemoe.media.resize import Resized
from edgemoe.results import FrameResult
from edgemoe.spec.files import read_limited
from edgemoe.spec.model import ModelConfig
from edgemoe.version import version

REPORT = "run.json"
VIDEO = "panel.mp4"
STOPPED = "stopped by Ctrl-C"
_MAX_REPORT = 256 << 20


def results_in(folder: Path) -> frozenset[str]:
    """Names of the files that runs have left in `folder`, as its report says; none where there is no report."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        content = read_limited(folder / REPORT, _MAX_REPORT)
        report = json.loads(content) if len(content) <= _MAX_REPORT else {}
        names = [name for frame in report["frames"] for name in frame["files"]]
        names += [*report.get("earlier_results", []), report.get("video") or VIDEO, REPORT]
        return frozenset(name for name in names if isinstance(name, str))
    return frozenset()


def frame_entry(name: str, source: str, seconds: float | None, files: Sequence[str], result: FrameResult,
                resized: Resized | None) -> dict[str, Any]:  # fmt: skip
    """What the report says of one frame."""
    entry: dict[str, Any] = {"name": name, "source": source or None, "files": list(files)}
    if seconds is not None:
        entry["seconds"] = round(seconds, 6)
    if resized is not None:
        entry |= {"resize": resized.statement, "box": list(resized.box), "inner": list(resized.inner)}
    entry["timings_ms"] = {key: float(value) for key, value in result.timings_ms.items()}
    entry["counters"] = {key: int(value) for key, value in result.counters.items()}
    return entry


def summary_of(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Number of frames, and their milliseconds on this host."""
    totals = [entry["timings_ms"]["total"] for entry in entries if "total" in entry["timings_ms"]]
    summary: dict[str, Any] = {"frames": len(entries)}
    if totals:
        summary["total_ms"] = {
            "mean": float(np.mean(totals)),
            "median": float(np.median(totals)),
            "min": float(np.min(totals)),
            "max": float(np.max(totals)),
        }
    return summary


def why_ended(error: BaseException | None) -> str | None:
    """What ended a run early, in words; None when nothing did."""
    if error is None:
        return None
    return STOPPED if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__


def model_facts(model: ModelConfig) -> dict[str, Any]:
    """Which model it was, and how it takes pixels."""
    return {
        "model_hash": f"{model.hash():08x}",
        "tasks": [task.name for task in model.tasks],
        "pixels": {"mean": list(model.pixel_mean), "deviation": list(model.pixel_std)},
    }


def versions() -> dict[str, str]:
    """Versions of what made the outputs."""
    numpy, pillow = np.__version__, PIL.__version__
    return {"edgemoe": version(), "python": platform.python_version(), "numpy": numpy, "pillow": pillow}
