"""DSP blocks that the array is made of, and how two weights lie in one operand of such a block.

A block multiplies one operand of `wide` bits by one of `narrow` bits, both signed. In W8A8 the wide one holds two
weights, w1·2^pair_shift + w0, which takes pair_shift + 9 bits; so the shift is what the block leaves
(docs/hardware/rtl.md, Compute).
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.precision import W8A8
from edgemoe.spec.strict import ConfigError


@dataclass(frozen=True)
class DspBlock:
    """One kind, in the parts that Yosys calls `family`.

    fine: W16A16's products are cut to fit it. ultra_ram: parts with such blocks may have UltraRAM.
    """

    name: str
    family: str
    wide: int
    narrow: int
    fine: bool
    ultra_ram: bool

    @property
    def pair_shift(self) -> int:
        """Bits between two weights of W8A8 in the wide operand."""
        return self.wide - W8A8.weight_bits - 1


DSP_BLOCKS = (
    DspBlock("dsp48e2", "xcup", 27, 18, fine=True, ultra_ram=True),  # UltraScale+
    DspBlock("dsp48e1", "xc7", 25, 18, fine=False, ultra_ram=False),  # 7-series
)


def dsp_named(name: str) -> DspBlock:
    """Raises ConfigError for a block that there is none of."""
    for block in DSP_BLOCKS:
        if block.name == name:
            return block
    names = " or ".join(block.name for block in DSP_BLOCKS)
    raise ConfigError(f"dsp must be {names}, the multiplier of the part's series, found '{name}'")
