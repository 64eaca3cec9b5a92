"""Head: a task's final linear layer, 16-bit outputs; its LayerNorm is a LAYERNORM instruction of its own.

Outputs come in order [channel][cell row][cell column] per patch; upsampling to pixels is the host's.
"""

from __future__ import annotations

from edgemoe.spec.precision import OUTPUT_BITS, Precision
from edgemoe_golden.ops.linear import PreparedLinear, linear
from edgemoe_golden.ops.requantise import IntArray


def head(values: IntArray, weights: PreparedLinear, precision: Precision, wide: bool = False) -> IntArray:
    """Outputs [rows, C·s²] as int16 values; values [rows, D] of activation_bits, or wide."""
    return linear(values, weights, OUTPUT_BITS, precision, wide)
