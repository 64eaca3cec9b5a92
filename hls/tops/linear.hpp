// scaled sum, score in Q.16 → what an expert adds to the residual stream.
#pragma once

#include "../kernels/linear.hpp"

using namespace edgemoe;

constexpr int INPUTS = 2, OUTPUTS = 1;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    out[0] = weighted(in[0], (uint16_t)in[1]);
}
