// IN_PAR values on the left, OUT_PAR columns of IN_PAR on the right, whether sums begin, sums before → sums.
#pragma once

#include "../kernels/matmul.hpp"

using namespace edgemoe;

constexpr int INPUTS = IN_PAR + OUT_PAR * IN_PAR + 1 + OUT_PAR, OUTPUTS = OUT_PAR;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    operand_t left[IN_PAR];
    TileRow tile[OUT_PAR];
    accumulator_t sums[OUT_PAR];
LEFT:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        left[input] = (operand_t)in[input];
    }
COLUMNS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        weight_t column[IN_PAR];
    ROWS:
        for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
            column[input] = (weight_t)in[IN_PAR + output * IN_PAR + input];
        }
        pack(column, tile[output]);
        sums[output] = (accumulator_t)in[IN_PAR + OUT_PAR * IN_PAR + 1 + output];
    }
    AccumulatorWord before;
    pack(sums, before);
    unpack(multiply_accumulate(left, tile, in[IN_PAR + OUT_PAR * IN_PAR] != 0, before), sums);
SUMS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        out[output] = sums[output];
    }
}
