"""One operation on every engine that there is here, beside golden."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgemoe.devices.base import DeviceError
from edgemoe.kernels.engines import ENGINES, EngineNotBuiltError
from edgemoe.kernels.operations import IntArray, Operation
from edgemoe.spec.hardware import HardwareConfig


@dataclass(frozen=True)
class EngineResult:
    """What one engine gave. results: None where it is not built here, and then `said` is why.

    said: "equal", or the first difference from golden. seconds: of this process, building aside.
    """

    engine: str
    results: tuple[IntArray, ...] | None
    said: str
    seconds: float

    @property
    def wrong(self) -> bool:
        """Whether it gave something else than golden."""
        return self.results is not None and self.said != "equal"


def compare(op: Operation, hardware: HardwareConfig, engines: Sequence[str], flip: bool = False) -> list[EngineResult]:
    """Run the operation on golden and then on these engines, built for `hardware`.

    flip: golden's first value is taken with one bit turned over, and every engine has to differ. Raises DeviceError
    where an engine is there and does not build or run.
    """
    begin = time.perf_counter()
    golden = [np.array(part) for part in op.golden()]
    found = [EngineResult("golden", tuple(golden), "equal", time.perf_counter() - begin)]
    expected = [part.copy() for part in golden]
    if flip:
        expected[0].flat[0] ^= 1
    for name in engines:
        try:
            engine = ENGINES[name](lambda _: hardware)
            engine.run(op)  # builds it
        except EngineNotBuiltError as error:
            found.append(EngineResult(name, None, str(error), 0.0))
            continue
        begin = time.perf_counter()
        results = tuple(engine.run(op))
        found.append(EngineResult(name, results, difference(results, expected), time.perf_counter() - begin))
    return found


def difference(results: Sequence[IntArray], expected: Sequence[IntArray]) -> str:
    """`equal`, or how many values differ and the first of them. Raises DeviceError for arrays of other shapes."""
    for got, wanted in zip(results, expected, strict=True):
        if got.shape != wanted.shape:
            raise DeviceError(f"an engine gave shape {got.shape}, golden {wanted.shape}; please report it")
        wrong = np.argwhere(got != wanted)
        if len(wrong):
            at = tuple(int(index) for index in wrong[0])
            return f"{len(wrong):,} of {got.size:,} differ, first at {at}: {got[at]}, golden {wanted[at]}"
    return "equal"
