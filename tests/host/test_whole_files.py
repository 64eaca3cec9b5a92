"""Files and folders appear whole or not at all, at whatever moment their writer is killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from edgemoe.compiler.program import Program, load_program
from edgemoe.spec.files import draft_folder, read_limited, whole_folder, write_text
from tests.examples import program as examples

WATCHED = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")  # audit events: every step of a writer is one


@pytest.fixture(scope="module")
def programs() -> tuple[Program, Program]:
    return examples.small_program(("depth",)), examples.small_program()


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a child that kills itself before its step number `step`; whether it was killed."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, _: object) -> None:
            nonlocal left
            if event in WATCHED:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        with suppress(BaseException):
            sys.addaudithook(watch)
            work()
            status = 0
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"step {step}: the writer failed"
    return os.WIFSIGNALED(status)


def kills(work: Callable[[], object], prepare: Callable[[], object]) -> Iterator[int]:
    """Prepare, and kill `work` before each of its steps in turn; the last number is of a run that was not killed."""
    for step in range(1000):
        prepare()
        alive = not killed(step, work)
        yield step
        if alive:
            return


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def same(left: Program, right: Program) -> bool:
    return left.manifest == right.manifest and np.array_equal(left.stream, right.stream)


@pytest.mark.parametrize("before", [False, True])
def test_a_kill_at_any_step_leaves_the_old_program_or_the_new_one(
    programs: tuple[Program, Program], tmp_path: Path, before: bool
) -> None:
    old, new = programs
    folder = tmp_path / "program"
    steps = 0
    for step in kills(lambda: new.save(folder), lambda: old.save(folder) if before else None):
        steps = step
        if before or folder.exists():
            found = load_program(folder)
            assert same(found, old) or same(found, new), f"killed before step {step}"
        new.save(folder)
        assert same(load_program(folder), new), f"saved after a kill before step {step}"
        assert names(tmp_path) == ["program"], f"left over from a kill before step {step}"
        if not before:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    assert steps >= 10, "the writer was never killed"


def test_what_stands_aside_is_found_when_a_program_is_loaded(programs: tuple[Program, Program], tmp_path: Path) -> None:
    """The one moment in which neither program is in its place."""
    old, new = programs
    folder = tmp_path / "program"
    seen = 0
    for step in kills(lambda: new.save(folder), lambda: old.save(folder)):
        seen += not folder.exists()
        load_program(folder)
        assert folder.exists(), f"killed before step {step}"
    assert seen == 1


def test_a_killed_writer_of_a_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for step in kills(lambda: write_text(path, "new"), lambda: write_text(path, "old")):
        assert path.read_text(encoding="utf-8") in ("old", "new"), f"killed before step {step}"
        write_text(path, "again")
        assert names(tmp_path) == ["report.json"], f"left over from a kill before step {step}"


def test_drafts_of_living_writers_stay(tmp_path: Path) -> None:
    with draft_folder(tmp_path) as ours, draft_folder(tmp_path) as theirs:
        (ours / "a").touch()
        write_text(tmp_path / "b", "")
        assert (ours / "a").exists()
        assert theirs.exists()
    assert names(tmp_path) == ["b"]


def test_two_writers_of_one_folder_leave_one_of_theirs(programs: tuple[Program, Program], tmp_path: Path) -> None:
    folder = tmp_path / "program"
    children = []
    for program in (*programs, *programs):
        child = os.fork()
        if child == 0:
            status = 1
            with suppress(BaseException):
                for _ in range(10):
                    program.save(folder)
                status = 0
            os._exit(status)
        children.append(child)
    assert [os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)
    assert any(same(load_program(folder), program) for program in programs)
    assert names(tmp_path) == ["program"]


def test_a_folder_that_is_there_is_kept_or_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "precious").touch()
    with whole_folder(tmp_path / "there", "keep") as fresh:
        (fresh / "other").touch()
    with pytest.raises(FileExistsError), whole_folder(tmp_path / "there"):
        pass
    assert names(tmp_path / "there") == ["precious"]
    assert names(tmp_path) == ["there"]


def test_input_is_read_in_bounds(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 100)
    assert len(read_limited(path, 10)) == 11
    os.mkfifo(tmp_path / "pipe")
    for endless in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            read_limited(endless, 10)
