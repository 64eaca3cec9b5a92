"""Edge-MoE in the open: specification, compiler, session and devices of a multi-task mixture-of-experts accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgemoe.accelerator import Accelerator

__all__ = ["Accelerator"]


def __getattr__(name: str) -> Any:
    """`edgemoe.Accelerator`, imported when asked for: the specification alone must not load the rest."""
    if name == "Accelerator":
        from edgemoe.accelerator import Accelerator

        return Accelerator
    raise AttributeError(f"module 'edgemoe' has no attribute '{name}'")
