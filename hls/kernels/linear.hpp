// Epilogues of linear layers, one channel at a time: golden/ops/linear.py.
#pragma once

#include "gelu.hpp"

namespace edgemoe {

// round_shift((bias + Σ)·M, S): what every epilogue starts from.
inline int64_t scaled(accumulator_t sum, const Channel &channel) {
    return round_shift((sum + channel.bias) * channel.multiplier, legal_shift(channel.shift));
}

inline activation_t linear(accumulator_t sum, const Channel &channel) {
    return (activation_t)saturate(scaled(sum, channel), ACTIVATION_BITS);
}

inline activation_t linear_gelu(accumulator_t sum, const Channel &channel, int multiplier, int shift, int zero) {
    return gelu_requantise(saturate(scaled(sum, channel), GELU_BITS), multiplier, shift, zero);
}

inline residual_t linear_residual(accumulator_t sum, const Channel &channel, residual_t residual) {
    return (residual_t)saturate(residual + scaled(sum, channel), RESIDUAL_BITS);
}

// Score-weighted: the product is cut once, so an expert's bias is weighted by the score too.
inline residual_t linear_weighted(accumulator_t sum, const Channel &channel, uint16_t score, residual_t residual) {
    const int64_t output = saturate(scaled(sum, channel), RESIDUAL_BITS + GUARD_BITS);
    const int64_t update = round_shift(output * score, SCORE_WEIGHT_BITS + GUARD_BITS);
    return (residual_t)saturate(residual + update, RESIDUAL_BITS);
}

}  // namespace edgemoe
