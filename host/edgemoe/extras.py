"""What an extra of this package installs, as a command that works where an error prints it."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata


def how_to_install(extra: str, *options: str) -> str:
    """The call of pip, for this very Python, that brings what the extra names: no checkout and no index is assumed.

    options: of pip, such as --no-deps. Sources that are not installed know no extras but their checkout's.
    """
    try:
        stated = metadata.requires("edgemoe") or []
    except metadata.PackageNotFoundError:
        stated = []
    marked = re.compile(rf"\s*(?:;|\band\b)\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]\s*$")
    packages = [marked.sub("", text) for text in stated if marked.search(text)]  # other conditions stay, for pip
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *options, *(packages or [f".[{extra}]"])])
