"""The version of this package, as it is installed."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """As in pyproject.toml; `unknown` for sources that are not installed."""
    try:
        return metadata.version("edgemoe")
    except metadata.PackageNotFoundError:
        return "unknown"
