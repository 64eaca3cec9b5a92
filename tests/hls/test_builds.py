"""The same integers whatever the compiler does; memory errors and unset values are found, and seeded ones show it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from frame_runner import build, mutated, run
from frame_subject import Subject

from edgemoe.spec.isa import Opcode

MIXED = ("wide_source", "wide_result", "narrow_weights", "biased", "renormalise", "activation")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer")


@pytest.mark.parametrize("level", ["-O0", pytest.param("-O2", marks=pytest.mark.slow), "-O3"])
def test_every_optimisation_level_gives_golden_integers(subject: Subject, level: str, tmp_path: Path) -> None:
    ended = run(build(tmp_path, subject.program, [level]), subject.program, subject.frame)
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output is not None
    assert np.array_equal(ended.output, subject.expected)


def test_what_is_synthesised_gives_golden_integers(subject: Subject, tmp_path: Path) -> None:
    """Packed words as ap_uint, multipliers at their widths, two int8 products in one: C simulation does it faster."""
    binary = build(tmp_path, subject.program, ["-O2", "-DEDGEMOE_AS_SYNTHESISED"])
    ended = run(binary, subject.program, subject.frame)
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output is not None
    assert np.array_equal(ended.output, subject.expected)


@pytest.mark.parametrize("flags", [("-O2", "-DEDGEMOE_AS_SYNTHESISED"), SANITIZERS], ids=["synthesised", "sanitized"])
def test_every_option_at_once_gives_golden_integers(
    mixed_subject: Subject, flags: tuple[str, ...], tmp_path: Path
) -> None:
    program, frame, expected = mixed_subject
    used = {(i.opcode, name) for i in program.instructions for name in MIXED if getattr(i, name)}
    assert {name for _, name in used} == set(MIXED)
    assert {Opcode.ATTENTION, Opcode.EXPERTS, Opcode.LINEAR} <= {opcode for opcode, _ in used}
    ended = run(build(tmp_path, program, flags), program, frame)
    own = [line for line in ended.errors.splitlines() if "ap_types/" not in line]  # not of the ap_int headers
    assert (ended.status, own) == (0, [])
    assert ended.output is not None
    assert np.array_equal(ended.output, expected)


SEEDED = pytest.mark.parametrize(
    "subject", ["micro", pytest.param("micro_w16a16", marks=pytest.mark.slow)], indirect=True
)
"""That a check sees a fault is shown in one precision by `make test`; the check itself is there for both."""

VALGRIND = ("valgrind", "--quiet", "--error-exitcode=99", "--track-origins=no")


def test_no_unset_value_decides_anything(subject: Subject, tmp_path: Path) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    ended = run(build(tmp_path, subject.program, ["-O1", "-g"]), subject.program, subject.frame, VALGRIND)
    assert ended.status == 0, ended.errors
    assert ended.output is not None
    assert np.array_equal(ended.output, subject.expected)


@SEEDED
def test_an_unset_value_is_found(subject: Subject, tmp_path: Path) -> None:
    """Without `begin`, valid rows, queues and the lanes' steps are whatever the memory held."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    sources = mutated(tmp_path, "machine/execute.hpp", "    clear_valid(machine.valid);\n", "")
    binary = build(tmp_path, subject.program, ["-O1", "-g"], sources)
    ended = run(binary, subject.program, subject.frame, VALGRIND)
    assert ended.status == 99
    assert "uninitialised" in ended.errors


@SEEDED
def test_a_read_beyond_a_buffer_is_found(subject: Subject, tmp_path: Path) -> None:
    """Every patch read one word too late: the last one lies beyond the input region."""
    sources = mutated(tmp_path, "machine/rows.hpp", "input[first + n]", "input[first + n + 1]")
    ended = run(build(tmp_path, subject.program, SANITIZERS, sources), subject.program, subject.frame)
    assert ended.status != 0
    assert "heap-buffer-overflow" in ended.errors


@SEEDED
def test_a_wrong_integer_is_found(subject: Subject, tmp_path: Path) -> None:
    """Rounding down instead of to the nearest."""
    sources = mutated(tmp_path, "kernels/requantise.hpp", "return (value + half) >> shift", "return value >> shift")
    ended = run(build(tmp_path, subject.program, ["-O1", "-Wno-error"], sources), subject.program, subject.frame)
    assert ended.output is not None
    assert not np.array_equal(ended.output, subject.expected)
