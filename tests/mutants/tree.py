"""A copy of the checkout to change: links to its files, of which a changed one is replaced, never written through."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgemoe.devices.build_cache import digest_of
from edgemoe.spec.files import write_text
from tests.mutants.change import Change

# What these build is taken from a cache when it is there, and then most of their lines do not run.
BUILDERS = {f"host/edgemoe/devices/{engine}/build.py": f"build/{engine}" for engine in ("csim", "rtl")}


@dataclass(frozen=True)
class Ended:
    """A run of Python. status: None where it was ended for taking too long."""

    status: int | None
    text: str


class Tree:
    """All files that git knows of, in `folder`, which is made; what is built there stays from one run to the next."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
        self.files = sorted(name for name in listed.split("\0") if name and (root / name).is_file())
        for name in self.files:
            self._link(name)
        wanted = set(self.files)
        for place in ("rtl", "hls", "host", "golden", "sim", "tests"):
            for path in (folder / place).rglob("*"):
                if path.is_file() and path.suffix != ".pyc" and path.relative_to(folder).as_posix() not in wanted:
                    path.unlink()  # of an older checkout
        for built in map(folder.joinpath, BUILDERS.values()):
            if _aside(built).is_dir():  # by a run that was killed
                _put_back(built, _aside(built))
        links = folder / "build" / "links"
        links.mkdir(parents=True, exist_ok=True)
        if not (links / "edgemoe_golden").is_symlink():
            (links / "edgemoe_golden").symlink_to("../../golden")

    def _link(self, name: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(self.root / name, target)

    def digest(self) -> str:
        """Of all files: figures of one checkout are never those of another."""
        return digest_of(self.files, [self.root / name for name in self.files])

    @contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Inside, the file has this change, and what it builds is not there."""
        text = change.applied((self.root / change.file).read_text(encoding="utf-8"))
        (self.folder / change.file).unlink()
        write_text(self.folder / change.file, text)
        try:
            with self._nothing_built_by(change.file):
                yield
        finally:
            self._link(change.file)

    @contextmanager
    def _nothing_built_by(self, file: str) -> Iterator[None]:
        built = self.folder / BUILDERS[file] if file in BUILDERS else None
        if built is None or not built.is_dir():
            yield
            return
        aside = built.rename(_aside(built))
        try:
            yield
        finally:
            _put_back(built, aside)

    def python(self, words: Sequence[str], limit: float, interpreter: str = sys.executable) -> Ended:
        """Python in the copy with the copy's packages; all that it started is ended after `limit` seconds."""
        path = os.pathsep.join(str(self.folder / part) for part in ("host", "build/links", "."))
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            [interpreter, *words], cwd=self.folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            text, _ = process.communicate(timeout=limit)
            return Ended(process.returncode, text)
        except subprocess.TimeoutExpired:
            return Ended(None, "took too long")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _aside(built: Path) -> Path:
    return built.with_name(f"{built.name}.aside")


def _put_back(built: Path, aside: Path) -> None:
    shutil.rmtree(built, ignore_errors=True)
    aside.rename(built)
