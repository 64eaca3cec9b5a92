"""Fixtures of the operation tests: every engine, both precisions, a few seeds (all three stand in a test's name)."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.kernels.engines import ENGINES, EngineNotBuiltError, OpEngine
from edgemoe.spec.precision import PRECISIONS, Precision


@pytest.fixture(params=list(ENGINES), scope="session")
def engine(request: pytest.FixtureRequest) -> OpEngine:
    """Each registered engine; one that is not built is skipped, with how to build it."""
    try:
        return ENGINES[request.param]()
    except EngineNotBuiltError as error:
        pytest.skip(str(error))


@pytest.fixture(params=list(PRECISIONS.values()), ids=list(PRECISIONS), scope="session")
def precision(request: pytest.FixtureRequest) -> Precision:
    """Both precisions."""
    chosen: Precision = request.param
    return chosen


@pytest.fixture(params=[1, 2], ids=["seed1", "seed2"])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed stands in the test's name."""
    return np.random.default_rng(request.param)
