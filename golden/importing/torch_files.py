"""torch's checkpoint files, looked at before torch reads them: loading one runs no foreign code and needs no more
memory than the file has bytes.

torch itself refuses what could run code (`weights_only`). It does not refuse members of an archive that grow when they
are unpacked, nor a few bytes of pickle that ask for gigabytes, as `bytearray(1 << 34)` does.
"""

from __future__ import annotations

import io
import mmap
import pickle
import pickletools
import re
import zipfile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import complaint, shown

_ARCHIVE = b"PK\x03\x04"
_PICKLE = "data.pkl"
_OLD_PICKLES = 5  # of a file without archive: magic, version, system, objects, keys; then the numbers
_MOST_IN_TUPLE = 10_000  # values, counted as often as they are named: hashing a tuple visits each

_SCALAR = np.float64(0).__reduce__()[0]
_RESULT_TYPES: list[Any] = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)),
]
"""What the best result of a training run may be stored as, besides tensors and plain numbers; none can run code."""

_CALLED = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.serialization\._get_layout|torch\.device"
    r"|torch\.Size|collections\.(OrderedDict|Counter|defaultdict)|builtins\.(set|complex)|__builtin__\.set"
    r"|_codecs\.encode|numpy\.dtype|numpy\.(_core|core)\.multiarray\.scalar"
)
"""What a state dict is made of. Storages are named, never called: their numbers lie outside the pickle."""

_CALLS = ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ")
_FOREIGN = (
    "not read, because it is no torch file or holds objects other than tensors and numbers, and loading those could "
    "run foreign code"
)
_READ_ERRORS = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, ArithmeticError, MemoryError),
)
"""What torch raises for files that are no torch files, or altered ones."""


def load_torch(path: Path) -> Any:
    """What torch.save put into a file, as far as that is tensors, numbers and texts; raises CheckpointError."""
    try:
        _check(path)
        with torch.serialization.safe_globals(_RESULT_TYPES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_FOREIGN}") from error
    except CheckpointError:
        raise
    except (*_READ_ERRORS, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not a readable torch file ({complaint(error)})") from error


def _check(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_ARCHIVE)) == _ARCHIVE:
            _check_archive(path)
        elif file.seek(0, io.SEEK_END):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                for _ in range(_OLD_PICKLES):
                    _check_pickle(path, content)


def _check_archive(path: Path) -> None:
    """Members as torch writes them: stored, each once, beside each other, so that none is larger than the file."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise CheckpointError(f"{path}: its members are compressed, which torch never does; save it with torch")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise CheckpointError(f"{path}: its members are larger than the file; copy it again")
        if len({member.filename for member in members}) < len(members) or min(m.header_offset for m in members):
            raise CheckpointError(f"{path}: a member stands twice, or something before the first; save it with torch")
        for member in members:
            if member.filename.split("/")[-1] == _PICKLE:
                _check_pickle(path, io.BytesIO(archive.read(member)))


class _Value(NamedTuple):
    """What is known of a value of a pickle. name: of a global; size: of a tuple, with all that is in it."""

    name: str = ""
    size: int = 1


def _check_pickle(path: Path, content: IO[bytes] | mmap.mmap) -> None:
    """Follow a pickle's instructions without doing them; raises CheckpointError for a call that no state dict has."""
    stack: list[_Value | None] = []  # None: a mark
    memo: dict[Any, _Value] = {}
    for opcode, argument, _ in pickletools.genops(content):  # type: ignore[arg-type]  # a map is read as a file is
        taken = _take(stack, opcode)
        value = _Value()
        if opcode.name in ("GLOBAL", "STACK_GLOBAL", "INST", "OBJ"):
            value = _Value(str(argument or "").replace(" ", "."))
        elif opcode.name in ("GET", "BINGET", "LONG_BINGET"):
            value = memo.get(argument, value)
        elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            value = taken[-1] if taken else stack[-1] or value
            memo[len(memo) if argument is None else argument] = value
        elif opcode.name == "DUP":
            value = taken[0]
        elif opcode.name.startswith("TUPLE"):
            value = _Value(size=1 + sum(each.size for each in taken))
        if opcode.name in _CALLS:
            called = (taken[0] if taken else value).name
            if not _CALLED.fullmatch(called):
                raise CheckpointError(f"{path}: {_FOREIGN}" + (f": it calls {shown(called)}" if called else ""))
        if value.size > _MOST_IN_TUPLE:
            raise CheckpointError(f"{path}: holds a tuple of more than {_MOST_IN_TUPLE:,} values; no state dict does")
        stack += [None if opcode.name == "MARK" else value] * len(opcode.stack_after)


def _take(stack: list[_Value | None], opcode: pickletools.OpcodeInfo) -> list[_Value]:
    """What an instruction takes off the stack, the marks left out; raises ValueError where there is less."""
    before = opcode.stack_before
    count = len(before)
    if pickletools.markobject in before:
        marks = [index for index, value in enumerate(stack) if value is None]
        if not marks:
            raise ValueError("a pickle without a mark")
        count = len(stack) - marks[-1] + before.index(pickletools.markobject)
    if count > len(stack):
        raise ValueError("a pickle takes more than it has")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return [value for value in taken if value is not None]
