// GELU(x) = ReLU(x) − δ(|x|), δ from a small table; other activation functions have other tables: golden/ops/gelu.py.
#pragma once

#include "requantise.hpp"

namespace edgemoe {

// δ(a) in Q.GELU_FRACTION: the nearest entry, or between two entries in the fine precision. a ≥ 0, activation below
// GELU_TABLES.
inline int64_t gelu_delta(int64_t magnitude, int activation) {
    const int step = GELU_FRACTION - GELU_STEP_BITS;
    const int first = GELU_TABLES > 1 ? activation * (DELTA_ENTRIES + FINE) : 0;
    if (!IS_FINE) {
        const int64_t index = round_shift(magnitude, step);
        return index < DELTA_ENTRIES ? GELU_DELTA_TABLE[first + index] : 0;
    }
    const int64_t index = magnitude >> step;
    if (index >= DELTA_ENTRIES) return 0;
    const int64_t low = GELU_DELTA_TABLE[first + index];
    const int64_t slope = GELU_DELTA_TABLE[first + index + FINE] - low;
    return low + round_shift(slope * (magnitude & ((1 << step) - 1)), step);
}

// round_shift(GELU(x)·multiplier, shift) + zero, x of GELU_BITS.
inline int64_t gelu_scaled(int64_t value, int activation, int multiplier, int shift, int zero) {
    const int64_t rectified = value > 0 ? value : 0;
    const int64_t magnitude = value < 0 ? -value : value;
    const int64_t activated = rectified - gelu_delta(magnitude, activation);
    return round_shift(product<GELU_BITS + 1, MULTIPLIER_BITS + 1>(activated, multiplier), shift) + zero;
}

// The same as an activation.
inline activation_t gelu_requantise(int64_t value, int activation, int multiplier, int shift, int zero) {
    return (activation_t)saturate(gelu_scaled(value, activation, multiplier, shift, zero), ACTIVATION_BITS);
}

}  // namespace edgemoe
