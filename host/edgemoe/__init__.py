"""Edge-MoE in the open: specification, compiler, session and devices of a multi-task mixture-of-experts accelerator."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgemoe.accelerator import Accelerator
    from edgemoe.errors import EdgeMoeError
    from edgemoe.results import FrameResult

    __version__: str

_HOMES = {"Accelerator": "accelerator", "EdgeMoeError": "errors", "FrameResult": "results"}
__all__ = ["Accelerator", "EdgeMoeError", "FrameResult", "__version__"]


def __getattr__(name: str) -> Any:
    """What `__all__` names, imported when asked for: the specification alone must not load the rest."""
    if name == "__version__":
        return import_module("edgemoe.version").version()
    if name in _HOMES:
        return getattr(import_module(f"edgemoe.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'edgemoe' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
