"""Program folders: written whole or not at all, read back equal, refused when anything about them is not as written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgemoe.compiler.program import MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE, Program, ProgramError, load_program
from tests.examples import program as examples


@pytest.fixture(scope="module")
def program() -> Program:
    return examples.small_program()


@pytest.fixture
def folder(program: Program, tmp_path: Path) -> Path:
    program.save(tmp_path / "program")
    return tmp_path / "program"


def test_a_saved_program_comes_back_equal(program: Program, folder: Path) -> None:
    again = load_program(folder)
    assert again.manifest == program.manifest
    assert np.array_equal(again.words, program.words)
    assert np.array_equal(again.stream, program.stream)
    assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE])


def test_compiling_twice_gives_the_same_bytes(program: Program) -> None:
    again = examples.small_program()
    assert again.manifest == program.manifest
    assert np.array_equal(again.stream, program.stream)


@pytest.mark.parametrize("name", [PROGRAM_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_altered_byte_is_found(folder: Path, name: str, place: float) -> None:
    data = bytearray((folder / name).read_bytes())
    data[round(place * (len(data) - 1))] ^= 0x10
    (folder / name).write_bytes(data)
    with pytest.raises(ProgramError, match=rf"{name}: contents differ .* truncated or altered"):
        load_program(folder)


@pytest.mark.parametrize("name", [PROGRAM_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("cut", [1, 64])
def test_a_truncated_file_is_found(folder: Path, name: str, cut: int) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-cut])
    with pytest.raises(ProgramError, match=rf"{name}: .* truncated or altered"):
        load_program(folder)


@pytest.mark.parametrize("name", [MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ProgramError, match=name):
        load_program(folder)


CHANGES: dict[str, tuple[Callable[[dict[str, object]], None], str]] = {
    "an unknown key": (lambda m: m.update(colour="red"), "unknown key 'colour'"),
    "a missing key": (lambda m: m.pop("labels"), "key 'labels' is missing"),
    "another version": (lambda m: m.update(program_version=99), "program version 99"),
    "a value of another type": (lambda m: m.update(tasks="semseg"), "tasks"),
    "another hash": (lambda m: m.update(config_hash=1), "config hash and hardware configuration disagree"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_manifest_that_is_not_as_written_is_refused(folder: Path, case: str) -> None:
    change, message = CHANGES[case]
    manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ProgramError, match=rf"{message}.*compile the model again"):
        load_program(folder)


def test_a_program_replaces_an_older_program_only(program: Program, folder: Path, tmp_path: Path) -> None:
    program.save(folder)
    load_program(folder)
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.tex").write_text("…", encoding="utf-8")
    with pytest.raises(ProgramError, match="not a program folder"):
        program.save(precious)
    assert [path.name for path in precious.iterdir()] == ["chapter1.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program", "thesis"]


@pytest.mark.parametrize("before", [False, True])
def test_a_full_disk_leaves_the_old_program_or_none(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    if before:
        program.save(tmp_path / "program")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        program.save(tmp_path / "program")
    assert [path.name for path in tmp_path.iterdir()] == (["program"] if before else [])
    if before:
        assert np.array_equal(load_program(tmp_path / "program").stream, program.stream)
