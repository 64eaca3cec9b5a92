"""MATLAB files, read by SciPy in a process of its own: a broken one can end the process that reads it.

That process takes lines of JSON and gives pickles, to this module alone.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgemoe.extras import how_to_install
from edgemoe.spec.names import complaint
from edgemoe_golden.data.samples import DataError

_readers: list[subprocess.Popen[bytes]] = []  # one at most, started by the first file and kept for the next ones
_turn = threading.Lock()


def read_mat(path: Path, variable: str) -> NDArray[Any]:
    """One variable of a MATLAB file; raises DataError."""
    if importlib.util.find_spec("scipy") is None:
        raise DataError(f"{path}: reading MATLAB files needs scipy; run: {how_to_install('train')}")
    with _turn:
        found = _ask(str(path.absolute()), variable)
    if isinstance(found, str):
        raise DataError(f"{path}: {found}")
    return found


def _ask(path: str, variable: str) -> NDArray[Any] | str:
    """The variable, or what is wrong, from the process that reads."""
    if not _readers:
        command = [sys.executable, "-c", f"import {__name__} as this; this.answer()"]
        # In a session of its own it never sees Ctrl-C; it ends when its input does.
        own: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
        _readers.append(subprocess.Popen(command, **own))
        atexit.register(_close)
    questions, answers = _readers[0].stdin, _readers[0].stdout
    assert questions is not None
    assert answers is not None
    try:
        questions.write(json.dumps([path, variable]).encode() + b"\n")
        questions.flush()
        found: NDArray[Any] | str = pickle.load(answers)
    except BaseException as error:  # Ctrl-C, too, leaves half an answer: the next file starts another process
        _close()
        if isinstance(error, EOFError | BrokenPipeError):
            return "not a readable MATLAB file (the process that read it ended)"
        raise
    return found


def _close() -> None:
    """End the process that reads."""
    atexit.unregister(_close)
    for reader in (_readers.pop() for _ in _readers[:]):
        reader.kill()
        reader.communicate()


def _variable(path: str, variable: str) -> NDArray[Any] | str:
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=[variable])
    except Exception as error:  # SciPy's readers have errors of their own besides ValueError, OSError and others
        return f"not a readable MATLAB file ({complaint(error)})"
    if variable not in content:
        return f"no variable '{variable}'"
    values: NDArray[Any] = content[variable]
    return values


def answer() -> None:
    """What the other process does."""
    for question in sys.stdin.buffer:
        pickle.dump(_variable(*json.loads(question)), sys.stdout.buffer)
        sys.stdout.buffer.flush()
