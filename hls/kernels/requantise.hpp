// The one rounding and the one clipping of the machine: golden/ops/requantise.py.
#pragma once

#include "products.hpp"

namespace edgemoe {

// ⌊(value + 2^(shift−1)) / 2^shift⌋, value itself for shift 0. |value| + 2^(shift−1) < 2^63, shift 0 … 62.
inline int64_t round_shift(int64_t value, int shift) {
    const int64_t half = shift == 0 ? 0 : (int64_t)1 << (shift - 1);
    return (value + half) >> shift;
}

// Clip to the signed range of `bits` bits.
inline int64_t saturate(int64_t value, int bits) {
    const int64_t top = ((int64_t)1 << (bits - 1)) - 1;
    const int64_t bottom = -top - 1;
    return value > top ? top : value < bottom ? bottom : value;
}

// What two signed 8-bit digits hold.
inline int16_t wide_activation(int64_t value) {
    const int64_t limit = WIDE_LIMIT;
    return (int16_t)(value > limit ? limit : value < -limit ? -limit : value);
}

// saturate(round_shift(value·multiplier, shift)). |value| < 2^46, multiplier below 2^20.
inline int64_t requantise(int64_t value, int64_t multiplier, int shift, int bits) {
    return saturate(round_shift(value * multiplier, shift), bits);
}

// Records of a stream that breaks its precondition must not shift by more than the type has.
inline int legal_shift(int shift) { return shift > MAX_SHIFT ? MAX_SHIFT : shift; }

}  // namespace edgemoe
