"""What Vivado reports about an implemented design, as far as the manifest needs it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from edgemoe.overlay.manifest import OverlayError
from edgemoe.spec.processing_system import ULTRASCALE_PLUS, ZYNQ_7000, ProcessingSystem

_ROWS = {
    ULTRASCALE_PLUS: {
        "lut": "CLB LUTs", "ff": "CLB Registers", "dsp": "DSPs", "bram36": "Block RAM Tile", "uram": "URAM",
    },
    ZYNQ_7000: {"lut": "Slice LUTs", "ff": "Slice Registers", "dsp": "DSPs", "bram36": "Block RAM Tile"},
}  # fmt: skip
_SERIES = {ULTRASCALE_PLUS: "an UltraScale+", ZYNQ_7000: "a 7-series"}


@dataclass(frozen=True)
class Facts:
    """What bitstreams/common/implement.tcl writes: tool version, clock, worst slacks in nanoseconds."""

    vivado: str
    clock_mhz: float
    setup_slack_ns: float
    hold_slack_ns: float


def read_facts(path: Path) -> Facts:
    """Read facts.txt; raises OverlayError when a line is missing or is no number."""
    lines = (line.split(maxsplit=1) for line in _text(path).splitlines())
    found = {words[0]: words[1].strip() for words in lines if len(words) == 2}
    try:
        numbers = [float(found[name]) for name in ("clock_mhz", "setup_slack_ns", "hold_slack_ns")]
        return Facts(found["vivado"], *numbers)
    except (KeyError, ValueError) as error:
        raise OverlayError(f"{path}: {error} is missing or no number; build the bitstream again") from error


def read_utilisation(path: Path, system: ProcessingSystem) -> dict[str, int]:
    """Resource → count from `report_utilization`; half block RAMs count as whole ones. system: the device's.

    Raises OverlayError.
    """
    text, found = _text(path), {"uram": 0}
    for resource, row in _ROWS[system].items():
        match = re.search(rf"^\|\s*{row}\*?\s*\|\s*([0-9.]+)\s*\|", text, re.MULTILINE)
        if match is None:
            raise OverlayError(f"{path}: no row '{row}'; this is not Vivado's report of {_SERIES[system]} design")
        found[resource] = math.ceil(float(match[1]))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise OverlayError(f"{path}: cannot be read ({error.strerror}); build the bitstream again") from error
