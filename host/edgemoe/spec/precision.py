"""The two precisions: every width and every fraction of the arithmetic, in one place.

W8A8 is the default; W16A16 is meant to be near-float. Both run the same operations and the same instruction set; a
hardware configuration is built for one of them. Notation: Q.f is a fixed-point number with f fraction bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.names import shown
from edgemoe.spec.strict import ConfigError

# The same in both precisions.
MULTIPLIER_BITS = 16  # requantise multipliers M: unsigned, normalised to [2^15, 2^16)
MAX_SHIFT = 60  # requantise shifts S: 0 … MAX_SHIFT
SCORE_BITS = 16  # expert scores: unsigned Q.16
GUARD_BITS = 4  # extra fraction bits of an expert output before it is weighted by its score
PIXEL_OFFSET = 128  # subtracted from uint8 pixels: the array sees −128 … 127
WIDE_LIMIT = 127 * 256 + 127  # ±32639: two signed 8-bit digits, so that an 8-bit array can do 16-bit products
DIGIT_BITS = 8
NARROW_LIMIT = 7  # ±7: weights of 4 bits
OUTPUT_BITS = 16  # head outputs

# The gate's softmax, the same in both precisions: a token's scores must not depend on the array's width.
GATE_FRACTION = 12
GATE_LOGIT_BITS = 24
GATE_BIAS_BITS = 25  # of a gate's bias field, signed, in units of 2^16 logits
GATE_BIAS_LIMIT = 1 << (GATE_BIAS_BITS + 15)  # ±; with the largest product it stays within the 42 bits of a logit
GATE_EXPONENTIAL_BITS = 16


@dataclass(frozen=True)
class Precision:
    """Widths of one precision.

    activation_bits, weight_bits: signed operands of the array.
    residual_bits: residual stream, signed, one scale for the model.
    accumulator_bits: a bound that no legal instruction exceeds (features ≤ MAX_FEATURES, |bias| < 2^bias_bits).
    bias_bits: biases satisfy |bias| < 2^bias_bits, at accumulator scale.
    score_bits, score_fraction: attention scores t = log2(e)·q·k/√d in base 2, signed Q.score_fraction.
    exponential_bits: e = exp2(t − m), unsigned.
    reciprocal_bits: 1 / Σe, normalised.
    gelu_bits, gelu_fraction: input of GELU, signed Q.gelu_fraction.
    gelu_entries: entries of GELU's δ table, one per 1/64; interpolated in W16A16, nearest in W8A8.
    activation_entries: those of each table where there are other activation functions, whose δ vanishes later.
    normalised_bits, normalised_fraction: LayerNorm's (x − μ)/σ before γ and β.
    rsqrt_mantissa_bits, rsqrt_fraction, rsqrt_steps: reciprocal square root, see edgemoe_golden.ops.layernorm.
    gain_bits: LayerNorm's γ, signed. offset_bits: LayerNorm's β, signed.
    channel_bytes: one channel record (bias, multiplier, shift) in the weight stream.
    """

    name: str
    activation_bits: int
    weight_bits: int
    residual_bits: int
    accumulator_bits: int
    bias_bits: int
    score_bits: int
    score_fraction: int
    exponential_bits: int
    reciprocal_bits: int
    gelu_bits: int
    gelu_fraction: int
    gelu_entries: int
    activation_entries: int
    normalised_bits: int
    normalised_fraction: int
    rsqrt_mantissa_bits: int
    rsqrt_fraction: int
    rsqrt_steps: int
    gain_bits: int
    offset_bits: int
    channel_bytes: int

    @property
    def activation_bytes(self) -> int:
        """Bytes of an activation or weight in memory."""
        return self.activation_bits // 8

    def activation_limit(self, wide: bool | int) -> int:
        """Largest magnitude of an activation, of 16 bits in two digits when `wide` (W8A8 only)."""
        return WIDE_LIMIT if wide else 1 << (self.activation_bits - 1)

    @property
    def residual_bytes(self) -> int:
        """Bytes of a residual value in memory: the next power of two."""
        return 2 if self.residual_bits <= 16 else 4

    @property
    def gate_digits(self) -> int:
        """Signed digits, as wide as an activation, of one of the gate's 16-bit operands."""
        return 16 // self.activation_bits

    @property
    def fine(self) -> bool:
        """Whether softmax uses the two-factor exponential and GELU interpolates."""
        return self.activation_bits > 8


W8A8 = Precision(
    name="w8a8",
    activation_bits=8,
    weight_bits=8,
    residual_bits=16,
    accumulator_bits=32,
    bias_bits=30,
    score_bits=16,
    score_fraction=6,
    exponential_bits=10,
    reciprocal_bits=16,
    gelu_bits=18,
    gelu_fraction=10,
    gelu_entries=256,
    activation_entries=512,
    normalised_bits=18,
    normalised_fraction=12,
    rsqrt_mantissa_bits=16,
    rsqrt_fraction=15,
    rsqrt_steps=1,
    gain_bits=16,
    offset_bits=32,
    channel_bytes=8,
)

W16A16 = Precision(
    name="w16a16",
    activation_bits=16,
    weight_bits=16,
    residual_bits=24,
    accumulator_bits=48,
    bias_bits=45,
    score_bits=24,
    score_fraction=12,
    exponential_bits=16,
    reciprocal_bits=20,
    gelu_bits=24,
    gelu_fraction=16,
    gelu_entries=384,
    activation_entries=1024,
    normalised_bits=24,
    normalised_fraction=18,
    rsqrt_mantissa_bits=26,
    rsqrt_fraction=23,
    rsqrt_steps=2,
    gain_bits=24,
    offset_bits=48,
    channel_bytes=16,
)

PRECISIONS = {precision.name: precision for precision in (W8A8, W16A16)}

# Largest sizes that every bound above allows for; the ISA's own limits, whatever the hardware.
# Inputs of one accumulation: 2^14·2^14 + 2^30 < 2^31, 2^30·2^14 + 2^45 < 2^47. Of wide activations, whose two
# digits are summed apart: 2^8·2^28 + 2^28 + 2^30 < 2^37.
MAX_FEATURES = 16384
MAX_WIDTH = 1024  # features under one LayerNorm: |x − μ|/σ ≤ √1023 < 2^5
MAX_TOKENS = 2048  # keys of one softmax: Σe·v < 2^10·2^7·2^11, < 2^16·2^15·2^11


def precision_named(name: str) -> Precision:
    """The precision of that name; raises ConfigError."""
    if name not in PRECISIONS:
        raise ConfigError(f"precision {shown(name)} is unknown; there are {', '.join(PRECISIONS)}")
    return PRECISIONS[name]
