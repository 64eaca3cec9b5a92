"""Energy of a frame, estimated: no board has run it, and `edgemoe bench` on one replaces all of this.

Three figures, none of them a measurement of this design (docs/evidence/energy.md):

- traffic: bytes that a frame moves × energy per bit of the memory, as published;
- bound: time × what a published design drew on the same board;
- proxy, to rank shapes by: traffic + time × a power that grows with the LUTs in use and with the clock.

Per LUT, the proxy takes what the published design drew that drew most per LUT.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.tuning.parts import Part


@dataclass(frozen=True)
class PublishedPower:
    """What a design for the same model drew. luts: that it takes; None: not published; millijoules: of one frame."""

    design: str
    board: str
    watts: float
    clock_mhz: int
    luts: int | None
    milliseconds: float

    @property
    def millijoules(self) -> float:
        """Of one frame, published power × published time."""
        return self.watts * self.milliseconds


# docs/published.json has the same with where they come from.
POWERS = (
    PublishedPower("Edge-MoE", "ZCU102", 14.54, 300, None, 34.64),
    PublishedPower("UbiMoE", "ZCU102", 11.5, 300, 123_400, 25.76),
    PublishedPower("CoQMoE, M³ViT-T", "ZCU102", 9.83, 300, 156_100, 6.47),
)
BEST = min(POWERS, key=lambda power: power.millijoules)

# Horowitz, ISSCC 2014: 1.3 … 2.6 nJ for 64 bits of DRAM with its interface. O'Connor et al., MICRO 2017: HBM2.
DRAM_PICOJOULES = (1300 / 64, 2600 / 64)
HBM2_PICOJOULES = (3.92, 3.92)

WATTS_PER_LUT_MHZ = max(power.watts / power.luts / power.clock_mhz for power in POWERS if power.luts)


@dataclass(frozen=True)
class Energy:
    """Of one frame, in millijoules. traffic: from … to; bounds: by name of the published design; proxy: see above."""

    traffic: tuple[float, float]
    bounds: dict[str, float]
    proxy: float


def energy(part: Part, moved_bytes: int, milliseconds: float, luts: float, clock_mhz: int) -> Energy:
    """Estimates for a frame of a shape on a part. moved_bytes: read and written."""
    per_bit = HBM2_PICOJOULES if part.memory.startswith("HBM2") else DRAM_PICOJOULES
    low, high = (8 * moved_bytes * picojoules * 1e-9 for picojoules in per_bit)
    board = part.board.split(" (")[0]
    bounds = {power.design: power.watts * milliseconds for power in POWERS if power.board == board}
    watts = WATTS_PER_LUT_MHZ * luts * clock_mhz
    return Energy((low, high), bounds, high + watts * milliseconds)


def break_even_watts(milliseconds: float) -> float:
    """What a board may draw for a frame to take no more energy than the best published design's."""
    return BEST.millijoules / milliseconds
