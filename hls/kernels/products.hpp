// Multipliers at the width that they need, and two int8 products in one of them.
#pragma once

#include "packed.hpp"

namespace edgemoe {

// one·other of so many signed bits each, at most 64 together.
template <int ONE_BITS, int OTHER_BITS>
inline int64_t product(int64_t one, int64_t other) {
#pragma HLS inline
#ifdef EDGEMOE_AS_SYNTHESISED
    const ap_int<ONE_BITS + OTHER_BITS> result = ap_int<ONE_BITS>(one) * ap_int<OTHER_BITS>(other);
    return result.to_int64();
#else
    return one * other;
#endif
}

// ⌊one / other⌋ of so many unsigned bits each; other ≥ 1.
template <int ONE_BITS, int OTHER_BITS>
inline int64_t quotient(int64_t one, int64_t other) {
#pragma HLS inline
#ifdef EDGEMOE_AS_SYNTHESISED
    const ap_uint<ONE_BITS> result = ap_uint<ONE_BITS>(one) / ap_uint<OTHER_BITS>(other);
    return (int64_t)result.to_uint64();
#else
    return one / other;
#endif
}

// Two products of int8 weights with one operand, of 11 bits at most, from one multiplication of 27 × 11 bits: the low
// product stands in bits 0 … 17 and borrows from the high one when it is negative. |operand·weight| ≤ 2^17.
inline void product_pair(weight_t high, weight_t low, operand_t operand, accumulator_t &product_high,
                         accumulator_t &product_low) {
#pragma HLS inline
#ifdef EDGEMOE_AS_SYNTHESISED
    if (!IS_FINE) {
        const ap_int<27> weights = (ap_int<27>(high) << 18) + ap_int<27>(low);
        const ap_int<38> both = weights * ap_int<11>(operand);
        const ap_int<18> lower = both;
        product_low = (accumulator_t)lower.to_int();
        product_high = (accumulator_t)((both.to_int64() >> 18) + (lower < 0 ? 1 : 0));
        return;
    }
    product_low = (accumulator_t)product<OPERAND_BITS, WEIGHT_BITS>(operand, low);
    product_high = (accumulator_t)product<OPERAND_BITS, WEIGHT_BITS>(operand, high);
#else
    product_low = (accumulator_t)operand * low;
    product_high = (accumulator_t)operand * high;
#endif
}

}  // namespace edgemoe
