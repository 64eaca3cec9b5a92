"""What takes long to build and is kept: in a folder of its own under a hash of all that went into it.

An entry appears whole or not at all, is built once however many processes want it, and is open to other users as the
umask says. What a builder that was killed leaves is removed by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.devices.base import DeviceError
from edgemoe.devices.telling import Say, say_to_people, telling
from edgemoe.spec.files import whole_folder
from edgemoe.spec.names import path_part
from edgemoe.spec.places import OTHER_BUILDS


def digest_of(facts: object, files: Iterable[Path] = ()) -> str:
    """Sixteen hexadecimal digits of a hash of `repr(facts)` and of names and contents of files, in their order."""
    digest = hashlib.sha256(repr(facts).encode())
    for path in files:
        content = path.read_bytes()
        digest.update(repr((path.name, len(content))).encode() + content)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class BuildCache:
    """Entries below `folder`. what: who needs them, in the sentences of errors, such as `engine 'rtl'`."""

    folder: Path
    what: str

    def entry(
        self,
        name: str,
        digest: str,
        proof: str,
        build: Callable[[Path], None],
        saying: str = "",
        say: Say = say_to_people,
    ) -> Path:
        """The folder `name`-`digest`, after `build` has filled it if it was not there.

        digest: of `digest_of`. proof: the file by which one sees that it is there. saying: what is told when it
        has to be built. Raises DeviceError where the cache cannot be used, and whatever `build` raises.
        """
        entry = self.place(name, digest)
        if self._is_there(entry / proof):
            return entry
        with self._locked(entry.name, say):
            if not self._is_there(entry / proof):
                with telling(saying, say), self._fresh(entry) as fresh:
                    build(fresh)
        return entry

    def place(self, name: str, digest: str) -> Path:
        """Where an entry stands, whatever its name is."""
        return self.folder / f"{path_part(name)}-{digest}"

    def _is_there(self, proof: Path) -> bool:
        try:
            if not proof.is_file():
                return False
            with proof.open("rb"):
                return True
        except PermissionError as error:
            raise DeviceError(
                f"{self.what} was built by another user in {proof.parent} and is closed to you; let its owner run "
                f"`chmod -R a+rX {self.folder}`, or {OTHER_BUILDS.format('of your own')}"
            ) from error

    @contextlib.contextmanager
    def _fresh(self, entry: Path) -> Iterator[Path]:
        """A folder to build in, which becomes the entry at the end."""
        try:
            with whole_folder(entry, "replace") as fresh:
                yield fresh
        except OSError as error:
            raise self._unusable(error) from error

    @contextlib.contextmanager
    def _locked(self, name: str, say: Say) -> Iterator[None]:
        """One builder of the same entry at a time, where the file system has locks: a second one waits, and says so."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Opened for reading, so that the lock of another user will do.
            lock = os.open(self.folder / f".{name}.lock", os.O_RDONLY | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            with contextlib.suppress(OSError):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    with telling(f"waiting for another process that builds {self.what} …", say):
                        fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _unusable(self, error: OSError) -> DeviceError:
        where, why = self.folder, (error.strerror or str(error)).lower()
        if isinstance(error, PermissionError):
            remedy = f"let its owner run `chmod a+rwx {where}`, or {OTHER_BUILDS.format('of your own')}"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "free some space there"
        else:
            remedy = OTHER_BUILDS.format("elsewhere")
        return DeviceError(f"{self.what} cannot be built in {where}: {why}; {remedy}")


def packaged_tool(name: str) -> str:
    """Path of a command that a package of this Python's environment brings."""
    return str(Path(sys.executable).with_name(name))


def run_tool(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a compiler to its end with its output captured; when this is stopped, so are all processes that it started.

    Otherwise the compilers below a `make` would go on writing into a folder that is being removed. folder: where it
    runs, None: here.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
