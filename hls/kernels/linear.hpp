// Epilogues of linear layers, one channel at a time: golden/ops/linear.py. The first step of each is post_lane's.
#pragma once

#include "gelu.hpp"

namespace edgemoe {

// Score-weighted, of round_shift((bias + Σ)·M, S): the product is cut once, so an expert's bias is weighted by the score
// too.
inline int64_t weighted(int64_t scaled, uint16_t score) {
    const int64_t output = saturate(scaled, RESIDUAL_BITS + GUARD_BITS);
    return round_shift(product<RESIDUAL_BITS + GUARD_BITS, SCORE_WEIGHT_BITS + 1>(output, score),
                       SCORE_WEIGHT_BITS + GUARD_BITS);
}

}  // namespace edgemoe
