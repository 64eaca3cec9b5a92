"""Weights are fetched and instructions executed on two threads, with a stream of few lines and random pauses: what an
endless stream in a sequential simulation would hide, deadlocks, shows as a run that does not end.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import frame_runner
import numpy as np
import pytest
from frame_runner import build, mutated, run
from frame_subject import Subject

from edgemoe.compiler.program import Program
from edgemoe.spec.faults import Fault


@pytest.fixture(scope="module")
def binary(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("frame"), subject.program, ["-O1"])


@pytest.mark.parametrize(("depth", "seed"), [(1, 1), (2, 2), (64, 3)])
def test_any_depth_gives_golden_integers(subject: Subject, binary: Path, depth: int, seed: int) -> None:
    ended = run(binary, subject.program, subject.frame, depth=depth, seed=seed)
    assert ended.printed.split()[0] == str(int(Fault.NONE))
    assert ended.output is not None
    assert np.array_equal(ended.output, subject.expected)


def faulty(subject: Subject) -> tuple[Program, int]:
    """The program with an unknown opcode in the middle, and where."""
    words = subject.program.words.copy()
    at = subject.program.manifest.labels.index("block 0 projection")
    words[at, 0] |= np.uint32(0xFF)
    return replace(subject.program, words=words), at


def test_a_fault_in_the_middle_ends_both_processes(subject: Subject, binary: Path) -> None:
    """The executor takes what is left of the stream, so that the fetcher can finish."""
    program, at = faulty(subject)
    ended = run(binary, program, subject.frame, depth=2, seed=4)
    assert ended.printed.split() == [str(int(Fault.ILLEGAL_OPCODE)), str(at)]


def test_a_deadlock_is_found(subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without that last step the fetcher waits for ever, which the endless stream of depth 0 does not show."""
    drain = "    drop_rest(lines, machine.reader);\n"
    stuck = build(tmp_path, subject.program, ["-O1"], mutated(tmp_path, "machine/execute.hpp", drain, ""))
    program, _ = faulty(subject)
    monkeypatch.setattr(frame_runner, "TIMEOUT_SECONDS", 5)
    assert run(stuck, program, subject.frame).status == 0
    with pytest.raises(subprocess.TimeoutExpired):
        run(stuck, program, subject.frame, depth=2, seed=5)
