"""Engines for single operations: whatever computes those of operations.py. One more is one more of ENGINES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgemoe.errors import EdgeMoeError
from edgemoe.kernels.operations import IntArray, Operation
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.precision import MAX_FEATURES, MAX_TOKENS


class EngineNotBuiltError(EdgeMoeError):
    """The engine exists but cannot be built here; the message says what it needs."""


@dataclass(frozen=True)
class Limits:
    """How far an engine goes, where a test goes as far as it can.

    tokens: keys of one attention. top_k: experts chosen per token. gate_features: inputs of a gate's logit. repeats:
    whether a queue may name a row twice.
    """

    tokens: int
    top_k: int
    gate_features: int
    repeats: bool


MOST = Limits(tokens=MAX_TOKENS, top_k=16, gate_features=MAX_FEATURES, repeats=True)


class OpEngine(Protocol):
    """Runs any operation: the results are those of its `golden`, or the engine is wrong."""

    name: str
    limits: Limits

    def run(self, op: Operation) -> list[IntArray]:
        """The results, all of whose values were computed by the engine."""


class GoldenEngine:
    """edgemoe_golden.ops itself."""

    name = "golden"
    limits = MOST

    def run(self, op: Operation) -> list[IntArray]:
        """See OpEngine."""
        return op.golden()


GOLDEN = GoldenEngine()
Shapes = Callable[[str], HardwareConfig]  # the hardware to build for a precision, by its name


def _golden(_shapes: Shapes | None = None) -> OpEngine:
    return GOLDEN


def _csim(shapes: Shapes | None = None) -> OpEngine:
    from edgemoe.kernels.csim import CsimEngine, wide_hardware

    return CsimEngine(shapes or wide_hardware)


def _rtl(shapes: Shapes | None = None) -> OpEngine:
    from edgemoe.kernels.rtl import RtlEngine, wide_hardware

    return RtlEngine(shapes or wide_hardware)


# Name → how to get the engine, built for these shapes, or else for shapes wide enough for any test; raises
# EngineNotBuiltError.
ENGINES: dict[str, Callable[..., OpEngine]] = {"golden": _golden, "csim": _csim, "rtl": _rtl}
