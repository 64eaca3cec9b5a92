"""What a release is made of, and how a user of it runs commands."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Distributions:
    """Files of one release."""

    wheel: Path
    source: Path
