"""What is fuzzed: a target makes a case in a folder, and tries it."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class Target:
    """Something that must hold for every case.

    make: writes a case into an empty folder. attempt: takes that folder and an empty one for what it writes; returns
    what to count the case as, and raises EdgeMoeError to refuse it with a sentence. Everything else is a fault.
    valid: writes a case before it is mutated, None where there is no such thing.
    group: targets of one group share a process. environment: what that process needs. memory_mib: what a case may take,
    None: what the environment says. seconds: of CPU for a case. weight: share of the time.
    """

    name: str
    make: Callable[[Path, Rng], object]
    attempt: Callable[[Path, Path], str]
    group: str
    valid: Callable[[Path, Rng], object] | None = None
    environment: Callable[[], Mapping[str, str]] = field(default=dict)
    memory_mib: int | None = 512
    seconds: float = 10.0
    weight: float = 1.0

    def rng(self, seed: int, number: int) -> Rng:
        """The generator of a case: the same wherever and after whatever it is made."""
        return np.random.default_rng((seed, zlib.crc32(self.name.encode()), number))


def copied(write: Callable[[Path], object]) -> Callable[[Path, Rng], object]:
    """A maker of the same valid files for every case, which `write` writes once a process."""

    @cache
    def template() -> tempfile.TemporaryDirectory[str]:
        folder = tempfile.TemporaryDirectory(prefix="fuzz-valid-")
        write(Path(folder.name))
        return folder

    def copy(folder: Path, _: Rng) -> None:
        shutil.copytree(template().name, folder, dirs_exist_ok=True)

    return copy
