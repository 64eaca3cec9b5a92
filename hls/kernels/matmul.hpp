// The unified compute unit: TOKEN_PAR × IN_PAR × OUT_PAR multiplications per cycle, one call site for all layers.
//
// Staggered order (attention reordering): a tile of weights, keys or values enters lane 0 and moves on by one lane per
// cycle, so lane p works one tile behind lane p − 1, and one new tile per cycle feeds all lanes, however many there are.
#pragma once

#include "products.hpp"

namespace edgemoe {

static_assert(OUT_PAR % 2 == 0, "outputs are multiplied in pairs");

// One lane of one cycle, its right operand OUT_PAR columns of IN_PAR values: sum[o] = Σ_i left[i]·tile[o][i], added to `before` unless it is the first. II 1;
// IN_PAR·OUT_PAR multiplications, of which two outputs share one multiplier.
inline AccumulatorWord multiply_accumulate(const operand_t (&left)[IN_PAR], const TileRow (&tile)[OUT_PAR], bool first,
                                           const AccumulatorWord &before) {
#pragma HLS inline
    accumulator_t sums[OUT_PAR], old[OUT_PAR];
    unpack(before, old);
OUTPUTS:
    for (int output = 0; output < OUT_PAR; output += 2) {  // trip OUT_PAR / 2
#pragma HLS unroll
        weight_t low[IN_PAR], high[IN_PAR];
        unpack(tile[output], low);
        unpack(tile[output + 1], high);
        accumulator_t even = 0, odd = 0;
    INPUTS:
        for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
            accumulator_t product_low, product_high;
            product_pair(high[input], low[input], left[input], product_high, product_low);
            even += product_low;
            odd += product_high;
        }
        sums[output] = first ? even : (accumulator_t)(old[output] + even);
        sums[output + 1] = first ? odd : (accumulator_t)(old[output + 1] + odd);
    }
    AccumulatorWord word;
    pack(sums, word);
    return word;
}

}  // namespace edgemoe
