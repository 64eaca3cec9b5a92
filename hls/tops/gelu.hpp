// value, activation function, multiplier, shift, zero → activation.
#pragma once

#include "../kernels/gelu.hpp"

using namespace edgemoe;

constexpr int INPUTS = 5, OUTPUTS = 1;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    out[0] = gelu_requantise(in[0], (int)in[1], (int)in[2], (int)in[3], (int)in[4]);
}
