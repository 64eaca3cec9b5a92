"""Power rails of a board, through PYNQ and the kernel's sensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def power_rails() -> dict[str, Callable[[], float]]:
    """Watts by rail, read when called. A rail without a power sensor is voltage times current; others are left out.

    Empty where PYNQ finds no sensors, as on a PC or over the network.
    """
    try:
        from pynq import get_rails
    except ImportError:  # PYNQ.remote has no rails
        return {}
    rails: dict[str, Callable[[], float]] = {}
    for name, rail in get_rails().items():
        read = _reader(rail)
        if read is not None:
            rails[name] = read
    return rails


def _reader(rail: Any) -> Callable[[], float] | None:
    power, voltage, current = (getattr(rail, kind, None) for kind in ("power", "voltage", "current"))
    if power is not None:
        return lambda: float(power.value)
    if voltage is not None and current is not None:
        return lambda: float(voltage.value) * float(current.value)
    return None
