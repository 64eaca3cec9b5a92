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

// Two products of int8 weights with one operand, of 11 bits at most, from one multiplication of DSP_WIDE_BITS × 11 bits:
//   both = high_product·2^S + low_product,  S = PAIR_SHIFT, |low_product| ≤ 2^17
// ⌊both / 2^S⌋ is the high product and k = ⌊low_product / 2^S⌋, which is −1 … 0 (S = 18) or −2 … 1 (S = 16): k follows from
// the two lowest bits of the high product, and those from the two lowest of its factors.
inline void product_pair(weight_t high, weight_t low, operand_t operand, accumulator_t &product_high,
                         accumulator_t &product_low) {
#pragma HLS inline
#ifdef EDGEMOE_AS_SYNTHESISED
    if (!IS_FINE) {
        const ap_int<DSP_WIDE_BITS> weights =
            (ap_int<DSP_WIDE_BITS>(high) << PAIR_SHIFT) + ap_int<DSP_WIDE_BITS>(low);
        const ap_int<DSP_WIDE_BITS + 11> both = weights * ap_int<11>(operand);
        const int64_t upper = both.to_int64() >> PAIR_SHIFT;
        const ap_int<2> k = upper - (high & 3) * (operand & 3);
        const ap_uint<PAIR_SHIFT> lower = both;
        product_low = (accumulator_t)(k.to_int() * (1 << PAIR_SHIFT) + (int)lower.to_int());
        product_high = (accumulator_t)(upper - k.to_int());
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
