"""Paths through a DSP block, in the levels of area_levels: operands, their product, a sum, with registers between.

Yosys leaves the registers of a DSP48E2 outside of it, and fills those of a DSP48E1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MULTIPLY, ADD = 4.0, 2.0  # from operands to the product; from there, or from what is added, to the sum
_OPERANDS = {"A": "AREG", "B": "BREG"}
_ADDED = ("C", "PCIN")


def start_of(cell: Mapping[str, Any]) -> float | None:
    """Levels from the last register inside to the sum; None where there is none."""
    if _has(cell, "PREG"):
        return 0.0
    if _has(cell, "MREG"):
        return ADD
    return MULTIPLY + ADD if any(_has(cell, register) for register in _OPERANDS.values()) else None


def through(cell: Mapping[str, Any], port: str) -> float | None:
    """Levels from an input to the sum; None where a register lies between, and for what is constant or of the clock."""
    if _has(cell, "PREG"):
        return None
    if port in _OPERANDS:
        return None if _has(cell, _OPERANDS[port]) or _has(cell, "MREG") else MULTIPLY + ADD
    return ADD if port in _ADDED else None


def end_at(cell: Mapping[str, Any], port: str) -> float | None:
    """Levels from an input to the first register inside; None where there is none."""
    stages = [("PREG", ADD)] if port in _ADDED else []
    if port in _OPERANDS:
        stages = [(_OPERANDS[port], 0.0), ("MREG", MULTIPLY), ("PREG", MULTIPLY + ADD)]
    return next((levels for register, levels in stages if _has(cell, register)), None)


def _has(cell: Mapping[str, Any], register: str) -> bool:
    return int(cell.get("parameters", {}).get(register, "0"), 2) > 0
