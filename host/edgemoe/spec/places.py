"""Where things lie that are no Python: the engines' sources, shipped models, and what is built from them.

In a checkout they lie at its top, and builds in its `build/`. A wheel has the same folders inside the package, in
`edgemoe/repository`, and builds go to the user's cache, as what is installed is not to be written to.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CARRIED = _PACKAGE / "repository"
INSTALLED = _CARRIED.is_dir()  # whether this package came in a wheel


def cache_folder() -> Path:
    """The user's folder for what can be made again: XDG_CACHE_HOME or ~/.cache, and in it `edgemoe`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "edgemoe"


REPOSITORY = _CARRIED if INSTALLED else _PACKAGE.parents[1]  # has rtl/, hls/, sim/, models/
BUILDS = cache_folder() if INSTALLED else REPOSITORY / "build"
OTHER_BUILDS = "set XDG_CACHE_HOME to a folder {}" if INSTALLED else "use a checkout {}"  # of your own, elsewhere
