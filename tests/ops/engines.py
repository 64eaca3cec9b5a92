"""Engines under test: whatever computes the operations of tests/ops/operations.py. One more is one more of ENGINES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from operations import IntArray, Operation

from edgemoe.spec.precision import MAX_FEATURES, MAX_TOKENS


class EngineNotBuiltError(Exception):
    """The engine exists but is not built here; the message is one sentence that says how to build it."""


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

    def run(self, op: Operation) -> list[IntArray]: ...


class GoldenEngine:
    """edgemoe_golden.ops itself."""

    name = "golden"
    limits = MOST

    def run(self, op: Operation) -> list[IntArray]:
        return op.golden()


GOLDEN = GoldenEngine()

# Name → how to get the engine; raises EngineNotBuiltError.


def _csim() -> OpEngine:
    from csim_engine import CsimEngine

    return CsimEngine()


def _rtl() -> OpEngine:
    from rtl_engine import RtlEngine

    return RtlEngine()


ENGINES: dict[str, Callable[[], OpEngine]] = {"golden": lambda: GOLDEN, "csim": _csim, "rtl": _rtl}
