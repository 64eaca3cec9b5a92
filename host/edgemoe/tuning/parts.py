"""Parts that people own: cells, and what memory delivers, with the document that says so.

Cells are those of the vendor's product tables, memory is that of the board named; other boards may have another.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from edgemoe.errors import ArgumentError

MEMORY_SHARE = 0.8
"""Of what memory and ports carry at most: an assumption, the same as that of the shipped shapes."""


@dataclass(frozen=True)
class Resources:
    """Cells of a part: what a module takes, or what the part has. bram36 counts an 18-kbit block as one half."""

    lut: int = 0
    lutram: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: float = 0.0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))  # type: ignore[arg-type]

    def times(self, count: int) -> Resources:
        """So many of them."""
        return Resources(*(count * value for value in self.values()))  # type: ignore[arg-type]

    def values(self) -> tuple[float, ...]:
        """In the order of the fields."""
        return self.lut, self.lutram, self.ff, self.dsp, self.bram36, self.uram


@dataclass(frozen=True)
class Part:
    """One part on one board.

    device: with package and speed grade. clock_mhz: what its shapes are meant for. memory: kind, rate in MT/s × bits;
    gigabytes_per_second: at most. ports: for weights, that the board connects; port_bytes: of each, a cycle.
    dsp: its DSP blocks; the area model is fitted to syntheses for `dsp48e2`.
    """

    name: str
    device: str
    board: str
    total: Resources
    clock_mhz: int
    memory: str
    gigabytes_per_second: float
    ports: int
    cells_from: str
    memory_from: str
    port_bytes: int = 16
    dsp: str = "dsp48e2"

    def bytes_per_cycle(self, ports: int, clock_mhz: int) -> float:
        """Of memory over so many ports, in the long run."""
        memory = self.gigabytes_per_second * 1e3 / clock_mhz
        return round(MEMORY_SHARE * min(memory, ports * self.port_bytes), 1)


_ZYNQ_ULTRASCALE = "DS891, Zynq UltraScale+ MPSoC Data Sheet: Overview"
_ZU5 = Resources(lut=117_120, lutram=57_600, ff=234_240, dsp=1_248, bram36=144, uram=64)
PARTS = (
    Part(
        "xc7z020", "xc7z020clg400-1", "PYNQ-Z2",
        Resources(lut=53_200, lutram=17_400, ff=106_400, dsp=220, bram36=140), 100,
        "DDR3-1050 × 16", 2.1, 2, "DS190, Zynq-7000 SoC Data Sheet: Overview", "PYNQ-Z2 Reference Manual",
        port_bytes=8, dsp="dsp48e1",
    ),
    Part(
        "xczu3eg", "xczu3eg-sbva484-1-i", "Ultra96-V2",
        Resources(lut=70_560, lutram=28_800, ff=141_120, dsp=360, bram36=216), 300,
        "LPDDR4-2133 × 32", 8.533, 2, _ZYNQ_ULTRASCALE, "Ultra96-V2 Hardware User's Guide",
    ),
    Part("xczu5ev", "xczu5ev-sfvc784-1-e", "PYNQ-ZU (ZU5EG, the same fabric)", _ZU5, 300,
         "DDR4-2400 × 64", 19.2, 4, _ZYNQ_ULTRASCALE, "PYNQ-ZU board documentation"),
    Part("xck26", "xck26-sfvc784-2LV-c", "KV260", _ZU5, 300,
         "DDR4-2400 × 64", 19.2, 4, "DS987, Kria K26 SOM Data Sheet", "DS987, Kria K26 SOM Data Sheet"),
    Part(
        "xczu7ev", "xczu7ev-ffvc1156-2-e", "ZCU104",
        Resources(lut=230_400, lutram=101_760, ff=460_800, dsp=1_728, bram36=312, uram=96), 300,
        "DDR4-2400 × 64", 19.2, 4, _ZYNQ_ULTRASCALE, "UG1267, ZCU104 Board User Guide",
    ),
    Part(
        "xczu9eg", "xczu9eg-ffvb1156-2-e", "ZCU102",
        Resources(lut=274_080, lutram=144_000, ff=548_160, dsp=2_520, bram36=912), 300,
        "DDR4-2133 × 64", 17.064, 4, _ZYNQ_ULTRASCALE, "UG1182, ZCU102 Evaluation Board User Guide",
    ),
    Part(
        "xcu50", "xcu50-fsvh2104-2-e", "Alveo U50",
        Resources(lut=871_680, lutram=403_200, ff=1_743_360, dsp=5_952, bram36=1_344, uram=640), 300,
        "HBM2", 316.0, 4, "DS965, Alveo U50 Data Sheet", "DS965, Alveo U50 Data Sheet",
    ),
)  # fmt: skip


def part_names() -> list[str]:
    """Names of all parts."""
    return [part.name for part in PARTS]


def part_of(device: str) -> Part | None:
    """The part that a device's name begins with; None where there is none here."""
    return next((part for part in PARTS if device.startswith(part.name)), None)


def part_named(name: str) -> Part:
    """A part by its name, that of a device with package and speed grade, or its board's; ArgumentError for others."""
    boards = {_plain(part.board.split(" (")[0]): part for part in PARTS}
    found = part_of(name.lower()) or boards.get(_plain(name))
    if found is None:
        near = difflib.get_close_matches(name.lower(), part_names(), n=3, cutoff=0.4)
        known = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(part_names())}"
        raise ArgumentError(f"--part {name}: no such part here; {known}")
    return found


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
