// value, multiplier, shift, bits → what requantise makes of it.
#pragma once

#include "../kernels/requantise.hpp"

using namespace edgemoe;

constexpr int INPUTS = 4, OUTPUTS = 1;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    out[0] = requantise(in[0], in[1], (int)in[2], (int)in[3]);
}
