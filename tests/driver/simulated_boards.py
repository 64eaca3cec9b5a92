"""What the driver tests say about simulated boards."""

from __future__ import annotations

from typing import Any

BOARD = "zcu102"
ENGINES = ("golden", "csim", "rtl")
HANDSHAKES = ("golden", "rtl")  # AP_CTRL and interrupt of a model, and of the Verilog itself


def simulated(device: Any) -> Any:
    """The SimulatedBoard under a PynqDevice."""
    return device.overlay.device
