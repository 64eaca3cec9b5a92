"""Weights are fetched and instructions executed on two threads, with a stream of few lines and random pauses: what an
endless stream in a sequential simulation would hide, deadlocks, shows as a run that does not end.
"""

from __future__ import annotations

import ctypes
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from conftest import Subject

from edgemoe.compiler.program import Program
from edgemoe.devices.csim_build import load_library
from edgemoe.frames import input_image
from edgemoe.spec.faults import Fault
from edgemoe.spec.memory import stripe

SECONDS = 60


def _run(program: Program, frame: np.ndarray, depth: int, seed: int, path: Path) -> None:  # type: ignore[type-arg]
    library = load_library(program.manifest.hardware)
    regions = stripe(program.stream, program.manifest.hardware.ports)
    weights = (ctypes.c_void_p * 4)(*(region.ctypes.data for region in regions))
    image, data = program.image, input_image(frame, program.manifest.model)
    output = np.full(program.manifest.output_bytes, 0xA5, dtype=np.uint8)
    results = np.zeros(4, dtype=np.uint64)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (image, data, output)]
    library.edgemoe_run_threads(
        *pointers, weights, ctypes.c_int64(depth), ctypes.c_uint64(seed), ctypes.c_void_p(results.ctypes.data)
    )
    np.savez(path, output=output, results=results)


def run_with_limit(program: Program, frame: np.ndarray, depth: int, seed: int, path: Path) -> bool:  # type: ignore[type-arg]
    """In a process of its own, which a deadlock cannot hold up; whether it ended."""
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(program, frame, depth, seed, path))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    return process.exitcode == 0


@pytest.mark.parametrize(("depth", "seed"), [(1, 1), (2, 2), (64, 3)])
def test_any_depth_gives_golden_integers(subject: Subject, depth: int, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "results.npz"
    assert run_with_limit(subject.program, subject.frame, depth, seed, path), "the processes wait for each other"
    with np.load(path) as found:
        assert found["results"][0] == Fault.NONE
        assert np.array_equal(found["output"], subject.expected)


def test_a_fault_in_the_middle_ends_both_processes(subject: Subject, tmp_path: Path) -> None:
    """The executor takes what is left of the stream, so that the fetcher can finish."""
    program = subject.program
    words = program.words.copy()
    at = program.manifest.labels.index("block 0 projection")
    words[at, 0] |= np.uint32(0xFF)
    broken = Program(program.manifest, words, program.stream)
    path = tmp_path / "results.npz"
    assert run_with_limit(broken, subject.frame, 2, 4, path), "the processes wait for each other"
    with np.load(path) as found:
        assert found["results"].tolist()[:2] == [Fault.ILLEGAL_OPCODE, at]
