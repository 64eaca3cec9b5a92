"""What nextpnr says: its report (cells, clock, worst path), and its last word where it gives up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.route.shell import INSTANCE

OUT_OF, THROUGH, ALONG, BEFORE = "clk-to-q", "logic", "routing", "setup"


@dataclass(frozen=True)
class WorstPath:
    """The latest path from register to register. ns: by nextpnr's kind of delay; cells: of logic, on the way."""

    source: str
    sink: str
    ns: Mapping[str, float]
    cells: int

    def in_words(self) -> str:
        """One sentence."""
        ns, total = self.ns, sum(self.ns.values())
        cells = f"{self.cells} cell{'s' * (self.cells != 1)} of logic"
        parts = (f"{ns[OUT_OF]:.2f} out of the register", f"{ns[THROUGH]:.2f} through {cells}",
                 f"{ns[ALONG]:.2f} along wires", f"{ns[BEFORE]:.2f} before the edge")  # fmt: skip
        return f"{total:.2f} ns from {self.source} to {self.sink}: {', '.join(parts)}"


@dataclass(frozen=True)
class Routed:
    """A routed design. used: cells of a kind, and how many of it the part has."""

    mhz: float
    used: Mapping[str, tuple[int, int]]
    worst: WorstPath


def read_report(text: str) -> Routed:
    """The file that nextpnr writes for --report. Raises ValueError that says what is wrong with it."""
    try:
        facts = json.loads(text)
        clocks, paths = facts["fmax"], facts["critical_paths"]
        used = {kind: (int(cells["used"]), int(cells["available"])) for kind, cells in facts["utilization"].items()}
        if len(clocks) != 1:
            raise ValueError(f"the report of nextpnr has {len(clocks)} clocks with paths, expected one")
        (clock,) = clocks
        inside = [path["path"] for path in paths if clock in path["from"] and clock in path["to"]]
        if len(inside) != 1:
            raise ValueError(f"the report of nextpnr has {len(inside)} worst paths of its clock, expected one")
        return Routed(float(clocks[clock]["achieved"]), used, _worst(inside[0]))
    except json.JSONDecodeError as error:
        raise ValueError(f"the report of nextpnr is not JSON ({error}); look at its log for where it ended") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the report of nextpnr is of another form ({error!r}); use the pinned version") from error


def _worst(steps: list[dict[str, Any]]) -> WorstPath:
    ns = dict.fromkeys((OUT_OF, THROUGH, ALONG, BEFORE), 0.0)
    for step in steps:
        ns[step["type"]] += float(step["delay"])
    wires = [step["net"] for step in steps if step["type"] == ALONG]
    cells = {step["from"]["cell"] for step in steps if step["type"] == THROUGH}
    return WorstPath(
        _plain(wires[0]) if wires else steps[0]["from"]["cell"], _plain(steps[-1]["to"]["cell"]), ns, len(cells)
    )


def _plain(name: str) -> str:
    """A net or cell under its name in the Verilog, without what synthesis hung on it."""
    return re.sub(r"_(?:DFF[A-Z]*|LUT[1-4]|ALU|RAM16SDP4|SDPX9B|SPX9)(?:_|$).*", "", name).removeprefix(f"{INSTANCE}.")


def complaint(log: str) -> str:
    """The first error of a log of nextpnr, else where it stood when it was ended."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return errors[0] if errors else f"ended after “{lines[-1]}”" if lines else "ended without a word"
