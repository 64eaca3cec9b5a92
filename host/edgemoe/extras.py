"""What an extra of this package installs, as a command that works where an error prints it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from importlib import metadata


def how_to_install(extra: str, *options: str) -> str:
    """The call of pip, for this very Python, that brings what the extra names: no checkout and no index is assumed.

    options: of pip, such as --no-deps. Sources that are not installed know no extras but their checkout's.
    """
    try:
        stated = metadata.requires("edgemoe") or []
    except metadata.PackageNotFoundError:
        stated = []
    packages = list(_packages(extra, stated))
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *options, *(packages or [f".[{extra}]"])])


def _packages(extra: str, stated: list[str]) -> Iterator[str]:
    """What an extra names; extras of this package that it takes in are followed, other conditions stay, for pip."""
    marked = re.compile(rf"\s*(?:;|\band\b)\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]\s*$")
    for package in (marked.sub("", text) for text in stated if marked.search(text)):
        taken_in = re.fullmatch(r"edgemoe\[([\w-]+)\]", package)
        if taken_in:
            yield from _packages(taken_in[1], stated)
        else:
            yield package
