"""Operands for the operations, and the comparison that all tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scalar import reference_of

from edgemoe.kernels.engines import GOLDEN, OpEngine
from edgemoe.kernels.operations import Operation


def expected_of(op: Operation, engine: OpEngine) -> Sequence[Any]:
    """What an engine is held to: golden to the scalar reference, any other engine to golden."""
    return reference_of(op) if engine.name == GOLDEN.name else op.golden()


def check(op: Operation, engine: OpEngine) -> int:
    """Assert that the engine gives what it is held to. Returns how many values were compared."""
    return same(engine.run(op), expected_of(op, engine), engine.name)


def same(actual: Sequence[Any], expected: Sequence[Any], name: str = "engine") -> int:
    """Assert equality of integers, array by array; returns how many were compared, more than none."""
    assert len(actual) == len(expected)
    compared = 0
    for got, want in zip(actual, expected, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        assert got.dtype.kind == "i", f"{name} returned {got.dtype}, not integers"
        assert got.shape == want.shape, f"{name} returned shape {got.shape}, expected {want.shape}"
        if not np.array_equal(got, want):
            wrong = np.argwhere(got != want)
            at = tuple(int(index) for index in wrong[0])
            raise AssertionError(
                f"{name}: {len(wrong)} of {got.size} values differ, first at {at}: {got[at]}, expected {want[at]}"
            )
        compared += got.size
    assert compared > 0, "nothing was compared"
    return compared
