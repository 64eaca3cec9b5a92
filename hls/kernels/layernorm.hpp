// LayerNorm from exact integer sums: golden/ops/layernorm.py.
//
//     v = D·Σx² − (Σx)² + ε,   n = round_shift((D·x − Σx)·r, …),   out = saturate(round_shift(n·gain + offset, shift))
#pragma once

#include <ap_int.h>

#include "requantise.hpp"

namespace edgemoe {

constexpr int WIDTH_BITS = 12;                      // of a row's features, at most LARGEST_WIDTH, signed
constexpr int CENTRED_BITS = RESIDUAL_BITS + 11;    // D·x − Σx: x is one of those summed
constexpr int ROOT_BITS = RSQRT_FRACTION + 3;       // r < 2, r² < 4

typedef ap_uint<72> variance_t;  // D·Σx² < 2^67 and ε < 2^64 in the fine precision

// 1/√v ≈ root·2^−(RSQRT_FRACTION + exponent + RSQRT_MANTISSA_BITS/2).
struct Root {
    int64_t value;
    int exponent;
};

// v ≥ 1. Table for the first guess, then Newton steps r ← r·(3 − x·r²)/2, every product cut by a right shift.
inline Root reciprocal_square_root(variance_t v) {
    int length = 0;
LENGTH:
    for (int bit = 0; bit < 72; ++bit) {  // trip 72
#pragma HLS unroll
        if (v[bit]) length = bit + 1;
    }
    Root root;
    root.exponent = (length + 1) / 2 - RSQRT_MANTISSA_BITS / 2;
    const int shift = 2 * root.exponent;
    const variance_t scaled = shift >= 0 ? variance_t(v >> shift) : variance_t(v << -shift);
    const int64_t mantissa = scaled.to_uint64();
    const int first = (int)(mantissa >> (RSQRT_MANTISSA_BITS - RSQRT_INDEX_BITS)) - (1 << (RSQRT_INDEX_BITS - 2));
    root.value = RSQRT_TABLE[first];
NEWTON:
    for (int step = 0; step < RSQRT_STEPS; ++step) {  // trip RSQRT_STEPS
#pragma HLS unroll
        const int64_t square = product<ROOT_BITS, ROOT_BITS>(root.value, root.value) >> RSQRT_FRACTION;
        const int64_t one = product<RSQRT_MANTISSA_BITS + 1, ROOT_BITS>(mantissa, square) >> RSQRT_MANTISSA_BITS;
        const int64_t rest = ((int64_t)3 << RSQRT_FRACTION) - one;
        root.value = product<ROOT_BITS, ROOT_BITS>(root.value, rest) >> (RSQRT_FRACTION + 1);
    }
    return root;
}

// Sums over one row.
struct RowSums {
    int64_t total;
    int64_t squares;
};

inline RowSums no_sums() {
    const RowSums none = {0, 0};
    return none;
}

// Σx and Σx² of one vector, added to those before.
inline RowSums add_vector(const residual_t (&values)[VECTOR], RowSums sums) {
#pragma HLS inline
ELEMENTS:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        sums.total += values[e];
        sums.squares += product<RESIDUAL_BITS, RESIDUAL_BITS>(values[e], values[e]);
    }
    return sums;
}

// ε + D·Σx² − (Σx)².
inline variance_t variance(const RowSums &sums, int width, uint64_t epsilon) {
    const ap_int<RESIDUAL_BITS + 12> total = sums.total;
    const ap_uint<2 * RESIDUAL_BITS + 10> squares = sums.squares;
    const variance_t positive = variance_t(squares * ap_uint<11>(width)) + variance_t(epsilon);
    return positive - variance_t(total * total);
}

// (x − μ)/σ in Q.NORMALISED_FRACTION.
inline int64_t normalise(int64_t value, int64_t total, int width, const Root &root) {
    const int shift = RSQRT_FRACTION + RSQRT_MANTISSA_BITS / 2 - NORMALISED_FRACTION;
    const int64_t centred = product<RESIDUAL_BITS, WIDTH_BITS>(value, width) - total;
    const int64_t scaled = product<CENTRED_BITS, ROOT_BITS>(centred, root.value);
    return saturate(round_shift(scaled, root.exponent + shift), NORMALISED_BITS);
}

inline activation_t layernorm_output(int64_t affine, int shift) {
    return (activation_t)saturate(round_shift(affine, shift), ACTIVATION_BITS);
}

// The gate's 16-bit copy: two signed 8-bit digits.
inline int16_t layernorm_gate_copy(int64_t affine, int shift) {
    return wide_activation(round_shift(affine, shift));
}

// The same of the residual stream itself, its upper bits, for gates that read the input of their block.
inline int16_t residual_copy(int64_t value) { return wide_activation(round_shift(value, RESIDUAL_BITS - 16)); }

}  // namespace edgemoe
