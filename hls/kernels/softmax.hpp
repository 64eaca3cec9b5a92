// Single-pass softmax, free of order: golden/ops/softmax.py and docs/concepts/softmax.md.
#pragma once

#include "requantise.hpp"

namespace edgemoe {

// ⌈t⌉ of a score in Q.fraction: the running maximum is kept in whole octaves.
inline int64_t octave(int64_t score, int fraction) { return (score + ((int64_t)1 << fraction) - 1) >> fraction; }

// round_shift by any amount: beyond bits + 1 nothing is left.
inline int64_t vanishing_shift(int64_t value, int64_t shift, int bits) {
    const int amount = shift > bits + 1 ? bits + 1 : (int)shift;
    return (value + (((int64_t)1 << amount) >> 1)) >> amount;
}

// exp2(t − m) in 16 bits from two 64-entry tables; distance = m·2^GATE_FRACTION − t ≥ 0.
inline int64_t fine_exponential(int64_t distance) {
    const int64_t mask = (1 << FINE_HALF_BITS) - 1;
    const int64_t high = FINE_EXP2_HIGH_TABLE[(distance >> FINE_HALF_BITS) & mask];
    const int64_t scaled = product<18, 18>(high, FINE_EXP2_LOW_TABLE[distance & mask]);
    return vanishing_shift(scaled, 16 + (distance >> GATE_FRACTION), 33);
}

// exp2(t − m) of one attention score, EXPONENTIAL_BITS unsigned; maximum in whole octaves, not below ⌈t⌉.
inline int64_t exponential(int64_t score, int64_t maximum) {
    const int64_t distance = maximum * (1 << SCORE_FRACTION) - score;
#if EDGEMOE_FINE
    return fine_exponential(distance);
#else
    const int64_t entry = EXP2_TABLE[distance & ((1 << SCORE_FRACTION) - 1)];
    return vanishing_shift(entry, distance >> SCORE_FRACTION, EXPONENTIAL_BITS);
#endif
}

// 1/total ≈ value·2^−(length + RECIPROCAL_BITS − 1).
struct Reciprocal {
    int64_t value;
    int length;
};

constexpr int TOTAL_BITS = EXPONENTIAL_BITS + 11;  // Σe of LARGEST_TOKENS keys; the divider is made for these

// Exact floor division, once per row and head; total ≥ 1.
inline Reciprocal reciprocal(int64_t total) {
    Reciprocal result;
    result.length = 0;
LENGTH:
    for (int bit = 0; bit < 40; ++bit) {  // trip 40
#pragma HLS unroll
        if ((total >> bit) != 0) result.length = bit + 1;
    }
    const int64_t ones = ((int64_t)1 << (result.length + RECIPROCAL_BITS - 1)) - 1;
    result.value = quotient<TOTAL_BITS + RECIPROCAL_BITS, TOTAL_BITS>(ones, total);
    return result;
}

}  // namespace edgemoe
