"""One frame of a traced program on an engine and on golden, for tests of modes that no whole model uses."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.compiler.program import Program
from edgemoe.devices.base import MissingToolError
from edgemoe.diff import compare_engines


def require_golden_values(program: Program, engine: str) -> None:
    """Fail at the first stored value that differs; skip where the engine cannot be built here."""
    model = program.manifest.model
    frame = np.random.default_rng(3).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    try:
        found = compare_engines(program, frame, ("golden", engine))
    except MissingToolError as error:
        pytest.skip(str(error))
    assert found.difference is None, str(found.difference)
    assert found.values > 10_000
