// Attention: scores on their way in, the weighted values on their way out: golden/ops/attention.py.
#pragma once

#include "softmax.hpp"

namespace edgemoe {

// The row's scale: R' = round_shift(R·M', 16), S'' = S' + L + b − 17.
struct RowScale {
    int64_t multiplier;
    int shift;
};

inline RowScale attention_row_scale(int64_t total, int output_multiplier, int output_shift) {
    const Reciprocal inverse = reciprocal(total);
    RowScale scale;
    scale.multiplier = round_shift(product<RECIPROCAL_BITS + 2, MULTIPLIER_BITS + 1>(inverse.value, output_multiplier), MULTIPLIER_BITS);
    scale.shift = inverse.length + output_shift + RECIPROCAL_BITS - 1 - MULTIPLIER_BITS;
    return scale;
}

}  // namespace edgemoe
