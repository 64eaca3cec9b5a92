"""The build cache: whole or nothing, once for all processes, clean after every kind of end, open to other users."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgemoe.devices.base import DeviceError
from edgemoe.devices.build_cache import BuildCache, digest_of, run_tool
from edgemoe.devices.telling import say_to_people, telling

PROOF = "result.txt"


def filled(text: str = "built") -> Callable[[Path], None]:
    return lambda folder: (folder / PROOF).write_text(text, encoding="utf-8") and None


@pytest.fixture
def cache(tmp_path: Path) -> BuildCache:
    return BuildCache(tmp_path / "to be made" / "cache", "engine 'test'")


def content(cache: BuildCache) -> list[str]:
    """All but the locks."""
    return sorted(path.name for path in cache.folder.iterdir() if path.suffix != ".lock")


def test_an_entry_is_built_once_and_then_found(cache: BuildCache) -> None:
    first = cache.entry("micro", "0123", PROOF, filled())
    assert first == cache.folder / "micro-0123"
    assert cache.entry("micro", "0123", PROOF, filled("again")) == first
    assert (first / PROOF).read_text(encoding="utf-8") == "built"
    assert cache.entry("micro", "4567", PROOF, filled()) != first


def test_a_digest_tells_texts_names_and_contents_apart(tmp_path: Path) -> None:
    def files(**contents: str) -> list[Path]:
        for name, text in contents.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return [tmp_path / name for name in contents]

    digests = [
        digest_of("a"),
        digest_of("b"),
        digest_of(("a", "b")),
        digest_of("a", files(x="1", y="2")),
        digest_of("a", files(x="12", y="")),
        digest_of("a", files(x="1", z="2")),
        digest_of("a", files(y="2", x="1")),
    ]
    assert len(set(digests)) == len(digests)
    assert digest_of("a", files(x="1", y="2")) == digests[3]
    assert all(len(digest) == 16 for digest in digests)


def test_two_at_once_build_once(cache: BuildCache) -> None:
    calls, both = [], threading.Barrier(2, timeout=10)

    def slow(folder: Path) -> None:
        calls.append(folder)
        time.sleep(0.2)
        filled()(folder)

    def ask() -> None:
        both.wait()
        cache.entry("micro", "0123", PROOF, slow)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


@pytest.mark.parametrize("end", [DeviceError("does not compile"), KeyboardInterrupt(), ValueError()], ids=repr)
def test_a_build_that_ends_early_leaves_nothing(cache: BuildCache, end: BaseException) -> None:
    def stopped(folder: Path) -> None:
        filled("half")(folder)
        raise end

    with pytest.raises(type(end)):
        cache.entry("micro", "0123", PROOF, stopped)
    assert content(cache) == []
    cache.entry("micro", "0123", PROOF, filled())
    assert content(cache) == ["micro-0123"]


def _program(cache: BuildCache, build: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from edgemoe.devices.build_cache import BuildCache, run_tool\n"
        f"def build(folder):\n    print(folder, flush=True)\n    {build}\n"
        f"BuildCache(Path({str(cache.folder)!r}), 'test').entry('micro', '0123', {PROOF!r}, build)",
    ]


# A tool below a tool, as a compiler below make, that goes on writing until it is stopped.
TOOL = 'while :; do : > "$0/$RANDOM"; done'
BUILD = f"run_tool(['bash', '-c', 'bash -c \"$1\" \"$0\"; true', str(folder), {TOOL!r}])"


def test_ctrl_c_stops_the_tools_and_leaves_nothing(cache: BuildCache) -> None:
    with subprocess.Popen(_program(cache, BUILD), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        folder = Path(builder.stdout.readline().strip())
        _until(lambda: any(folder.iterdir()))
        builder.send_signal(signal.SIGINT)
        _, errors = builder.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert content(cache) == []


def test_what_a_killed_builder_leaves_is_removed_by_the_next_build(cache: BuildCache) -> None:
    with subprocess.Popen(_program(cache, "import time; time.sleep(60)"), stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        folder = Path(builder.stdout.readline().strip())
        assert folder.is_dir()
        cache.entry("other", "4567", PROOF, filled())  # a builder that lives is left alone
        assert folder.is_dir()
        builder.kill()
    assert folder.is_dir()
    cache.entry("third", "89ab", PROOF, filled())
    assert content(cache) == ["other-4567", "third-89ab"]


def _until(done: Callable[[], bool]) -> None:
    for _ in range(300):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_entries_and_locks_are_open_to_others_as_the_umask_says(cache: BuildCache) -> None:
    before = os.umask(0o022)
    try:
        entry = cache.entry("micro", "0123", PROOF, filled())
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (cache.folder, entry, entry / PROOF)}
    assert modes == {"cache": 0o755, "micro-0123": 0o755, PROOF: 0o644}
    assert {stat.S_IMODE(path.stat().st_mode) for path in cache.folder.glob(".*.lock")} == {0o644}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errno.EACCES, r"engine 'test' cannot be built in .*: permission denied; let its owner run `chmod a\+rwx "),
        (errno.ENOSPC, "no space left on device; free some space there"),
        (errno.EROFS, "read-only file system; use a checkout elsewhere"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_a_remedy(
    cache: BuildCache, monkeypatch: pytest.MonkeyPatch, error: int, message: str
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(DeviceError, match=message):
            cache.entry("micro", "0123", PROOF, filled())

    def unwritable(folder: Path) -> None:
        refuse()

    with pytest.raises(DeviceError, match=message):
        cache.entry("micro", "0123", PROOF, unwritable)


def test_an_entry_that_another_user_keeps_closed_is_named_with_a_remedy(
    cache: BuildCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an earlier version left them, with mode 0700."""
    cache.entry("micro", "0123", PROOF, filled())

    def closed(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    with pytest.raises(DeviceError, match=r"built by another user in .*micro-0123 .* `chmod -R a\+rX "):
        cache.entry("micro", "0123", PROOF, filled())


def test_a_build_is_announced_and_a_find_is_not(cache: BuildCache) -> None:
    said: list[str] = []
    for _ in range(2):
        cache.entry("micro", "0123", PROOF, filled(), saying="building, once …", say=said.append)
    assert said == ["building, once …"]


@pytest.mark.parametrize("terminal", [True, False])
def test_announcements_go_to_people_only(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    say_to_people("building …")
    assert capsys.readouterr() == ("", "building …\n" if terminal else "")


@pytest.mark.parametrize(
    ("text", "own", "terminal", "notebook", "told"),
    [
        ("building …", False, False, False, ""),
        ("building …", False, False, True, "building …\n"),
        ("building …", True, False, False, "own: building …\n"),
        ("building …", True, True, False, "own: building …\n"),  # whoever asks to be told shows no clock
        ("", False, True, False, ""),
        ("", True, False, False, ""),
        ("", True, True, True, ""),
    ],
)
def test_who_is_told_what(
    text: str, own: bool, terminal: bool, notebook: bool, told: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
    else:
        monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with telling(text, (lambda said: print(f"own: {said}", file=sys.stderr)) if own else say_to_people):
        assert capsys.readouterr().err == told
    assert capsys.readouterr().err == ""


def test_a_tool_s_output_is_kept_apart_from_its_complaints() -> None:
    done = run_tool(["bash", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_terminal_sees_how_long_a_build_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    with telling("building, once …", say_to_people):
        deadline = time.monotonic() + 20
        while "building, once … 00:01" not in stream.getvalue():
            assert time.monotonic() < deadline, stream.getvalue()
            time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "clock of a build"]


def test_a_clock_is_not_shown_behind_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    begun = threading.Event()

    class Line:
        def __enter__(self) -> Line:
            return self

        def __exit__(self, *ended: object) -> None:
            shown.append("closed")

        def refresh(self) -> None:
            begun.set()
            time.sleep(0.3)
            shown.append("refreshed")

    monkeypatch.setattr("edgemoe.devices.telling.tqdm", lambda **_: Line())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with telling("building …", say_to_people):
        assert begun.wait(20)
    assert shown == ["refreshed", "closed"]


def test_who_waits_for_another_builder_is_told(tmp_path: Path) -> None:
    """Two threads want the same entry: one builds it, the other one waits and says so."""
    cache, said = BuildCache(tmp_path, "engine 'x'"), list[str]()
    begun, go_on = threading.Event(), threading.Event()

    def build(folder: Path) -> None:
        begun.set()
        assert go_on.wait(20)
        filled()(folder)

    first = threading.Thread(target=lambda: cache.entry("micro", "0123", PROOF, build))
    first.start()
    assert begun.wait(20)

    def say(text: str) -> None:
        said.append(text)
        go_on.set()

    cache.entry("micro", "0123", PROOF, build, saying="building", say=say)
    first.join(20)
    assert said == ["waiting for another process that builds engine 'x' …"]
