"""What the driver tests say about simulated boards."""

from __future__ import annotations

from typing import Any

BOARD = "zcu102"


def simulated(device: Any) -> Any:
    """The SimulatedBoard under a PynqDevice."""
    return device.overlay.device
