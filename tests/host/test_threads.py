"""Golden computes with one BLAS thread, whatever the computer has, and leaves the number as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from edgemoe.devices.golden import threads
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.threads import VARIABLES, one_blas_thread
from edgemoe.session import Session
from edgemoe.spec.faults import Fault
from tests.examples.program import small_program


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three threads that nobody asked for; skipped where NumPy's BLAS has one."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(3, user_api="blas"):
        if blas_threads() != {3}:
            pytest.skip("NumPy's BLAS has no threads here")
        yield


def test_a_frame_is_computed_with_one_thread(three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, run = [], GoldenMachine.run

    def watched(machine: GoldenMachine) -> Fault:
        seen.append(blas_threads())
        return run(machine)

    monkeypatch.setattr(GoldenMachine, "run", watched)
    program = small_program()
    with GoldenDevice(program.manifest.hardware) as device, Session(program, device) as session:
        session.run(np.zeros((32, 48, 3), dtype=np.uint8))
    assert seen == [{1}]
    assert blas_threads() == {3}


def test_an_error_inside_leaves_the_number_as_it_was(three: None) -> None:
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == {3}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_number_that_the_user_chose_is_left_alone(name: str, three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "3")
    with one_blas_thread():
        assert blas_threads() == {3}


def test_one_thread_is_asked_for_and_no_other_library_than_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    libraries = SimpleNamespace(limit=lambda **wish: (asked.append(wish), nullcontext())[1])
    monkeypatch.setattr(threads, "_libraries", lambda: libraries)
    with one_blas_thread():
        assert asked == [{"limits": 1, "user_api": "blas"}]
