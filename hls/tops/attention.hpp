// Σe of a row, multiplier and shift of the output → the row's multiplier and shift.
#pragma once

#include "../kernels/attention.hpp"

using namespace edgemoe;

constexpr int INPUTS = 3, OUTPUTS = 2;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    const RowScale scale = attention_row_scale(in[0], (int)in[1], (int)in[2]);
    out[0] = scale.multiplier;
    out[1] = scale.shift;
}
